"""A law's parameters as lines of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.diagnosis import DISAPPEARED
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


BOUND, ZERO, INFINITY = "at its bound", "gone to 0", "gone to infinity"


def bound_notes(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.str_]:
    """What a parameter that is known to stand on a bound does in each of its values (same shape), '' for those inside.

    A positive parameter is fitted by its logarithm and may leave for 0 or infinity, which switches a part of the law off.
    """
    if parameter.kind == "positive":
        low, high = np.log(parameter.lower) if parameter.lower > 0.0 else -np.inf, np.log(parameter.upper)
        at = np.log(np.maximum(values, np.finfo(float).tiny))
    else:
        low, high, at = parameter.lower, parameter.upper, np.asarray(values)
    margin = TIGHT * (high - low if np.isfinite(high - low) else 1.0)
    notes = np.where((at <= low + margin) | (at >= high - margin), BOUND, "")
    if parameter.kind == "positive":
        notes = np.where((low == -np.inf) & (at <= -DISAPPEARED), ZERO, notes)
        notes = np.where((high == np.inf) & (at >= DISAPPEARED), INFINITY, notes)
    return np.asarray(notes if (notes != "").any() else np.full(np.shape(values), BOUND))


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
