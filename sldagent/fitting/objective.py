"""What one stage of a fit minimises: rows, weights, loss and penalties, ready for the kernels."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting import equations, solver
from sldagent.fitting.result import Point, make_blocks
from sldagent.fitting.ridge import ridge_weights, target_variance
from sldagent.fitting.rows import Rows
from sldagent.fitting.shrink import Shrinkage, joined
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LONG_CALL = 2e9
"""Operations (rows x nodes x trial points x starts) beyond which starts run one by one, with a look at the clock between."""


class Clock:
    """The cap in CPU seconds of one fit."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.thread_time() + seconds

    def over(self) -> bool:
        return time.thread_time() > self.end


class Objective:
    """Rows, weights and loss of one stage, ready for the kernels."""

    def __init__(self, law: CompiledLaw, rows: Rows, recipe: Recipe, surrogate: bool, clock: Clock | None = None) -> None:
        self.clock = clock
        Y, W = rows.Y, rows.weights(recipe.emphasis)
        self.loss = equations.SQUARED
        self.log = False
        self.delta = recipe.delta
        unit = np.ones_like(Y) if recipe.space == "raw" else 1.0 / np.maximum(np.abs(Y), 1e-300)
        self.square = (W * unit) ** 2
        if not surrogate:
            if recipe.space == "log":
                if (Y <= 0.0).any():
                    raise FitError("a loss on logarithms needs positive targets: use loss mse, relative or lad instead.")
                Y, unit = np.log(Y), np.ones_like(Y)
                self.log = True
            if recipe.loss != "squared":
                self.loss = equations.HUBER
        self.data = (law.tapes.matrix(rows), np.stack([Y, W, unit]))
        self.blocks = make_blocks(law, rows)
        none = np.zeros(law.local + law.shared)
        self.spec = np.stack([law.transform, law.lower, law.upper, none, law.linear, none, none]).astype(float)
        self.tape = law.tapes.kernel_arrays()
        self.typical = 1.0 if recipe.loss == "absolute" and not surrogate else 0.0
        self.standardise(law, rows, recipe, np.ones_like(rows.count))

    def standardise(self, law: CompiledLaw, rows: Rows, recipe: Recipe, factors: FloatArray) -> None:
        """Spread of the targets and weights of the penalties where rows count `factors` (targets, rows) times."""
        Y, W, unit = self.data[1]
        count, square = rows.count * factors, self.square * factors
        self.scale = float(target_variance(Y, ((W * unit) ** 2)[None], count[None])[0])
        if recipe.ridge:
            given = square[None], count[None], np.array([self.scale])
            self.spec[equations.RIDGE, : len(law.slots)] = ridge_weights(law, rows, recipe, *given)[0]
        if self.typical:
            self.typical = deviation(Y, unit, count)

    def shrink(self, law: CompiledLaw, penalties: Shrinkage) -> None:
        """Add the means of shrunk parameters as shared ones that no row depends on, and the pull towards them."""
        shrunk, n = penalties.shrunk, self.spec.shape[1]
        centres = np.zeros((len(self.spec), len(shrunk)))
        centres[equations.LOWER], centres[equations.UPPER] = -np.inf, np.inf
        self.spec[equations.SHRINK] = penalties.weight
        self.spec[equations.CENTRE, shrunk] = n + np.arange(len(shrunk))
        self.spec = np.concatenate([self.spec, centres], axis=1)
        code, value, nodes = self.tape
        self.tape = code, value, np.column_stack([nodes, np.full((len(nodes), len(shrunk)), -1)])
        self.blocks = joined(law, self.blocks)

    @property
    def share(self) -> float:
        """Factor of penalties: absolute loss is minimised as delta * |r|, so they shrink with delta."""
        return self.delta / self.typical if self.typical else 1.0

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

    def run_exact(self, TL: FloatArray, *, limit: int, tolerance: float) -> tuple[FloatArray, int]:
        """As `run`, for Huber's loss without shared parameters, by exactly solved linear models (`robust`)."""
        from sldagent.fitting.robust import minimise_blocks  # compiled where it is first asked for

        out, spent = np.full(TL.shape[:2], np.inf), 0
        work = equations.workspace(self.tape[1].shape[1], TL.shape[2])
        size = len(TL) if float(self.data[1].size) * self.tape[1].shape[1] * limit * len(TL) <= LONG_CALL else 1
        for k in range(0, len(TL), size):
            if self.clock is not None and self.clock.over():
                break
            where = (self.tape, self.data, self.blocks.arrays(), TL[k : k + size], self._spec())
            out[k : k + size], count = minimise_blocks(*where, (self.log, float(self.delta)), limit, tolerance, work)
            spent += int(count)
        return out, spent

    def residuals(self, predicted: FloatArray) -> FloatArray:
        """(targets, rows) unweighted residuals of predictions."""
        Y, _, unit = self.data[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((np.log(predicted) if self.log else predicted) * unit - Y * unit)

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
        work = equations.workspace(self.tape[1].shape[1], p)
        where = (self.tape, self.data, self.blocks.arrays(), problems)
        values, count = solver.minimise_all(*where, TL, TS, self._spec(), rule, *how, work, normal)
        return values, int(count), normal

    def _spec(self) -> FloatArray:
        """`spec` with the penalties of the present threshold."""
        spec = self.spec.copy()
        spec[[equations.RIDGE, equations.SHRINK]] *= self.share
        return spec


def deltas(objective: Objective, recipe: Recipe) -> list[float]:
    """Thresholds of the Huber loss, in order: absolute loss is reached by shrinking it."""
    if recipe.loss != "absolute":
        return [recipe.delta]
    return [objective.typical * 10.0**-k for k in (1, 2, 3, 4, 5, 6, 7)]


def deviation(Y: FloatArray, unit: FloatArray, count: FloatArray) -> float:
    """Mean absolute residual of the targets' means; 1 where there is none.

    Args:
        Y, unit, count: (targets, rows) targets, units of their residuals, and how often every row counts.
    """
    n = count.sum(axis=1, keepdims=True)
    centre = Y - (count * Y).sum(axis=1, keepdims=True) / np.where(n > 0.0, n, 1.0)
    return float((count * unit * np.abs(centre)).sum() / max(n.sum(), 1e-300)) or 1.0


def last_delta(objective: Objective, recipe: Recipe) -> float:
    return deltas(objective, recipe)[-1]


def reported_objective(recipe: Recipe, total: float, final: Objective) -> float:
    if recipe.loss == "squared":
        return 2.0 * total
    if recipe.loss == "absolute":
        return total / final.delta
    return total
