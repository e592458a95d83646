"""The stages of one fit: how starts are narrowed to the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting import equations
from sldagent.fitting.objective import Objective, deltas
from sldagent.fitting.result import SHARE_BEYOND, Blocks, Effort, Point, robust_rounds
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
MOST_STARTS = 128
CONCENTRATED = 4.0
"""Power to which half of a thorough fit's exponents are drawn (`start_matrix`)."""
NEAR = 0.01
"""Share of a parameter's interval (or of 1, where it has none) within which starts count as one."""
ROBUST_ROUNDS = ((20, SHARE_BEYOND, 1e-4, 8), (40, SHARE_BEYOND, 1e-4, 4), (60, 1.0, 1e-3, 2), (150, SHARE_BEYOND, 1e-6, 1))
"""Trial points, share of the curvature, tolerance and starts that go on, of a thorough fit's rounds on a robust loss."""


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
    picked = [0]
    for rank in range(1, len(value)):
        if len(picked) == keep or not np.isfinite(value[rank]):
            break
        if (np.abs(where[picked] - where[rank]).max(axis=1, initial=0.0) >= 1.0).all():
            picked.append(rank)
    return picked


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

        Least squares on few rows, then on all; a loss that is not squared is also tried from starts that least squares has
        not yet drawn into its own basins.  Half of the starts have their exponents near 0, where the optima of sums whose
        terms nearly cancel lie.
        """
        bent = int((~self.law.linear).sum())
        count = min(40 + 14 * bent, MOST_STARTS)
        half = [self._starts(n, rng, power) for n, power in ((count // 2, 1.0), (count - count // 2, CONCENTRATED))]
        TL, TS = (np.concatenate(parts) for parts in zip(*half, strict=True))
        thin = self.rows.thin(max(SEARCH_ROWS, 10 * len(self.law.slots)))
        coarse = self.surrogate if thin is self.rows else self._thinned(thin, True)
        scores = self._run(coarse, TL, TS, True, 16, 1e-5)
        early = self._distinct(scores, TL, TS, 24)
        TL, TS, _ = self._distinct(scores, TL, TS, 48)
        scores = self._run(coarse, TL, TS, True, 40, 1e-5)
        TL, TS, _ = self._distinct(scores, TL, TS, 14)
        TL, TS = _beside(warm, TL, TS)
        if self.surrogate is self.final:
            return self.least_squares(TL, TS, True)
        scores = self._run(self.surrogate, TL, TS, True, 40, 1e-5)
        TL, TS, _ = self._distinct(scores, TL, TS, 6)
        return self._narrow_robust(early, _beside(warm, TL, TS))

    def _narrow_robust(self, early: Found, late: tuple[FloatArray, FloatArray]) -> Found:
        """The recipe's own loss, from early starts where it is smooth (a wide threshold) and then with late ones."""
        thin = self.rows.thin(COARSE_ROWS) if self.rows.n > 2 * COARSE_ROWS else self.rows
        on = self.final if thin is self.rows else self._thinned(thin, False)
        steps = deltas(on, self.recipe)
        last = steps[min(2, len(steps) - 1)]
        TL, TS = early[:2]
        on.delta = 5.0 * last
        scores = self._run(on, TL, TS, True, 20, 1e-4, 0.4)
        TL, TS, _ = self._distinct(scores, TL, TS, 12)
        TL, TS = np.concatenate([late[0], TL]), np.concatenate([late[1], TS])
        on.delta = last
        for limit, curvature, tolerance, keep in ROBUST_ROUNDS:
            scores = self._run(on, TL, TS, True, limit, tolerance, curvature)
            TL, TS, _ = self._distinct(scores, TL, TS, keep)
        for delta in deltas(self.final, self.recipe):
            self.final.delta = delta
            for curvature in (SHARE_BEYOND, 1.0):
                scores = self._run(self.final, TL, TS, True, 500, 1e-11, curvature)
        return TL, TS, scores

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
