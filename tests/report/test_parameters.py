"""Parameters that stand on a bound."""

from __future__ import annotations

import numpy as np

from sldagent.laws.program import Parameter
from sldagent.report.parameters import BOUND, INFINITY, ZERO, bound_notes


def test_only_the_values_on_the_bound_are_named() -> None:
    values = np.array([[0.0, 1.5], [3.0, 2.999]])
    assert bound_notes(Parameter("b", "interval", 0.0, 3.0), values).tolist() == [[BOUND, ""], [BOUND, ""]]


def test_a_positive_parameter_without_bounds_leaves_for_zero_or_infinity() -> None:
    assert bound_notes(Parameter("E", "positive"), np.array([1.6, 0.0, 1e-12, 1e99])).tolist() == ["", ZERO, "", INFINITY]
    assert bound_notes(Parameter("E", "positive", 0.5, 2.0), np.array([0.5, 1.0, 2.0])).tolist() == [BOUND, "", BOUND]


def test_where_no_value_can_be_told_from_the_inside_all_are_named() -> None:
    assert bound_notes(Parameter("E", "positive"), np.array([1.6, 2.0])).tolist() == [BOUND, BOUND]
