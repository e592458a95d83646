"""What other runs did on the same task: mean accuracy over the share of a run's length, as a line to forecast along.

Runs of different lengths are read at the same share of their own last step, as schedules of the learning rate are set by it.
The curve that stands beside a training trajectory leaves its own run out, as that of a run to forecast does.  Runs that have
not ended are no part of a curve, which would be pulled to their last accuracy, unless there are no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.predictors.trajectories.data import Trajectory

FloatArray = NDArray[np.float64]
LOG_SHARES = np.linspace(np.log(0.002), 0.0, 96)
"""Logarithms of the shares at which curves are kept; below the first they are level."""


@dataclass(frozen=True)
class Reference:
    """The curve beside one trajectory."""

    curve: FloatArray
    """(96,) accuracy at `LOG_SHARES`."""
    known: bool
    """Whether it is the task's own; else it is the mean over other tasks."""

    def at(self, log_share: FloatArray | float) -> Any:
        """Accuracy at logarithms of shares of the last step, in the shape of these."""
        return np.interp(log_share, LOG_SHARES, self.curve)


def task_curves(trajectories: Sequence[Trajectory]) -> dict[str, FloatArray]:
    """By task, the mean over its trajectories."""
    members: dict[str, list[FloatArray]] = {}
    for t in _ended(trajectories):
        members.setdefault(t.task, []).append(on_grid(t))
    return {task: np.mean(curves, axis=0) for task, curves in members.items()}


def reference(curves: Mapping[str, FloatArray], task: str) -> Reference:
    """The curve beside a trajectory of `task` that is no part of `curves`."""
    if task in curves:
        return Reference(curves[task], True)
    return Reference(np.mean(list(curves.values()), axis=0), False)


def own_references(trajectories: Sequence[Trajectory]) -> list[tuple[Reference, Reference]]:
    """Two curves beside each training trajectory: its task's without its own run, and the mean over all other tasks.

    Where the task has no other run both are the second; where there is no other task both are the first; where there is
    neither, both are level and tell nothing.
    """
    sources = _ended(trajectories)
    gridded = np.stack([on_grid(t) for t in sources])
    runs, tasks = np.array([t.run for t in sources]), np.array([t.task for t in sources])
    means = {task: gridded[tasks == task].mean(axis=0) for task in np.unique(tasks)}
    out = []
    for t in trajectories:
        like = (tasks == t.task) & (runs != t.run)
        rest = [curve for task, curve in means.items() if task != t.task]
        level = Reference(np.zeros(len(LOG_SHARES)), False)
        other = Reference(np.mean(rest, axis=0), False) if rest else level
        own = Reference(gridded[like].mean(axis=0), True) if like.any() else other
        out.append((own, other if rest else own))
    return out


def on_grid(t: Trajectory) -> FloatArray:
    """(96,) known accuracies of a trajectory at `LOG_SHARES`, level before the first and after the last."""
    known = np.isfinite(t.accuracy)
    return np.interp(LOG_SHARES, np.log(t.steps[known] / t.steps[-1]), t.accuracy[known])


def _ended(trajectories: Sequence[Trajectory]) -> Sequence[Trajectory]:
    """Those whose last accuracy is known; all of them where none is."""
    return [t for t in trajectories if np.isfinite(t.accuracy[-1])] or trajectories
