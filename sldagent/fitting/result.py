"""What a fit hands on: its effort, the point it found, how rows fall into blocks, and predictions of a point."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, Tapes

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Effort:
    """How hard a fit tries: counts, and a cap in seconds whose reaching is a failure."""

    starts: int = 16
    """Random starts per non-affine parameter pair, before the cap; 0: a job's warm start alone (the accelerator, whose
    starts run beside each other, adds the fewest it can)."""
    keep: int = 3
    """Screened starts carried to convergence."""
    iterations: int = 90
    """Trial points per carried start."""
    tolerance: float = 1e-8
    """Relative gain of an accepted step below which a carried start has converged."""
    polish: int = 40
    """Trial points of the last, undivided Levenberg-Marquardt from the best start."""
    thorough: bool = False
    """Narrow many more starts in rounds (`stages.Stages.thorough`), which finds the best optimum of hard formulas several
    times as often; `starts` and `keep` are then not used.  By the CPU engine: JAX carries all that it keeps."""
    seconds: float = 300.0
    """CPU seconds after which no further start is tried and the fit counts as failed.  By JAX: seconds by the clock, and
    the fits of a batch, which run beside each other, share the sum of theirs."""


SHARE_BEYOND = 0.15
"""Root of the share of the reweighted curvature beyond the Huber threshold that the fast rounds take."""


def robust_rounds(tolerance: float) -> list[tuple[float, float]]:
    """(share of the curvature, tolerance) of the rounds that minimise a robust loss: reweighted least squares until it
    slows down, then nearly Newton's method, then the former again, which is safe where the latter stalls; about a third of
    the evaluations of the first alone."""
    return [(1.0, 1e-3), (SHARE_BEYOND, tolerance), (1.0, tolerance)]


@dataclass(frozen=True)
class Point:
    """Parameters in the engine's space: `local` (blocks, pl) and `shared` (problems, ps)."""

    local: FloatArray
    shared: FloatArray


@dataclass(frozen=True)
class Blocks:
    """How rows fall into blocks and problems (see `solver`)."""

    segments: IntArray
    """(segments, 3): target, first row and the row after the last."""
    block_seg: IntArray
    """(blocks + 1,): where each block's segments begin."""
    problems: IntArray
    group: IntArray
    """(blocks,) group of each block."""
    target: IntArray
    """(blocks,) target of each block, -1 where a block holds all targets."""

    def arrays(self) -> tuple[IntArray, ...]:
        return (self.segments, self.block_seg)


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
    shrinkage: FloatArray | None = None
    """(local + shared,) weights of squared deviations from the groups' mean in the engine's space; None without."""

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
    return Blocks(
        np.array(seg, np.int64).reshape(-1, 3),
        np.array(bounds, np.int64),
        problems.astype(np.int64),
        np.array([b[0] for b in blocks], np.int64),
        np.array([b[1] for b in blocks], np.int64),
    )


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
    from sldagent.fitting.kernels import predict_blocks

    out = np.full(rows.Y.shape, np.nan)
    problem_of = np.searchsorted(blocks.problems, np.arange(len(blocks.group)), side="right") - 1
    theta = np.concatenate([point.local, point.shared[problem_of]], axis=1)
    values = np.where(law.transform == 1, np.exp(np.minimum(theta, 300.0)), theta)
    every = range(law.targets)
    seg = [(b, t) for b, own in enumerate(blocks.target) for t in (every if own < 0 else (int(own),))]
    block, target = np.array(seg, np.int64).reshape(-1, 2).T
    lo, hi = rows.starts[blocks.group[block]], rows.starts[blocks.group[block] + 1]
    bounds = np.searchsorted(block, np.arange(len(blocks.group) + 1))
    segments = np.column_stack([target, lo, hi])
    predict_blocks(tapes.kernel_arrays(), tapes.matrix(rows), (segments, bounds), values, out)
    return out
