"""Levels and orderings of the training rows: what cuts are made of.

A *level* is a cluster of a scale variable's values on the log axis.  A *block* is a set of rows that a cut
may not divide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks.task import FloatArray, Task

GAP = math.log(1.05)
"""Values closer than 5 % on the log axis belong to one level."""
WIDTH = math.log(1.25)
"""A chain of close values wider than this is no level: the variable is continuous."""
MAX_LEVELS = 12
"""More levels than this count as continuous."""
TIE = 1e-9
"""Scores closer than this are tied."""

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def scale_indices(task: Task) -> list[int]:
    """Columns of `X` that are scale variables and vary over the rows."""
    return [k for k, v in enumerate(task.variables) if v.role == "scale" and np.ptp(task.X[:, k]) > 0]


def log_axis(task: Task, X: FloatArray | None = None) -> FloatArray:
    """(n, variables) natural logarithms of the scale variables; other columns as they are."""
    out = np.array(task.X if X is None else X, dtype=np.float64)
    for k, v in enumerate(task.variables):
        if v.role == "scale":
            out[:, k] = out[:, k] * math.log(v.log_base) if v.log else np.log(out[:, k])
    return out


def level_labels(values: FloatArray) -> tuple[IntArray, bool]:
    """Level of each value, numbered upwards from 0, and whether the variable counts as continuous.

    Values are on the log axis.  A gap above 5 % starts a new level.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    jumps = np.diff(ordered) > GAP
    label_sorted = np.concatenate([[0], np.cumsum(jumps)]).astype(np.int64)
    labels = np.empty(len(values), dtype=np.int64)
    labels[order] = label_sorted
    count = int(label_sorted[-1]) + 1
    widths = [np.ptp(ordered[label_sorted == k]) for k in range(count)] if count <= MAX_LEVELS else [0.0]
    return labels, bool(count > MAX_LEVELS or max(widths) > WIDTH)


def level_count(values: FloatArray) -> int:
    """Number of levels (a continuous variable has as many as its values have gaps, at least two)."""
    labels, continuous = level_labels(values)
    return max(int(labels.max()) + 1, 2 if continuous else 1)


def group_rows(task: Task) -> Iterator[IntArray]:
    """Row indices of each group that has rows, in group order."""
    for g in range(len(task.groups)):
        rows = np.flatnonzero(task.group == g)
        if rows.size:
            yield rows


def with_runs_whole(task: Task, score: FloatArray) -> FloatArray:
    """(n,) the score of each row's training run, its largest row's, so that no threshold divides a run."""
    if task.run is None:
        return score
    top: dict[int, float] = {}
    for run, s in zip(task.run.tolist(), score.tolist(), strict=True):
        top[run] = max(s, top.get(run, -math.inf))
    return np.array([top[run] for run in task.run.tolist()])


def top_share(score: FloatArray, share: float) -> BoolArray:
    """(n,) the rows with the highest scores, about `share` of them; ties stay together.

    Of the two ways to treat the block of ties at the threshold the one whose size is nearer to the share is
    taken; at least one block is held out.
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    span = float(np.ptp(score)) or 1.0
    ends = np.flatnonzero(np.append(-np.diff(ordered) > TIE * span, True)) + 1
    wanted = share * len(score)
    size = int(ends[int(np.argmin(np.abs(ends - wanted)))])
    held = np.zeros(len(score), dtype=bool)
    held[order[:size]] = True
    return held


def joint_score(task: Task, columns: list[int]) -> FloatArray:
    """(n,) mean of the z-scored logs of the given scale variables."""
    z = log_axis(task)[:, columns]
    return np.asarray(((z - z.mean(axis=0)) / z.std(axis=0)).mean(axis=1))
