"""How much of the targets' variance is noise, and how much a law leaves to explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.grounds import Grounds
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Replicates:
    """Rows with equal inputs and group."""

    sets: int
    """Combinations of inputs that occur more than once."""
    spare: int
    """Rows beyond the first of each."""
    deviation: tuple[float, ...]
    """By target: pooled standard deviation within a set; NaN without replicates."""


@dataclass(frozen=True)
class Unexplained:
    """One target's variance that a law leaves, as shares of the variance within groups."""

    target: str
    left: float
    noise: float
    """What noise or rounding alone would leave."""


def replicates(task: Task) -> Replicates:
    """Noise estimated from repeated inputs."""
    key = np.column_stack([task.group.astype(float), task.X])
    ids = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    counts = np.bincount(ids)
    spare = int((counts - 1).sum())
    if spare == 0:
        return Replicates(0, 0, tuple(float("nan") for _ in task.targets))
    deviation = []
    for y in task.Y.T:
        mean = np.bincount(ids, weights=y) / counts
        deviation.append(float(np.sqrt(((y - mean[ids]) ** 2).sum() / spare)))
    return Replicates(int((counts > 1).sum()), spare, tuple(deviation))


def unexplained(grounds: Grounds, residual: FloatArray) -> tuple[Unexplained, ...]:
    """By target.

    Args:
        residual: (targets, rows) in units of the group's standard deviation.
    """
    rows = grounds.rows
    out = []
    for t, target in enumerate(grounds.task.targets):
        factor = rows.weight[t] / grounds.scale[t, rows.group]
        noise = float(grounds.floor[t] * np.mean(factor**2))
        out.append(Unexplained(target.name, float(np.mean(residual[t] ** 2)), noise))
    return tuple(out)
