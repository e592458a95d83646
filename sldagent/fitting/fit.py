"""Fit the parameters of a law to rows: screened starts, variable projection, then the recipe's own loss.

The strategy, cheapest first: variable projection on a least-squares surrogate from many starts on a thinned table, the best
few to convergence on all rows, and for robust or logarithmic losses the true objective from there *and* from screened starts
directly (the least-squares basin is not always the robust one).  With `Effort.thorough` many more starts are narrowed in
rounds (`stages`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting import equations
from sldagent.fitting.objective import Clock, Objective, last_delta, reported_objective
from sldagent.fitting.refine import refine_affine
from sldagent.fitting.result import Effort, FitResult, Point, collect, robust_rounds
from sldagent.fitting.rows import Rows
from sldagent.fitting.shrink import shrinkage, starting_points, without_centres
from sldagent.fitting.stages import Stages, select
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]


def fit_rows(
    law: CompiledLaw,
    rows: Rows,
    recipe: Recipe,
    rng: np.random.Generator,
    *,
    warm: Point | None = None,
    effort: Effort | None = None,
) -> FitResult:
    """Fit `law` to `rows`.

    Args:
        law: compiled for the rows' task.
        rows: at least one row.
        recipe: loss, space, starts and penalties.
        rng: for the starts.
        warm: a further start (all its blocks must be those of `rows`).
        effort: how hard to try; default from the recipe.

    Raises:
        FitError: the recipe needs logarithms of non-positive targets.
    """
    effort = effort or Effort(starts=recipe.starts)
    if recipe.shrink:
        alone = fit_rows(law, rows, replace(recipe, shrink=()), rng, warm=warm, effort=effort)
        return _shrunk(alone, rows, recipe, effort) if alone.ok else alone
    clock = Clock(effort.seconds)
    final = Objective(law, rows, recipe, False, clock)
    blocks = final.blocks
    nb, problems = len(blocks.group), len(blocks.problems) - 1
    if reason := _unusable(final, rows):
        empty = Point(np.full((nb, law.local), np.nan), np.full((problems, law.shared), np.nan))
        return FitResult(law, empty, blocks, np.inf, 0, reason)
    plain = final.loss == equations.SQUARED and not final.log
    stage = final if plain else Objective(law, rows, recipe, True, clock)
    bent = int((~law.linear).sum())
    stages = Stages(law, rows, recipe, effort, stage, final)
    if effort.thorough and bent:
        TL, TS, scores = stages.thorough(rng, warm)
    else:
        TL, TS, scores = stages.ordinary(rng, warm)
    spent = stages.spent
    TL, TS, _ = select(blocks, scores, TL, TS, 1)
    if effort.polish and (bent or not plain):
        final.delta = last_delta(final, recipe)
        _, used = final.run(TL, TS, inner=False, limit=effort.polish, tolerance=1e-13)
        spent += used
    point = Point(TL[0], TS[0])
    if effort.polish:
        point = _last_digits(final, law, rows, recipe, point)
    total, _ = final.bordered(point)
    reason, failure = "non-finite", "" if np.isfinite(total) else "no start gave finite predictions on all rows."
    if clock.over():
        reason, failure = "time", f"stopped at the cap of {effort.seconds:g} s of CPU before the fit had converged."
    parameters = collect(law, rows.groups, blocks, point)
    return FitResult(law, point, blocks, reported_objective(recipe, total, final), spent, failure, parameters, reason)


def _last_digits(final: Objective, law: CompiledLaw, rows: Rows, recipe: Recipe, point: Point) -> Point:
    """`point` with ill-conditioned affine parameters solved again, for least squares without a penalty."""
    if final.loss != equations.SQUARED or final.log or any(weight for _, weight in recipe.ridge):
        return point
    total, (matrices, _) = final.bordered(point)
    if not np.isfinite(total):
        return point
    _, weight, unit = final.data[1]
    return refine_affine(law, rows, final.blocks, point, matrices, weight * unit)


def finished(found: FitResult, rows: Rows, recipe: Recipe, effort: Effort) -> FitResult:
    """What the CPU engine does to a converged fit, for one that another engine converged on the same rows without shrinkage:
    the last digits of ill-conditioned affine parameters, then the joint fit in which shrunk parameters are pulled."""
    if not found.ok:
        return found
    law, final = found.law, Objective(found.law, rows, recipe, False)
    if effort.polish:
        point = _last_digits(final, law, rows, recipe, found.point)
        if point is not found.point:
            objective = reported_objective(recipe, final.bordered(point)[0], final)
            parameters = collect(law, rows.groups, found.blocks, point)
            found = replace(found, point=point, objective=objective, parameters=parameters)
    return _shrunk(found, rows, recipe, effort) if recipe.shrink else found


def _shrunk(alone: FitResult, rows: Rows, recipe: Recipe, effort: Effort) -> FitResult:
    """The joint fit in which shrunk parameters are pulled to their means, from the fit without."""
    law = alone.law
    final = Objective(law, rows, recipe, False, Clock(effort.seconds))
    penalties = shrinkage(alone, recipe, final.scale)
    if not penalties.shrunk.size:
        return alone
    final.shrink(law, penalties)
    starts = starting_points(law, final.blocks, alone.point, penalties)
    TL, TS, spent = starts.local, starts.shared, 0
    rounds = [*(robust_rounds(effort.tolerance) if final.loss == equations.HUBER else ()), (1.0, 1e-13)]
    for curvature, tolerance in rounds:
        scores, used = final.run(TL, TS, inner=False, limit=4 * effort.iterations, tolerance=tolerance, curvature=curvature)
        spent += used
    TL, TS, _ = select(final.blocks, scores, TL, TS, 1)
    total, _ = final.bordered(Point(TL[0], TS[0]))
    point = without_centres(law, alone.point, Point(TL[0], TS[0]))
    parameters = collect(law, rows.groups, alone.blocks, point)
    objective = reported_objective(recipe, total, final)
    return replace(
        alone,
        point=point,
        objective=objective,
        parameters=parameters,
        evaluations=alone.evaluations + spent,
        shrinkage=penalties.weight * final.share,
    )


def _unusable(objective: Objective, rows: Rows) -> str:
    """Why these rows cannot be fitted at all, or ''."""
    if not np.isfinite(objective.data[0]).all():
        return "a part of the law without parameters is not finite on some row."
    bad = ~np.isfinite(objective.data[1]).all(axis=(0, 1))
    if bad.any():
        first = rows.order[bad].min()
        return f"the target or its weight is not a finite number on {int(bad.sum())} rows, first on row {first}."
    return ""


def normal_matrices(result: FitResult, rows: Rows, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Gauss-Newton matrices of the recipe's loss at a fit, penalties included, and the penalties' part of their diagonals.

    Both by block, (blocks, p, p) and (blocks, p), in the engine's space; a shared parameter's penalty stands in every block
    of its problem, but counts in the first one's matrix.  Shrinkage is a penalty with the groups' mean held fixed.
    """
    law, blocks, point = result.law, result.blocks, result.point
    objective = Objective(law, rows, recipe, surrogate=False)
    objective.delta = last_delta(objective, recipe)
    matrices = objective.bordered(point)[1][0]
    problem = np.repeat(np.arange(len(blocks.problems) - 1), np.diff(blocks.problems))
    theta = np.concatenate([point.local, point.shared[problem]], axis=1)
    slope = np.where(law.transform == 1, np.exp(np.minimum(theta, 300.0)), 1.0)
    penalties = objective.spec[equations.RIDGE] * objective.share * slope**2
    if result.shrinkage is not None:
        every = np.arange(len(law.slots))
        matrices[:, every, every] += result.shrinkage
        penalties = penalties + result.shrinkage
    return matrices, penalties


def scalar_penalties(result: FitResult, rows: Rows, recipe: Recipe) -> FloatArray | None:
    """(scalars,) the penalties of `normal_matrices` in the order of `Linearised.J`; None where there are none."""
    if not recipe.ridge and result.shrinkage is None:
        return None
    local, penalties = result.law.local, normal_matrices(result, rows, recipe)[1]
    return np.concatenate([penalties[:, :local].ravel(), penalties[result.blocks.problems[:-1], local:].ravel()])
