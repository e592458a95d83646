"""A given point as a fit's result, polished or not: for constants that somebody else found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.objective import Objective, last_delta, reported_objective
from sldagent.fitting.result import FitResult, Point, collect
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]


def fixed(law: CompiledLaw, rows: Rows, recipe: Recipe, point: Point, *, polish: int = 0) -> FitResult:
    """The result of stopping at `point`, or of at most `polish` Levenberg-Marquardt trial points from it.

    Raises:
        FitError: the recipe needs logarithms of non-positive targets.
    """
    objective = Objective(law, rows, recipe, surrogate=False)
    objective.delta = last_delta(objective, recipe)
    total, _ = objective.bordered(point)
    spent = 1
    if polish:
        TL, TS = point.local[None].copy(), point.shared[None].copy()
        _, used = objective.run(TL, TS, inner=False, limit=polish, tolerance=1e-12)
        spent += used
        better = Point(TL[0], TS[0])
        reached, _ = objective.bordered(better)
        if reached < total:
            point, total = better, reached
    failure = "" if np.isfinite(total) else "the predictions are not finite on all rows."
    blocks = objective.blocks
    named = collect(law, rows.groups, blocks, point)
    return FitResult(law, point, blocks, reported_objective(recipe, total, objective), spent, failure, named)
