"""The stages of one fit: how starts are narrowed to the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting import equations
from sldagent.fitting.objective import Objective, deltas
from sldagent.fitting.result import SHARE_BEYOND, Blocks, Effort, Point, predict_point, robust_rounds
from sldagent.fitting.rows import Rows
from sldagent.fitting.starts import start_matrix
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
Found = tuple[FloatArray, FloatArray, FloatArray]
"""Local and shared parameters of starts, and their objectives."""

SCREEN_ROWS = 384
"""Rows used to screen starts."""
COARSE_ROWS = 600
"""Rows on which screened starts converge first where there are more than twice as many; the best go on from there."""
SEARCH_ROWS = 96
"""Rows (or ten per parameter) on which a thorough fit searches: one block of the kernels, whose overhead is then a third."""
CONCENTRATED = 4.0
"""Power to which half of a thorough fit's exponents are drawn (`start_matrix`)."""
NEAR = 0.01
"""Share of a parameter's interval (or of 1, where it has none) within which starts count as one."""
FIRST_STARTS, MORE_STARTS = 48, 52
"""Most random starts of a thorough fit's first search, and those of its second."""
FIRST_ROUNDS = ((20, 1e-4, 5), (60, 1e-5, 3))
"""Trial points, tolerance and starts that go on, of a thorough fit's rounds on a robust loss after the first search."""
ROUNDS = ((20, 1e-4, 9), (60, 1e-5, 3), (150, 1e-7, 1))
"""The same after the second."""
LAST_ROUND = (600, 1e-11)
EXACT_SIZE = 4_000_000
"""Rows x parameters up to which linear models of a robust loss are solved exactly: they are held in memory."""


def select(
    blocks: Blocks, objective: FloatArray, TL: FloatArray, TS: FloatArray, keep: int, apart: FloatArray | None = None
) -> Found:
    """The best `keep` starts of every problem on its own; ties and repeats of one optimum count once.

    Args:
        apart: (local + shared,) distances in the engine's space; a start that is within them of a better one in every
            parameter counts as its repeat.  None: equal objectives are repeats.
    """
    order = np.argsort(objective, axis=0, kind="stable")
    ns, problems = objective.shape
    picks: list[NDArray[np.int64]] = []
    for i in range(problems):
        ranked = order[:, i]
        value = objective[ranked, i]
        if apart is None:
            picked = _unequal(value, keep)
        else:
            pl = TL.shape[2]
            own = (TL[ranked, blocks.problems[i] : blocks.problems[i + 1]] / apart[:pl]).reshape(ns, -1)
            picked = _apart(np.concatenate([own, TS[ranked, i] / apart[pl:]], axis=1), value, keep)
        picks.append(ranked[picked])
    keep = max(map(len, picks))
    chosen = np.stack([np.concatenate([p, np.repeat(p[:1], keep - len(p))]) for p in picks], axis=1)
    of_block, across = np.repeat(chosen, np.diff(blocks.problems), axis=1), np.arange(problems)
    return TL[of_block, np.arange(of_block.shape[1])], TS[chosen, across], objective[chosen, across]


def _unequal(value: FloatArray, keep: int) -> list[int]:
    """Ranks of the first `keep` starts whose objectives, in ascending order, differ."""
    picked: list[int] = []
    for rank, v in enumerate(value):
        if picked and np.isfinite(v) and v <= value[picked[-1]] * (1 + 1e-7):
            continue
        picked.append(rank)
        if len(picked) == keep:
            break
    return picked


def _apart(where: FloatArray, value: FloatArray, keep: int) -> list[int]:
    """Ranks of the first `keep` starts (`where` in units of the distance) none of which is near an earlier one."""
    where = where[np.isfinite(value)]
    free = np.ones(len(where), np.bool_)
    picked: list[int] = []
    while len(picked) < keep and free.any():
        picked.append(int(free.argmax()))
        free &= (np.abs(where - where[picked[-1]]) >= 1.0).any(axis=1)
        free[picked[-1]] = False
    return picked or [0]


class Stages:
    """The stages of one fit; counts their evaluations."""

    def __init__(
        self, law: CompiledLaw, rows: Rows, recipe: Recipe, effort: Effort, surrogate: Objective, final: Objective
    ) -> None:
        self.law, self.rows, self.recipe, self.effort = law, rows, recipe, effort
        self.surrogate, self.final = surrogate, final
        self.spent = 0

    def _thinned(self, rows: Rows, surrogate: bool) -> Objective:
        return Objective(self.law, rows, self.recipe, surrogate and self.surrogate is not self.final, self.final.clock)

    def _run(
        self,
        on: Objective,
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

    def _starts(self, count: int, rng: np.random.Generator, power: float = 1.0) -> tuple[FloatArray, FloatArray]:
        """Random starts, the same for every block."""
        blocks, local = self.final.blocks, self.law.local
        theta = start_matrix(self.law, self.rows, count, rng, power)
        TL = np.repeat(theta[:, None, :local], len(blocks.group), axis=1)
        return TL, np.repeat(theta[:, None, local:], len(blocks.problems) - 1, axis=1)

    def ordinary(self, rng: np.random.Generator, warm: Point | None) -> Found:
        """The few best of screened starts carried to convergence."""
        bent, starts = int((~self.law.linear).sum()), self.effort.starts
        count = 1 if bent == 0 else int(np.clip(starts * (0.25 + 0.375 * bent), 2, 3 * starts))
        TL, TS = self._starts(count, rng)
        if bent:
            TL, TS = self.screened(TL, TS)
        TL, TS = _beside(warm, TL, TS)
        found = self.least_squares(TL, TS, bent > 0)
        if self.surrogate is self.final:
            return found
        return self.own_loss(np.concatenate([found[0], TL]), np.concatenate([found[1], TS]))

    def screened(self, TL: FloatArray, TS: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The starts that a few trial points on a thinned table like best."""
        thin = self.rows.thin(SCREEN_ROWS)
        screen = self.surrogate if thin is self.rows else self._thinned(thin, True)
        scores = self._run(screen, TL, TS, True, 7, 1e-3)
        return select(self.final.blocks, scores, TL, TS, self.effort.keep)[:2]

    def least_squares(self, TL: FloatArray, TS: FloatArray, bent: bool) -> Found:
        """Variable projection to convergence."""
        effort, blocks = self.effort, self.final.blocks
        if bent and self.rows.n > 2 * COARSE_ROWS:
            coarse = self._thinned(self.rows.thin(COARSE_ROWS), True)
            scores = self._run(coarse, TL, TS, True, effort.iterations, effort.tolerance)
            TL, TS, _ = select(blocks, scores, TL, TS, min(effort.keep, 2))
        scores = self._run(self.surrogate, TL, TS, True, effort.iterations, effort.tolerance)
        if bent and self.law.shared == 0 and len(blocks.group) >= 4:
            TL, TS, scores = self._share_optimum(TL, TS, scores)
        return TL, TS, scores

    def _share_optimum(self, TL: FloatArray, TS: FloatArray, scores: FloatArray) -> Found:
        """One more start for every block: the median of the blocks' optima, which rescues blocks stuck in a poor basin."""
        blocks, effort = self.final.blocks, self.effort
        best, shared, _ = select(blocks, scores, TL, TS, 1)
        L = best.copy()
        for t in np.unique(blocks.target):
            mine = blocks.target == t
            L[0, mine] = np.nanmedian(best[0, mine], axis=0)
        S = shared.copy()
        more = self._run(self.surrogate, L, S, True, effort.iterations, effort.tolerance)
        return np.concatenate([TL, L]), np.concatenate([TS, S]), np.concatenate([scores, more])

    def own_loss(self, TL: FloatArray, TS: FloatArray) -> Found:
        """The recipe's own loss, which is not the surrogate, to convergence."""
        blocks, effort = self.final.blocks, self.effort
        if self.rows.n > 2 * COARSE_ROWS:
            coarse = self._thinned(self.rows.thin(COARSE_ROWS), False)
            scores = self._robust(coarse, TL, TS)
            TL, TS, _ = select(blocks, scores, TL, TS, min(effort.keep, 2))
        return TL, TS, self._robust(self.final, TL, TS)

    def _robust(self, on: Objective, TL: FloatArray, TS: FloatArray) -> FloatArray:
        """The rounds of `robust_rounds`, through narrower and narrower thresholds for absolute loss."""
        scores = np.empty(0)
        rounds = robust_rounds(self.effort.tolerance)
        for delta in deltas(on, self.recipe):
            on.delta = delta
            for curvature, tolerance in rounds if on.loss == equations.HUBER else rounds[-1:]:
                scores = self._run(on, TL, TS, True, 2 * self.effort.iterations, tolerance, curvature)
        return scores

    def thorough(self, rng: np.random.Generator, warm: Point | None) -> Found:
        """Many starts, narrowed in rounds, for formulas with many optima and long flat valleys.

        Two searches by least squares, which is cheap; for a robust loss the second gives each row the weight that the best
        fit so far gives it, so that other optima are found than those that outliers make for the first, and the loss is
        also minimised from starts that least squares has not yet drawn into its own basins.
        """
        bent = int((~self.law.linear).sum())
        thin = self.rows.thin(COARSE_ROWS) if self.rows.n > 2 * COARSE_ROWS else self.rows
        TL, TS = self._searched(self.rows, self._scattered(min(14 + 6 * bent, FIRST_STARTS), rng), 12, 7)
        TL, TS = _beside(warm, TL, TS)
        if self.surrogate is self.final:
            L, S = self._searched(self.rows, self._scattered(MORE_STARTS, rng), 12, 7)
            return self.least_squares(np.concatenate([TL, L]), np.concatenate([TS, S]), True)
        on = self.final if thin is self.rows else self._thinned(thin, False)
        steps = deltas(on, self.recipe)
        on.delta = steps[min(2, len(steps) - 1)]
        best = self._narrowed(on, TL, TS, FIRST_ROUNDS)
        rows = self.rows.weighted(self._row_weights(select(self.final.blocks, best[2], best[0], best[1], 1), on.delta))
        TL, TS = self._scattered(MORE_STARTS, rng)
        scores = self._run(self._thinned(self._few(rows), True), TL, TS, True, 16, 1e-5)
        TL, TS, scores = self._distinct(scores, TL, TS, 32)
        early = self._distinct(scores, TL, TS, 8)
        late = self._searched(rows, (TL, TS), 14, 8)
        TL, TS = (np.concatenate([best[k], late[k], early[k]]) for k in (0, 1))
        TL, TS, _ = self._narrowed(on, TL, TS, ROUNDS)
        scores = np.empty(0)
        for delta in deltas(self.final, self.recipe):
            self.final.delta = delta
            scores = self._own(self.final, TL, TS, *LAST_ROUND)
        return TL, TS, scores

    def _scattered(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Starts half of which have their exponents near 0, where the optima of sums whose terms nearly cancel lie."""
        half = [self._starts(n, rng, power) for n, power in ((count // 2, 1.0), (count - count // 2, CONCENTRATED))]
        return np.concatenate([half[0][0], half[1][0]]), np.concatenate([half[0][1], half[1][1]])

    def _few(self, rows: Rows) -> Rows:
        return rows.thin(max(SEARCH_ROWS, 10 * len(self.law.slots)))

    def _searched(
        self, rows: Rows, starts: tuple[FloatArray, FloatArray], middle: int, keep: int
    ) -> tuple[FloatArray, FloatArray]:
        """The best `keep` of starts by least squares on few of the rows, and of the best `middle` on more."""
        TL, TS = starts
        scores = self._run(self._thinned(self._few(rows), True), TL, TS, True, 48, 1e-5)
        TL, TS, _ = self._distinct(scores, TL, TS, middle)
        more = rows.thin(COARSE_ROWS)
        scores = self._run(self.surrogate if more is self.rows else self._thinned(more, True), TL, TS, True, 60, 1e-5)
        return self._distinct(scores, TL, TS, keep)[:2]

    def _row_weights(self, best: Found, delta: float) -> FloatArray:
        """(targets, rows) weights that reweighted least squares gives the squared residuals at a point."""
        if self.final.loss == equations.SQUARED:
            return np.ones_like(self.rows.Y)
        point = Point(best[0][0], best[1][0])
        residual = self.final.residuals(predict_point(self.law, self.law.tapes, self.rows, self.final.blocks, point))
        return np.asarray(delta / np.maximum(np.nan_to_num(np.abs(residual)), delta))

    def _narrowed(
        self, on: Objective, TL: FloatArray, TS: FloatArray, rounds: tuple[tuple[int, float, int], ...]
    ) -> Found:
        """The recipe's own loss, in rounds from which fewer and fewer starts go on."""
        scores = np.empty(0)
        for limit, tolerance, keep in rounds:
            scores = self._own(on, TL, TS, limit, tolerance)
            TL, TS, scores = self._distinct(scores, TL, TS, keep)
        return TL, TS, scores

    def _own(self, on: Objective, TL: FloatArray, TS: FloatArray, limit: int, tolerance: float) -> FloatArray:
        """The recipe's own loss, in place: by exact linear models where it is robust and nothing is shared.

        Not with penalties on logarithmic residuals: they pull affine parameters, which exact models do not damp, to where
        the logarithm is undefined.
        """
        small = on.data[1][0].size * TL.shape[2] <= EXACT_SIZE
        if on.loss == equations.HUBER and not self.law.shared and small and not (on.log and self.recipe.ridge):
            scores, used = on.run_exact(TL, limit=limit, tolerance=tolerance)
            self.spent += used
            return scores
        scores = np.empty(0)
        for curvature in (SHARE_BEYOND, 1.0) if on.loss == equations.HUBER else (1.0,):
            scores = self._run(on, TL, TS, True, limit, tolerance, curvature)
        return scores

    def _distinct(self, scores: FloatArray, TL: FloatArray, TS: FloatArray, keep: int) -> Found:
        """The best starts that differ in some parameter that is not affine."""
        law = self.law
        width = law.upper - law.lower
        apart = NEAR * np.where(np.isfinite(width) & (law.transform == 0), width, 1.0)
        return select(self.final.blocks, scores, TL, TS, keep, np.where(law.linear, np.inf, apart))


def _beside(warm: Point | None, TL: FloatArray, TS: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Starts after a warm one, where there is one."""
    if warm is None:
        return TL, TS
    return np.concatenate([warm.local[None], TL]), np.concatenate([warm.shared[None], TS])
