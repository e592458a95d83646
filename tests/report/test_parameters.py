"""Parameters that stand on a bound."""

from __future__ import annotations

import numpy as np

from sldagent.laws.program import Parameter
from sldagent.report.parameters import on_bound


def test_only_the_values_on_the_bound_are_named() -> None:
    values = np.array([[0.0, 1.5], [3.0, 2.999]])
    assert on_bound(Parameter("b", "interval", 0.0, 3.0), values).tolist() == [[True, False], [True, False]]
    assert on_bound(Parameter("E", "positive"), np.array([1.6, 0.0])).tolist() == [False, True]
