"""A law's parameters as lines of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.laws.program import Parameter
from sldagent.report.tables import number

if TYPE_CHECKING:
    from sldagent.fitted import Fitted
    from sldagent.uncertainty.bootstrap import Interval
    from sldagent.uncertainty.profile import Profile

TIGHT = 1e-9
"""A value this close to a bound, relative to the width of the interval, stands on it."""


def parameter_lines(law: Fitted, groups: int | None = None) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """(group, label, parameter, index) of every fitted number; the group is '' where one value holds for all.

    Args:
        groups: at most so many groups of each parameter; None: all.
    """
    for name, values in law.parameters.items():
        for index in np.ndindex(values.shape):
            if groups is not None and index[0] >= groups:
                break
            element = f"[{', '.join(str(i + 1) for i in index[1:])}]" if len(index) > 1 else ""
            yield (law.groups[index[0]] if len(values) > 1 else "", name + element, name, index)


def on_bound(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values of a parameter stand on its declared bounds (same shape); all where none does to rounding."""
    low = max(parameter.lower, 0.0) if parameter.kind == "positive" else parameter.lower
    width = parameter.upper - low
    margin = TIGHT * (width if np.isfinite(width) else 1.0)
    found = (values <= low + margin) | (values >= parameter.upper - margin)
    return np.asarray(found if found.any() else np.ones(np.shape(values), dtype=bool))


def span_text(interval: Interval, index: tuple[int, ...]) -> str:
    """Both ends of one number's interval."""
    return f"{number(float(interval.low[index]))} to {number(float(interval.high[index]))}"


def profile_text(profile: Profile, name: str, level: float) -> str:
    """A profile-likelihood interval as one sentence."""
    where = f" of group '{profile.group}'" if profile.group else ""
    low, high = number(profile.low, 5), number(profile.high, 5)
    text = f"profile likelihood: {name}{where} = {number(profile.value, 5)}, {level:.0%} interval {low} to {high}"
    sides = [side for side, closed in zip(("below", "above"), profile.closed, strict=True) if not closed]
    return f"{text} (the rows set no end {' or '.join(sides)})" if sides else text
