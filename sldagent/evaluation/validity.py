"""May a fitted law be chosen?  It must stay within its target's range, near what was seen, and keep declared orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.grounds import Grounds
from sldagent.fitting.result import FitResult, predict_point
from sldagent.fitting.rows import Rows

FloatArray = NDArray[np.float64]

WILD = 3.0
"""A law that leaves the range of a group's training targets by more than so many times that range within one decade of the
data is not believed: over that decade the targets would move more than over all of the table."""
MIN_RANGE_ROWS = 4
"""Groups with fewer rows say too little about their range."""


def why_invalid(ground: Grounds, result: FitResult, probe: FloatArray) -> str:
    """Why the law must not be chosen, or ''.

    Args:
        probe: its predictions (targets, rows) at `ground.probe`.
    """
    law = result.law
    beyond = predict_point(law, law.tapes, ground.beyond, result.blocks, result.point)
    for t, target in enumerate(ground.task.targets):
        lo, hi = target.range
        slack = 1e-9 * (1.0 + abs(float(np.mean(ground.rows.Y[t]))))
        values = probe[t]
        if not np.isfinite(values).all():
            return f"not finite within one decade of the data ({target.name})"
        if values.min() < lo - slack or values.max() > hi + slack:
            worst = values.min() if values.min() < lo - slack else values.max()
            return f"predicts {target.name} = {worst:.4g} within one decade of the data, outside [{lo:g}, {hi:g}]"
        wild = _wildest(ground, beyond[t], t)
        if not wild <= WILD:
            return f"leaves the observed range of {target.name} by {wild:.3g} times that range within one decade of the data"
        for symbol, direction in target.monotone.items():
            if not _monotone(ground, result, t, symbol, direction):
                return f"not {direction} in {symbol} within one decade of the data"
        if target.limit is not None:
            far = predict_point(law, law.tapes, ground.far, result.blocks, result.point)[t]
            if not np.isfinite(far).all() or far.min() < target.limit[0] - slack or far.max() > target.limit[1] + slack:
                return f"leaves the declared limit {list(target.limit)} of {target.name} four decades out"
    return ""


def _wildest(ground: Grounds, values: FloatArray, t: int) -> float:
    """Largest distance of a prediction from its group's observed range, in units of that range."""
    rows, beyond = ground.rows, ground.beyond
    worst = 0.0
    for g in range(rows.groups):
        seen = rows.Y[t, rows.starts[g] : rows.starts[g + 1]]
        if seen.size < MIN_RANGE_ROWS or np.ptp(seen) == 0.0:
            continue
        here = values[beyond.starts[g] : beyond.starts[g + 1]]
        if not np.isfinite(here).all():
            return float("inf")
        outside = max(float(seen.min() - here.min()), float(here.max() - seen.max()))
        worst = max(worst, outside / float(np.ptp(seen)))
    return worst


def _monotone(ground: Grounds, result: FitResult, t: int, symbol: str, direction: str) -> bool:
    law = result.law
    column = list(ground.task.symbols).index(symbol)
    v = ground.task.variables[column]
    bumped = ground.probe.X.copy()
    if v.log or (bumped[:, column] <= 0).any():
        bumped[:, column] += 0.05 * (np.ptp(bumped[:, column]) or 1.0)
    else:
        bumped[:, column] *= 1.2
    moved = Rows(bumped, ground.probe.Y, ground.probe.group, ground.probe.groups, ground.probe.weight)
    before = predict_point(law, law.tapes, ground.probe, result.blocks, result.point)[t]
    after = predict_point(law, law.tapes, moved, result.blocks, result.point)[t]
    change = after - before if direction == "increasing" else before - after
    return bool((change >= -1e-9 * np.abs(before)).all())
