"""Refits of a fitted law to many reweighted (or redrawn) copies of its rows: a bootstrap's inner loop.

Every refit begins at the fitted point alone and goes straight to the recipe's own loss.  That is enough for resamples: they
move the optimum by about a standard error, which stays inside its basin (of the Chinchilla form's resamples none is better
after a search from sixteen starts).  Rows, features and the tape are laid out once.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.equations import SQUARED
from sldagent.fitting.objective import Objective, deltas, reported_objective
from sldagent.fitting.result import SHARE_BEYOND, FitResult, Point, collect
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]

LIMIT = 80
"""Trial points of one round."""
TOLERANCE = 1e-6
"""Relative gain of an accepted step below which a round has converged; far below what resampling changes."""
EXACT = 1e-9
"""The same for squared losses, where steps converge quadratically."""
LAST_DELTAS = 3
"""Absolute loss: from the fitted point only the smallest of the shrinking thresholds are gone through."""


def refit(
    law: CompiledLaw,
    rows: Rows,
    recipe: Recipe,
    warm: Point,
    weights: Iterable[FloatArray],
    targets: Iterable[FloatArray] | None = None,
) -> list[FitResult]:
    """One result for every weight set, from the point `warm`.

    Args:
        weights: per set (targets, rows) factors of the weights of squared residuals, in the order of `rows`; 0 leaves a row
            out.  Parameters of a group without any weight stay where they are.
        targets: per set (targets, rows) values in place of the rows' targets; as many as there are weight sets.

    Raises:
        FitError: the recipe needs logarithms of non-positive targets.
    """
    objective = Objective(law, rows, recipe, surrogate=False)
    plain = objective.loss == SQUARED and not objective.log
    base = objective.data[1][1].copy()
    drawn = None if targets is None else iter(targets)
    out = []
    for factors in weights:
        objective.data[1][1] = base * np.sqrt(factors)
        if drawn is not None:
            _replace(objective, recipe, next(drawn))
        if recipe.ridge or recipe.loss == "absolute":
            objective.standardise(law, rows, recipe, factors)
        TL, TS = warm.local[None].copy(), warm.shared[None].copy()
        total, spent = _polish(objective, recipe, TL, TS, plain)
        point = Point(TL[0], TS[0])
        failure = "" if np.isfinite(total) else "the refit left the region where predictions are finite."
        reported = reported_objective(recipe, total, objective)
        out.append(FitResult(law, point, objective.blocks, reported, spent, failure))
    return _with_parameters(law, rows, out)


def _replace(objective: Objective, recipe: Recipe, Y: FloatArray) -> None:
    """Other targets, in the units of the objective's residuals."""
    objective.data[1][0] = np.log(Y) if objective.log else Y
    if not objective.log and recipe.space != "raw":
        objective.data[1][2] = 1.0 / np.maximum(np.abs(Y), 1e-300)


def _polish(
    objective: Objective, recipe: Recipe, TL: FloatArray, TS: FloatArray, plain: bool
) -> tuple[float, int]:
    """Minimise in place from one start; the objective over all problems, and evaluations."""
    if objective.loss == SQUARED:
        scores, spent = objective.run(TL, TS, inner=plain, limit=LIMIT, tolerance=EXACT)
        return float(scores.sum()), spent
    spent = 0
    scores = np.full((1, 1), np.inf)
    for delta in deltas(objective, recipe)[-LAST_DELTAS:]:
        objective.delta = delta
        for curvature in (SHARE_BEYOND, 1.0):
            scores, used = objective.run(
                TL, TS, inner=False, limit=LIMIT, tolerance=TOLERANCE, curvature=curvature
            )
            spent += used
    return float(scores.sum()), spent


def _with_parameters(law: CompiledLaw, rows: Rows, found: list[FitResult]) -> list[FitResult]:
    """The results with their parameters by name: slots are found once, values copied for all sets together."""
    if not found:
        return found
    blocks, pl = found[0].blocks, law.local
    nb, problems = len(blocks.group), len(blocks.problems) - 1
    # where does each scalar of a point lie?  Collect a point whose values are their own numbers.
    number = np.arange(nb * pl, dtype=float).reshape(nb, pl)
    common = nb * pl + np.arange(problems * law.shared, dtype=float).reshape(problems, law.shared)
    log = law.transform == 1
    with np.errstate(divide="ignore"):
        number = np.where(log[None, :pl], np.log(number + 1.0), number + 1.0)
        common = np.where(log[None, pl:], np.log(common + 1.0), common + 1.0)
    places = collect(law, rows.groups, blocks, Point(number, common))
    local = np.stack([r.point.local for r in found])
    shared = np.stack([r.point.shared for r in found])
    local = np.where(log[:pl], np.exp(np.minimum(local, 300.0)), local).reshape(len(found), -1)
    shared = np.where(log[pl:], np.exp(np.minimum(shared, 300.0)), shared).reshape(len(found), -1)
    flat = np.concatenate([local, shared], axis=1)
    arrays = {}
    for name, where in places.items():
        index = np.rint(np.nan_to_num(where, nan=1.0)).astype(np.int64) - 1
        arrays[name] = np.where(np.isnan(where), np.nan, flat[:, index])
    return [
        FitResult(r.law, r.point, r.blocks, r.objective, r.evaluations, r.failure, {n: a[s] for n, a in arrays.items()})
        for s, r in enumerate(found)
    ]
