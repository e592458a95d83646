"""Anchored forecasts: the context is fixed, every later checkpoint is predicted from it (arXiv 2601.19831), on three splits.

MAE is the mean over future checkpoints of a trajectory, then over trajectories, in points of accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sldagent.predictors.trajectories.data import Trajectory, context_length
from sldagent.predictors.trajectories.sources import Source

FloatArray = NDArray[np.float64]
RATIO = 0.2
SPLITS = ("random", "largest", "tasks")
HELD_MODELS, HELD_TASKS = 0.27, 1 / 3
"""Shares held out: 6 of 22 Gemstones models, 3 of 9 tasks."""


@dataclass(frozen=True)
class Split:
    """Training and test trajectories, as positions in the source."""

    kind: str
    seed: int
    train: tuple[int, ...]
    test: tuple[int, ...]
    held: tuple[str, ...]
    """Names of the models or tasks held out."""


@dataclass(frozen=True)
class Scores:
    """How good forecasts of test trajectories are."""

    mae: float
    """Points."""
    coverage: float
    """Share of future checkpoints in the 80 % interval; NaN for methods without one."""
    ranking: float
    """Share of pairs of test runs (same task, last checkpoint) whose order is right; NaN without pairs that differ."""


def make_split(source: Source, kind: str, seed: int) -> Split:
    """`random`: models drawn by `seed`; `largest`: the largest models; `tasks`: tasks drawn by `seed`, for all models."""
    names = sorted({t.task for t in source.trajectories} if kind == "tasks" else {t.run for t in source.trajectories})
    count = max(1, round((HELD_TASKS if kind == "tasks" else HELD_MODELS) * len(names)))
    if kind == "largest":
        held = sorted(names, key=lambda run: source.size[run])[-count:]
    else:
        held = [names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count]]
    inside = [(t.task if kind == "tasks" else t.run) in held for t in source.trajectories]
    train = tuple(i for i, out in enumerate(inside) if not out)
    return Split(kind, seed, train, tuple(i for i, out in enumerate(inside) if out), tuple(sorted(held)))


def future(t: Trajectory) -> NDArray[np.int64]:
    """Checkpoints to predict."""
    return np.arange(context_length(len(t.steps), RATIO), len(t.steps))


def score(
    trajectories: Sequence[Trajectory],
    predictions: Sequence[FloatArray],
    intervals: Sequence[FloatArray] | None = None,
) -> Scores:
    """Scores of predictions (one array over `future(t)` per trajectory) and, where given, of (len, 2) interval ends."""
    misses, inside = [], []
    for k, (t, predicted) in enumerate(zip(trajectories, predictions, strict=True)):
        truth = t.accuracy[future(t)]
        misses.append(100.0 * float(np.mean(np.abs(predicted - truth))))
        if intervals is not None:
            inside.append(float(np.mean((truth >= intervals[k][:, 0]) & (truth <= intervals[k][:, 1]))))
    return Scores(float(np.mean(misses)), float(np.mean(inside)) if inside else np.nan, _ranking(trajectories, predictions))


def _ranking(trajectories: Sequence[Trajectory], predictions: Sequence[FloatArray]) -> float:
    right = []
    for a, b in combinations(range(len(trajectories)), 2):
        first, second = trajectories[a], trajectories[b]
        truth = first.accuracy[-1] - second.accuracy[-1]
        if first.task == second.task and truth != 0.0:
            right.append(float(np.sign(predictions[a][-1] - predictions[b][-1]) == np.sign(truth)))
    return float(np.mean(right)) if right else np.nan
