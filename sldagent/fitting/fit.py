"""Fit the parameters of a law to rows: screened starts, variable projection, then the recipe's own loss.

The strategy, cheapest first: variable projection on a least-squares surrogate from many starts on a thinned table, the best
few to convergence on all rows, and for robust or logarithmic losses Levenberg-Marquardt on the true objective from there
*and* from screened starts directly (the least-squares basin is not always the robust one).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting import solver
from sldagent.fitting.rows import Rows
from sldagent.fitting.starts import start_matrix
from sldagent.fitting.tape import CompiledLaw, Tapes
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SCREEN_ROWS = 384
"""Rows used to screen starts."""


@dataclass(frozen=True)
class Effort:
    """How hard a fit tries; counts, never seconds."""

    starts: int = 16
    """Random starts per non-affine parameter pair, before the cap."""
    keep: int = 3
    """Screened starts carried to convergence."""
    iterations: int = 90
    """Trial points per carried start."""
    tolerance: float = 1e-8
    """Relative gain of an accepted step below which a carried start has converged."""
    polish: int = 40
    """Trial points of the last, undivided Levenberg-Marquardt from the best start."""


@dataclass(frozen=True)
class Point:
    """Parameters in the engine's space: `local` (blocks, pl) and `shared` (problems, ps)."""

    local: FloatArray
    shared: FloatArray


@dataclass(frozen=True)
class Blocks:
    """How rows fall into blocks and problems (see `solver`)."""

    seg_target: IntArray
    seg_lo: IntArray
    seg_hi: IntArray
    block_seg: IntArray
    problems: IntArray
    group: IntArray
    """(blocks,) group of each block."""
    target: IntArray
    """(blocks,) target of each block, -1 where a block holds all targets."""

    def arrays(self) -> tuple[IntArray, ...]:
        return (self.seg_target, self.seg_lo, self.seg_hi, self.block_seg)


@dataclass(frozen=True)
class FitResult:
    """Fitted parameters, or the reason there are none."""

    law: CompiledLaw
    point: Point
    blocks: Blocks
    objective: float
    """Sum of the recipe's loss over rows and targets: r**2 (squared), Huber's function, or |r| (absolute)."""
    evaluations: int
    failure: str = ""
    """Empty, or one sentence."""
    parameters: dict[str, FloatArray] = field(default_factory=dict)
    """Values by name: axes (groups or 1, then the law's index axes); NaN for groups without rows."""
    reason: str = "non-finite"
    """Of a failure, as in `Evaluation`."""
    by: str = "engine"
    """Who found the parameters, as in `Evaluation`."""
    feedback: str = ""

    @property
    def ok(self) -> bool:
        return not self.failure


def make_blocks(law: CompiledLaw, rows: Rows) -> Blocks:
    """Blocks of the rows present; groups without rows get none."""
    present = [g for g in range(rows.groups) if rows.starts[g + 1] > rows.starts[g]]
    blocks = [(g, t) for t in (range(law.targets) if law.split else (-1,)) for g in present]
    seg: list[tuple[int, int, int]] = []
    bounds = [0]
    for g, t in blocks:
        for target in range(law.targets) if t < 0 else (t,):
            seg.append((target, int(rows.starts[g]), int(rows.starts[g + 1])))
        bounds.append(len(seg))
    if law.shared == 0:
        problems = np.arange(len(blocks) + 1)
    elif law.split:
        problems = np.arange(law.targets + 1) * len(present)
    else:
        problems = np.array([0, len(blocks)])
    columns = np.array(seg, np.int64).reshape(-1, 3)
    return Blocks(
        np.ascontiguousarray(columns[:, 0]),
        np.ascontiguousarray(columns[:, 1]),
        np.ascontiguousarray(columns[:, 2]),
        np.array(bounds, np.int64),
        problems.astype(np.int64),
        np.array([b[0] for b in blocks], np.int64),
        np.array([b[1] for b in blocks], np.int64),
    )


class _Objective:
    """Rows, weights and loss of one stage, ready for the kernels."""

    def __init__(self, law: CompiledLaw, rows: Rows, recipe: Recipe, surrogate: bool) -> None:
        Y, W = rows.Y, rows.weights(recipe.emphasis)
        self.loss = solver.SQUARED
        self.log = False
        self.delta = recipe.delta
        unit = np.ones_like(Y) if recipe.space == "raw" else 1.0 / np.maximum(np.abs(Y), 1e-300)
        if not surrogate:
            if recipe.space == "log":
                if not (Y > 0.0).all():
                    raise FitError("a loss on logarithms needs positive targets: use loss mse, relative or lad instead.")
                Y, unit = np.log(Y), np.ones_like(Y)
                self.log = True
            if recipe.loss != "squared":
                self.loss = solver.HUBER
        self.data = (law.tapes.matrix(rows), np.ascontiguousarray(Y), np.ascontiguousarray(W), unit)
        self.blocks = make_blocks(law, rows)
        ridge = np.zeros(law.local + law.shared)
        for name, weight in recipe.ridge:
            scale = weight * float(np.mean((W * unit * (Y - Y.mean(axis=1, keepdims=True))) ** 2))
            for q, slot in enumerate(law.slots):
                if slot[0] == name:
                    ridge[q] = scale
        self.spec = (law.transform, law.lower, law.upper, ridge, law.linear)
        self.tape = law.tapes.kernel_arrays()

    def run(
        self, TL: FloatArray, TS: FloatArray, *, inner: bool, limit: int, tolerance: float, delta: float | None = None
    ) -> tuple[FloatArray, int]:
        """Minimise every problem from every start, in place; objectives (starts, problems) and evaluations."""
        out, count = solver.minimise_all(
            self.tape,
            self.data,
            self.blocks.arrays(),
            self.blocks.problems,
            TL,
            TS,
            self.spec,
            self.loss,
            self.delta if delta is None else delta,
            self.log,
            inner,
            limit,
            tolerance,
        )
        return out, int(count)

    def bordered(self, point: Point) -> tuple[float, FloatArray]:
        """Objective and normal matrices (blocks, p, p) at a point."""
        nb = len(self.blocks.group)
        p = point.local.shape[1] + point.shared.shape[1]
        H, g = np.zeros((nb, p, p)), np.zeros((nb, p))
        total = 0.0
        for i, (b0, b1) in enumerate(zip(self.blocks.problems[:-1], self.blocks.problems[1:], strict=True)):
            total += solver.evaluate(
                self.tape,
                self.data,
                self.blocks.arrays(),
                b0,
                b1,
                point.local,
                point.shared[i],
                self.spec,
                self.loss,
                self.delta,
                self.log,
                H,
                g,
            )
        return total, H


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
    final = _Objective(law, rows, recipe, surrogate=False)
    blocks = final.blocks
    nb, problems = len(blocks.group), len(blocks.problems) - 1
    if not np.isfinite(final.data[0]).all():
        empty = Point(np.full((nb, law.local), np.nan), np.full((problems, law.shared), np.nan))
        return FitResult(law, empty, blocks, np.inf, 0, "a part of the law without parameters is not finite on some row.")
    plain = final.loss == solver.SQUARED and not final.log
    stage = final if plain else _Objective(law, rows, recipe, surrogate=True)
    bent = int((~law.linear).sum())
    count = 1 if bent == 0 else int(np.clip(effort.starts * (0.25 + 0.375 * bent), 2, 3 * effort.starts))
    theta = start_matrix(law, rows, count, rng)
    TL = np.repeat(theta[:, None, : law.local], nb, axis=1)
    TS = np.repeat(theta[:, None, law.local :], problems, axis=1)
    spent = 0
    if bent:
        thin = rows.thin(SCREEN_ROWS)
        screen = stage if thin is rows else _Objective(law, thin, recipe, surrogate=not plain)
        scores, used = screen.run(TL, TS, inner=True, limit=7, tolerance=1e-3)
        spent += used
        TL, TS, _ = _select(blocks, scores, TL, TS, effort.keep)
    if warm is not None:
        TL = np.concatenate([warm.local[None], TL])
        TS = np.concatenate([warm.shared[None], TS])
    direct = (TL.copy(), TS.copy())
    scores, used = stage.run(TL, TS, inner=True, limit=effort.iterations, tolerance=effort.tolerance)
    spent += used
    if bent and law.shared == 0 and nb >= 4:
        TL, TS, scores, used = _share_optimum(stage, blocks, TL, TS, scores, effort)
        spent += used
    if not plain:
        TL, TS = np.concatenate([TL, direct[0]]), np.concatenate([TS, direct[1]])
        scores, used = _robust(final, TL, TS, recipe, effort)
        spent += used
    TL, TS, _ = _select(blocks, scores, TL, TS, 1)
    if effort.polish and (bent or not plain):
        _, used = final.run(TL, TS, inner=False, limit=effort.polish, tolerance=1e-13, delta=_last_delta(final, recipe))
        spent += used
    point = Point(TL[0], TS[0])
    total, _ = final.bordered(point)
    failure = "" if np.isfinite(total) else "no start gave finite predictions on all rows."
    return FitResult(
        law, point, blocks, _reported(recipe, total, final), spent, failure, collect(law, rows.groups, blocks, point)
    )


def _share_optimum(
    stage: _Objective, blocks: Blocks, TL: FloatArray, TS: FloatArray, scores: FloatArray, effort: Effort
) -> tuple[FloatArray, FloatArray, FloatArray, int]:
    """One more start for every block: the median of the blocks' optima, which rescues blocks stuck in a poor basin."""
    best, shared, _ = _select(blocks, scores, TL, TS, 1)
    L = best.copy()
    for t in np.unique(blocks.target):
        mine = blocks.target == t
        L[0, mine] = np.nanmedian(best[0, mine], axis=0)
    S = shared.copy()
    more, used = stage.run(L, S, inner=True, limit=effort.iterations, tolerance=effort.tolerance)
    return np.concatenate([TL, L]), np.concatenate([TS, S]), np.concatenate([scores, more]), used


def normal_matrices(law: CompiledLaw, rows: Rows, recipe: Recipe, point: Point) -> tuple[FloatArray, FloatArray]:
    """Gauss-Newton matrices (blocks, p, p) of the recipe's loss at a point, penalties included, and the penalties (p,)."""
    objective = _Objective(law, rows, recipe, surrogate=False)
    objective.delta = _last_delta(objective, recipe)
    return objective.bordered(point)[1], objective.spec[3]


def _deltas(objective: _Objective, recipe: Recipe) -> list[float]:
    """Thresholds of the Huber loss, in order: absolute loss is reached by shrinking it."""
    if recipe.loss != "absolute":
        return [recipe.delta]
    _, Y, _, unit = objective.data
    scale = float(np.mean(unit * np.abs(Y - Y.mean(axis=1, keepdims=True)))) or 1.0
    return [scale * 10.0**-k for k in (1, 2, 3, 4, 5, 6, 7)]


def _last_delta(objective: _Objective, recipe: Recipe) -> float:
    return _deltas(objective, recipe)[-1]


def _robust(final: _Objective, TL: FloatArray, TS: FloatArray, recipe: Recipe, effort: Effort) -> tuple[FloatArray, int]:
    spent = 0
    scores = np.empty(0)
    for delta in _deltas(final, recipe):
        final.delta = delta
        scores, used = final.run(TL, TS, inner=False, limit=3 * effort.iterations, tolerance=1e-12)
        spent += used
    return scores, spent


def _reported(recipe: Recipe, total: float, final: _Objective) -> float:
    if recipe.loss == "squared":
        return 2.0 * total
    if recipe.loss == "absolute":
        return total / final.delta
    return total


def collect(law: CompiledLaw, groups: int, blocks: Blocks, point: Point) -> dict[str, FloatArray]:
    """Parameters by name as arrays with axes (groups or 1, index axes...)."""
    out: dict[str, FloatArray] = {}
    shapes: dict[str, list[int]] = {}
    for g in law.graphs:
        for name, element in g.slots:
            shape = shapes.setdefault(name, [0] * len(element))
            for a, e in enumerate(element):
                shape[a] = max(shape[a], e + 1)
    problem_of = np.searchsorted(blocks.problems, np.arange(len(blocks.group)), side="right") - 1
    for name, shape in shapes.items():
        shared = law.law.parameter(name).scope == "shared"
        out[name] = np.full((1 if shared else groups, *shape), np.nan)
    for b, (group, target) in enumerate(zip(blocks.group, blocks.target, strict=True)):
        for q, (name, element) in enumerate(law.slots):
            theta = point.local[b, q] if q < law.local else point.shared[problem_of[b], q - law.local]
            value = np.exp(theta) if law.transform[q] else theta
            if target > 0:
                element = _with_target(law, name, element, int(target))
            out[name][(0 if q >= law.local else group, *element)] = value
    return out


def _with_target(law: CompiledLaw, name: str, element: tuple[int, ...], target: int) -> tuple[int, ...]:
    axis = law.target_axis[name]
    return (*element[:axis], target, *element[axis + 1 :])


def predict_point(law: CompiledLaw, tapes: Tapes, rows: Rows, blocks: Blocks, point: Point) -> FloatArray:
    """Predictions (targets, rows) of a fitted point; NaN for rows of groups that have no block."""
    from sldagent.fitting.kernels import predict_rows

    F = tapes.matrix(rows)
    out = np.full(rows.Y.shape, np.nan)
    arrays = tapes.kernel_arrays()
    ops, left, right, value, _, lengths, _ = arrays
    problem_of = np.searchsorted(blocks.problems, np.arange(len(blocks.group)), side="right") - 1
    for b, (group, target) in enumerate(zip(blocks.group, blocks.target, strict=True)):
        lo, hi = rows.starts[group], rows.starts[group + 1]
        if lo == hi:
            continue
        theta = np.concatenate([point.local[b], point.shared[problem_of[b]]])
        phys = np.where(law.transform == 1, np.exp(np.minimum(theta, 300.0)), theta)
        for t in range(law.targets) if target < 0 else (target,):
            predict_rows(ops[t], left[t], right[t], value[t], lengths[t], F, lo, hi, phys, out[t])
    return out
