"""Fit the parameters of a law to rows: screened starts, variable projection, then the recipe's own loss.

The strategy, cheapest first: variable projection on a least-squares surrogate from many starts on a thinned table, the best
few to convergence on all rows, and for robust or logarithmic losses Levenberg-Marquardt on the true objective from there
*and* from screened starts directly (the least-squares basin is not always the robust one).
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting import solver
from sldagent.fitting.refine import refine_affine
from sldagent.fitting.result import SHARE_BEYOND, Blocks, Effort, FitResult, Point, collect, make_blocks, robust_rounds
from sldagent.fitting.rows import Rows
from sldagent.fitting.shrink import Shrinkage, joined, shrinkage, starting_points, without_centres
from sldagent.fitting.starts import start_matrix
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Found = tuple[FloatArray, FloatArray, FloatArray]
"""Local and shared parameters of starts, and their objectives."""

SCREEN_ROWS = 384
"""Rows used to screen starts."""
COARSE_ROWS = 600
"""Rows on which screened starts converge first where there are more than twice as many; the best go on from there."""


LONG_CALL = 2e9
"""Operations (rows x nodes x trial points x starts) beyond which starts run one by one, with a look at the clock between."""


class _Clock:
    """The cap in CPU seconds of one fit."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.thread_time() + seconds

    def over(self) -> bool:
        return time.thread_time() > self.end


class _Objective:
    """Rows, weights and loss of one stage, ready for the kernels."""

    def __init__(self, law: CompiledLaw, rows: Rows, recipe: Recipe, surrogate: bool, clock: _Clock | None = None) -> None:
        self.clock = clock
        Y, W = rows.Y, rows.weights(recipe.emphasis)
        self.loss = solver.SQUARED
        self.log = False
        self.delta = recipe.delta
        unit = np.ones_like(Y) if recipe.space == "raw" else 1.0 / np.maximum(np.abs(Y), 1e-300)
        if not surrogate:
            if recipe.space == "log":
                if (Y <= 0.0).any():
                    raise FitError("a loss on logarithms needs positive targets: use loss mse, relative or lad instead.")
                Y, unit = np.log(Y), np.ones_like(Y)
                self.log = True
            if recipe.loss != "squared":
                self.loss = solver.HUBER
        self.data = (law.tapes.matrix(rows), np.stack([Y, W, unit]))
        self.blocks = make_blocks(law, rows)
        ridge = np.zeros(law.local + law.shared)
        self.scale = float(np.mean((W * unit * (Y - Y.mean(axis=1, keepdims=True))) ** 2))
        for name, weight in recipe.ridge:
            scale = weight * self.scale
            for q, slot in enumerate(law.slots):
                if slot[0] == name:
                    ridge[q] = scale
        none = np.zeros_like(ridge)
        self.spec = np.stack([law.transform, law.lower, law.upper, ridge, law.linear, none, none]).astype(float)
        self.tape = law.tapes.kernel_arrays()

    def shrink(self, law: CompiledLaw, penalties: Shrinkage) -> None:
        """Add the means of shrunk parameters as shared ones that no row depends on, and the pull towards them."""
        shrunk, n = penalties.shrunk, self.spec.shape[1]
        centres = np.zeros((len(self.spec), len(shrunk)))
        centres[solver.LOWER], centres[solver.UPPER] = -np.inf, np.inf
        self.spec[solver.SHRINK] = penalties.weight
        self.spec[solver.CENTRE, shrunk] = n + np.arange(len(shrunk))
        self.spec = np.concatenate([self.spec, centres], axis=1)
        code, value, nodes = self.tape
        self.tape = code, value, np.column_stack([nodes, np.full((len(nodes), len(shrunk)), -1)])
        self.blocks = joined(law, self.blocks)

    def run(
        self, TL: FloatArray, TS: FloatArray, *, inner: bool, limit: int, tolerance: float, curvature: float = 1.0
    ) -> tuple[FloatArray, int]:
        """Minimise every problem from every start, in place; objectives (starts, problems) and evaluations."""
        cost = float(self.data[1].size) * self.tape[1].shape[1] * limit * len(TL)
        size = len(TL) if cost <= LONG_CALL else 1
        out, spent = np.full((len(TL), len(self.blocks.problems) - 1), np.inf), 0
        for k in range(0, len(TL), size):
            if self.clock is not None and self.clock.over():
                break
            part = slice(k, k + size)
            out[part], count, _ = self._call(TL[part], TS[part], self.blocks.problems, (inner, limit, tolerance), curvature)
            spent += int(count)
        return out, spent

    def bordered(self, point: Point) -> tuple[float, tuple[FloatArray, FloatArray]]:
        """Objective, normal matrices (blocks, p, p) and gradients (blocks, p) at a point."""
        shared = point.shared.shape[1]
        # without shared parameters the blocks are one sum
        problems = self.blocks.problems if shared else np.array([0, len(self.blocks.group)])
        TS = point.shared if shared else np.zeros((1, 0))
        values, _, normal = self._call(point.local[None].copy(), TS[None].copy(), problems, (False, 1, 0.0), 1.0)
        return float(values.sum()), normal

    def _call(
        self, TL: FloatArray, TS: FloatArray, problems: IntArray, how: tuple[bool, int, float], curvature: float
    ) -> tuple[FloatArray, int, tuple[FloatArray, FloatArray]]:
        """`solver.minimise_all` with its buffers: objectives, evaluations, and the last start's matrices and gradients."""
        p = TL.shape[2] + TS.shape[2]
        normal = np.zeros((TL.shape[1], p, p)), np.zeros((TL.shape[1], p))
        rule = (self.loss, self.log, float(self.delta), curvature)
        work = solver.workspace(self.tape[1].shape[1], p)
        where = (self.tape, self.data, self.blocks.arrays(), problems)
        values, count = solver.minimise_all(*where, TL, TS, self.spec, rule, *how, work, normal)
        return values, int(count), normal


def _select(
    blocks: Blocks, objective: FloatArray, TL: FloatArray, TS: FloatArray, keep: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The best `keep` starts of every problem on its own; ties and repeats of one optimum count once."""
    order = np.argsort(objective, axis=0, kind="stable")
    best = np.take_along_axis(objective, order, axis=0)
    ns, problems = objective.shape
    keep = min(keep, ns)
    L = np.empty((keep, *TL.shape[1:]))
    S = np.empty((keep, *TS.shape[1:]))
    O = np.empty((keep, problems))
    for i in range(problems):
        span = slice(blocks.problems[i], blocks.problems[i + 1])
        picked: list[int] = []
        for rank in range(ns):
            value = best[rank, i]
            if picked and np.isfinite(value) and value <= best[picked[-1], i] * (1 + 1e-7):
                continue
            picked.append(rank)
            if len(picked) == keep:
                break
        while len(picked) < keep:
            picked.append(picked[0])
        for j, rank in enumerate(picked):
            s = order[rank, i]
            L[j, span], S[j, i], O[j, i] = TL[s, span], TS[s, i], objective[s, i]
    return L, S, O


class _Stages:
    """The stages of one fit; counts their evaluations."""

    def __init__(
        self, law: CompiledLaw, rows: Rows, recipe: Recipe, effort: Effort, surrogate: _Objective, final: _Objective
    ) -> None:
        self.law, self.rows, self.recipe, self.effort = law, rows, recipe, effort
        self.surrogate, self.final = surrogate, final
        self.spent = 0

    def _thinned(self, rows: Rows, surrogate: bool) -> _Objective:
        return _Objective(self.law, rows, self.recipe, surrogate and self.surrogate is not self.final, self.final.clock)

    def _run(
        self,
        on: _Objective,
        TL: FloatArray,
        TS: FloatArray,
        inner: bool,
        limit: int,
        tolerance: float,
        curvature: float = 1.0,
    ) -> FloatArray:
        scores, used = on.run(TL, TS, inner=inner, limit=limit, tolerance=tolerance, curvature=curvature)
        self.spent += used
        return scores

    def screened(self, TL: FloatArray, TS: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The starts that a few trial points on a thinned table like best."""
        thin = self.rows.thin(SCREEN_ROWS)
        screen = self.surrogate if thin is self.rows else self._thinned(thin, True)
        scores = self._run(screen, TL, TS, True, 7, 1e-3)
        return _select(self.final.blocks, scores, TL, TS, self.effort.keep)[:2]

    def least_squares(self, TL: FloatArray, TS: FloatArray, bent: bool) -> Found:
        """Variable projection to convergence."""
        effort, blocks = self.effort, self.final.blocks
        if bent and self.rows.n > 2 * COARSE_ROWS:
            coarse = self._thinned(self.rows.thin(COARSE_ROWS), True)
            scores = self._run(coarse, TL, TS, True, effort.iterations, effort.tolerance)
            TL, TS, _ = _select(blocks, scores, TL, TS, min(effort.keep, 2))
        for limit, keep in effort.narrow:
            scores = self._run(self.surrogate, TL, TS, True, limit, 1e-5)
            TL, TS, scores = _select(blocks, scores, TL, TS, keep)
        if not effort.narrow or self.surrogate is self.final:
            scores = self._run(self.surrogate, TL, TS, True, effort.iterations, effort.tolerance)
        if bent and self.law.shared == 0 and len(blocks.group) >= 4:
            TL, TS, scores = self._share_optimum(TL, TS, scores)
        return TL, TS, scores

    def _share_optimum(self, TL: FloatArray, TS: FloatArray, scores: FloatArray) -> Found:
        """One more start for every block: the median of the blocks' optima, which rescues blocks stuck in a poor basin."""
        blocks, effort = self.final.blocks, self.effort
        best, shared, _ = _select(blocks, scores, TL, TS, 1)
        L = best.copy()
        for t in np.unique(blocks.target):
            mine = blocks.target == t
            L[0, mine] = np.nanmedian(best[0, mine], axis=0)
        S = shared.copy()
        more = self._run(self.surrogate, L, S, True, effort.iterations, effort.tolerance)
        return np.concatenate([TL, L]), np.concatenate([TS, S]), np.concatenate([scores, more])

    def own_loss(self, TL: FloatArray, TS: FloatArray) -> Found:
        """Levenberg-Marquardt on the recipe's own loss, which is not the surrogate."""
        blocks, effort = self.final.blocks, self.effort
        if self.rows.n > 2 * COARSE_ROWS:
            coarse = self._thinned(self.rows.thin(COARSE_ROWS), False)
            scores = self._robust(coarse, TL, TS)
            TL, TS, _ = _select(blocks, scores, TL, TS, min(effort.keep, 2))
        self.final.delta = _deltas(self.final, self.recipe)[0]
        for limit, keep in effort.narrow_robust:
            scores = self._run(self.final, TL, TS, False, limit, 1e-4, SHARE_BEYOND)
            TL, TS, _ = _select(blocks, scores, TL, TS, keep)
        return TL, TS, self._robust(self.final, TL, TS)

    def _robust(self, on: _Objective, TL: FloatArray, TS: FloatArray) -> FloatArray:
        """The rounds of `robust_rounds`, through narrower and narrower thresholds for absolute loss."""
        scores = np.empty(0)
        rounds = robust_rounds(self.effort.tolerance)
        for delta in _deltas(on, self.recipe):
            on.delta = delta
            for curvature, tolerance in rounds if on.loss == solver.HUBER else rounds[-1:]:
                scores = self._run(on, TL, TS, False, 2 * self.effort.iterations, tolerance, curvature)
        return scores


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
    clock = _Clock(effort.seconds)
    final = _Objective(law, rows, recipe, False, clock)
    blocks = final.blocks
    nb, problems = len(blocks.group), len(blocks.problems) - 1
    if reason := _unusable(final, rows):
        empty = Point(np.full((nb, law.local), np.nan), np.full((problems, law.shared), np.nan))
        return FitResult(law, empty, blocks, np.inf, 0, reason)
    plain = final.loss == solver.SQUARED and not final.log
    stage = final if plain else _Objective(law, rows, recipe, True, clock)
    bent = int((~law.linear).sum())
    count = 1 if bent == 0 else int(np.clip(effort.starts * (0.25 + 0.375 * bent), 2, 3 * effort.starts))
    stages = _Stages(law, rows, recipe, effort, stage, final)
    theta = start_matrix(law, rows, count, rng)
    TL = np.repeat(theta[:, None, : law.local], nb, axis=1)
    TS = np.repeat(theta[:, None, law.local :], problems, axis=1)
    if bent:
        TL, TS = stages.screened(TL, TS)
    if warm is not None:
        TL = np.concatenate([warm.local[None], TL])
        TS = np.concatenate([warm.shared[None], TS])
    direct = (TL.copy(), TS.copy())
    TL, TS, scores = stages.least_squares(TL, TS, bent > 0)
    if not plain:
        if not effort.narrow_robust:
            TL, TS = np.concatenate([TL, direct[0]]), np.concatenate([TS, direct[1]])
        TL, TS, scores = stages.own_loss(TL, TS)
    spent = stages.spent
    TL, TS, _ = _select(blocks, scores, TL, TS, 1)
    if effort.polish and (bent or not plain):
        final.delta = _last_delta(final, recipe)
        _, used = final.run(TL, TS, inner=False, limit=effort.polish, tolerance=1e-13)
        spent += used
    point = Point(TL[0], TS[0])
    total, (matrices, _) = final.bordered(point)
    if effort.polish and plain and np.isfinite(total) and not any(weight for _, weight in recipe.ridge):
        _, weight, unit = final.data[1]
        point = refine_affine(law, rows, blocks, point, matrices, weight * unit)
        total, _ = final.bordered(point)
    reason, failure = "non-finite", "" if np.isfinite(total) else "no start gave finite predictions on all rows."
    if clock.over():
        reason, failure = "time", f"stopped at the cap of {effort.seconds:g} s of CPU before the fit had converged."
    parameters = collect(law, rows.groups, blocks, point)
    return FitResult(law, point, blocks, _reported(recipe, total, final), spent, failure, parameters, reason)


def _shrunk(alone: FitResult, rows: Rows, recipe: Recipe, effort: Effort) -> FitResult:
    """The joint fit in which shrunk parameters are pulled to their means, from the fit without."""
    law = alone.law
    final = _Objective(law, rows, recipe, False, _Clock(effort.seconds))
    penalties = shrinkage(alone, recipe, final.scale)
    if not penalties.shrunk.size:
        return alone
    final.shrink(law, penalties)
    starts = starting_points(law, final.blocks, alone.point, penalties)
    TL, TS, spent = starts.local, starts.shared, 0
    rounds = [*(robust_rounds(effort.tolerance) if final.loss == solver.HUBER else ()), (1.0, 1e-13)]
    for curvature, tolerance in rounds:
        scores, used = final.run(TL, TS, inner=False, limit=4 * effort.iterations, tolerance=tolerance, curvature=curvature)
        spent += used
    TL, TS, _ = _select(final.blocks, scores, TL, TS, 1)
    total, _ = final.bordered(Point(TL[0], TS[0]))
    point = without_centres(law, alone.point, Point(TL[0], TS[0]))
    parameters = collect(law, rows.groups, alone.blocks, point)
    objective = _reported(recipe, total, final)
    return replace(
        alone,
        point=point,
        objective=objective,
        parameters=parameters,
        evaluations=alone.evaluations + spent,
        shrinkage=penalties.weight,
    )


def _unusable(objective: _Objective, rows: Rows) -> str:
    """Why these rows cannot be fitted at all, or ''."""
    if not np.isfinite(objective.data[0]).all():
        return "a part of the law without parameters is not finite on some row."
    bad = ~np.isfinite(objective.data[1]).all(axis=(0, 1))
    if bad.any():
        first = rows.order[bad].min()
        return f"the target or its weight is not a finite number on {int(bad.sum())} rows, first on row {first}."
    return ""


def normal_matrices(result: FitResult, rows: Rows, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Gauss-Newton matrices (blocks, p, p) of the recipe's loss at a fit, penalties included, and the penalties (p,).

    Shrinkage counts as a penalty with the groups' mean held fixed.
    """
    law = result.law
    objective = _Objective(law, rows, recipe, surrogate=False)
    objective.delta = _last_delta(objective, recipe)
    matrices, penalties = objective.bordered(result.point)[1][0], objective.spec[solver.RIDGE].copy()
    if result.shrinkage is not None:
        every = np.arange(len(penalties))
        matrices[:, every, every] += result.shrinkage
        penalties += result.shrinkage
    return matrices, penalties


def _deltas(objective: _Objective, recipe: Recipe) -> list[float]:
    """Thresholds of the Huber loss, in order: absolute loss is reached by shrinking it."""
    if recipe.loss != "absolute":
        return [recipe.delta]
    Y, _, unit = objective.data[1]
    scale = float(np.mean(unit * np.abs(Y - Y.mean(axis=1, keepdims=True)))) or 1.0
    return [scale * 10.0**-k for k in (1, 2, 3, 4, 5, 6, 7)]


def _last_delta(objective: _Objective, recipe: Recipe) -> float:
    return _deltas(objective, recipe)[-1]


def _reported(recipe: Recipe, total: float, final: _Objective) -> float:
    if recipe.loss == "squared":
        return 2.0 * total
    if recipe.loss == "absolute":
        return total / final.delta
    return total
