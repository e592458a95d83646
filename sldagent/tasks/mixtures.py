"""Cuts of tables that have no scale variable: mixtures (or settings) far from the centre, and folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sldagent.tasks import levels
from sldagent.tasks.levels import IntArray
from sldagent.tasks.task import Cut, FloatArray, Task

FOLDS = 5
MIN_KEPT = 4


def mixture_cuts(task: Task, shares: Sequence[float]) -> list[Cut]:
    """The rows farthest from the centre, by share, and folds that only interpolate.

    Rows with the same inputs (the same mixture in several groups, or replicates) are never divided.
    """
    points = _points(task)
    unique, which = np.unique(np.round(points, 9), axis=0, return_inverse=True)
    which = which.reshape(-1)
    distance = np.linalg.norm(unique - unique.mean(axis=0), axis=1)
    variable = "mixture" if any(v.role == "proportion" for v in task.variables) else "setting"
    cuts = []
    for share in shares:
        held = _farthest(task, which, distance, share)
        if _keeps_enough(task, held):
            reach = float(distance[which[held]].max() / max(distance[which[~held]].max(), 1e-12))
            cuts.append(Cut(f"{variable}: farthest {share * 100:.0f} %", variable, ~held, held, reach))
    for k, held in enumerate(_folds(task, which, distance)):
        if _keeps_enough(task, held):
            cuts.append(
                Cut(f"{variable}: fold {k + 1}", f"{variable}-fold", ~held, held, 1.0, extrapolates=False)
            )
    return cuts


def _points(task: Task) -> FloatArray:
    """(n, variables) shares as they are; positive settings as z-scored logs, other settings z-scored."""
    columns = []
    for k, v in enumerate(task.variables):
        x = task.X[:, k]
        if v.role != "proportion":
            x = np.log(x) if not v.log and np.all(x > 0) else x
            x = (x - x.mean()) / (x.std() or 1.0)
        columns.append(x)
    return np.column_stack(columns)


def _farthest(task: Task, which: IntArray, distance: FloatArray, share: float) -> levels.BoolArray:
    """About `share` of the distinct inputs, farthest from the centre; groups of one design share them."""
    held_points = np.zeros(len(distance), dtype=bool)
    designs: set[bytes] = set()
    for rows in levels.group_rows(task):
        present = np.unique(which[rows])
        if present.tobytes() not in designs:
            designs.add(present.tobytes())
            held_points[present[levels.top_share(distance[present], share)]] = True
    return np.asarray(held_points[which])


def _folds(task: Task, which: IntArray, distance: FloatArray) -> list[levels.BoolArray]:
    """Distinct inputs dealt out in order of group and distance: each fold has near ones and far ones."""
    first_group = np.full(len(distance), len(task.groups))
    np.minimum.at(first_group, which, task.group)
    order = np.lexsort((np.arange(len(distance)), np.round(distance, 9), first_group))
    fold = np.empty(len(distance), dtype=np.int64)
    fold[order] = np.arange(len(distance)) % FOLDS
    return [np.asarray(fold[which] == k) for k in range(FOLDS)]


def _keeps_enough(task: Task, held: levels.BoolArray) -> bool:
    """Both sides have rows; every group keeps a few, and every variable that varies still does."""
    if not held.any() or held.all():
        return False
    kept_counts = np.bincount(task.group[~held], minlength=len(task.groups))
    all_counts = np.bincount(task.group, minlength=len(task.groups))
    if np.any((kept_counts < MIN_KEPT) & (all_counts >= MIN_KEPT)):
        return False
    return all(np.ptp(task.X[~held, k]) > 0 for k in range(task.X.shape[1]) if np.ptp(task.X[:, k]) > 0)
