"""Where to draw a task's laws: along which variable, and on which slices.

A slice fixes the group, the target and every other variable; its line runs along the axis, of a scale variable past the last
row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks import levels
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PANELS = 9
"""Most slices of one figure."""
SLICES = 6
"""Most slices of one group and target."""
POINTS = 120
"""Points of a line."""
BEYOND = 2.0
"""How far past the last row a line runs, as a ratio."""
BIN = math.log(1.25)
"""Width of a continuous variable's slice."""
WIDE = 5.0
"""Settings that reach over a larger ratio are drawn on a logarithmic axis."""
LEVELS = 0.25
"""Share of the fullest slice's levels that a slice must have."""


@dataclass(frozen=True)
class Slice:
    """One slice; `rows` index the task's table."""

    group: int
    target: int
    fixed: tuple[tuple[str, float], ...]
    """Column and value of the variables held fixed, other than those that are the same on all rows."""
    rows: IntArray
    X: FloatArray
    """(points, variables) of the line."""


def axis_of(task: Task) -> int | None:
    """Column along which the test rows lie beyond the training rows of their group; None without scale variables.

    It is the scale variable in which most test rows lie beyond, then the one in which they lie furthest in standard
    deviations; without test rows the one with the widest range.  A variable that never exceeds another one cannot be
    extended alone and comes last.
    """
    columns = levels.scale_indices(task)
    if not columns:
        return None
    logs = levels.log_axis(task)
    train, test = task.split == "train", task.split == "test"
    bounded = {j for j, _ in _ordered(task, columns)}

    def rank(k: int) -> tuple[bool, float, float]:
        if not test.any():
            return k not in bounded, float(np.ptp(logs[train, k])), 0.0
        ends = {g: logs[train & (task.group == g), k] for g in np.unique(task.group[test])}
        step = np.array([v - ends[g].max(initial=-np.inf) for v, g in zip(logs[test, k], task.group[test], strict=True)])
        spread = float(logs[train, k].std()) or 1.0
        return (
            k not in bounded,
            float(np.mean(step > levels.GAP)),
            float(logs[test, k].mean() - logs[train, k].mean()) / spread,
        )

    return max(columns, key=rank)


def is_log(task: Task, axis: int) -> bool:
    """Whether a variable's axis is drawn logarithmic: unless it holds logarithms already, scale variables are, and
    settings that are positive and reach over more than a factor of five.
    """
    variable, values = task.variables[axis], task.X[:, axis]
    if variable.log or variable.role == "proportion":
        return False
    return variable.role == "scale" or bool(values.min() > 0 and values.max() > WIDE * values.min())


def slices_of(
    task: Task, axis: int, order: Sequence[int], *, beyond: float = BEYOND, most: int = PANELS, each: int = SLICES
) -> list[Slice]:
    """At most `most` slices, over the groups of `order` (as many as fit, evenly picked from it) and all targets.

    Args:
        beyond: how far past the last row the line of a scale variable runs, as a ratio; other variables stay in their range.
        each: most slices of one group and target.

    Empty where no slice holds two levels of the axis.
    """
    places = [(g, t) for g in order for t in range(len(task.targets))]
    picked = [places[i] for i in np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int))]
    count = min(each, max(1, most // len(picked)))
    found = []
    for group, target in picked:
        for rows in _slices(task, axis, group, count):
            found.append(_slice(task, axis, group, target, rows, beyond))
    return found


def _slice(task: Task, axis: int, group: int, target: int, rows: IntArray, beyond: float) -> Slice:
    others = [k for k in range(task.X.shape[1]) if k != axis]
    point = np.median(task.X[rows], axis=0)
    own = task.X[task.group == group, axis]
    low, high = float(own.min()), float(own.max())
    for small, large in _ordered(task, levels.scale_indices(task)):
        if large == axis:
            low = max(low, float(point[small]))
    variable = task.variables[axis]
    past = beyond if variable.role == "scale" else 1.0
    if is_log(task, axis):
        line = np.geomspace(low, max(high, low) * past, POINTS)
    else:
        line = np.linspace(low, high + (math.log(past) / math.log(variable.log_base) if variable.log else 0.0), POINTS)
    X = np.tile(point, (POINTS, 1))
    X[:, axis] = line
    varies = [k for k in others if np.ptp(task.X[:, k]) > 0]
    return Slice(group, target, tuple((task.variables[k].name, float(point[k])) for k in varies), rows, X)


def _slices(task: Task, axis: int, group: int, count: int) -> list[IntArray]:
    """Rows of up to `count` slices of a group: those with test rows and most levels of the axis, far from one another."""
    rows = np.flatnonzero(task.group == group)
    keys = _keys(task, axis)[rows]
    values = task.X[:, axis]
    along = levels.level_labels(np.log(values) if is_log(task, axis) else levels.log_axis(task)[:, axis])[0]
    found = []
    for key in np.unique(keys, axis=0) if keys.shape[1] else [np.zeros(0)]:
        own = rows[(keys == key).all(axis=1)]
        distinct = len(np.unique(along[own]))
        if distinct >= 2:
            tested = bool((task.split[own] == "test").any())
            found.append((not tested, -distinct, -len(own), tuple(key.tolist()), own))
    found.sort(key=lambda f: f[:4])
    if any(not f[0] for f in found):
        found = [f for f in found if not f[0]]
    fullest = max((-f[1] for f in found), default=0)
    good = [f for f in found if -f[1] >= max(min(3, fullest), LEVELS * fullest)]
    spread = np.array([f[3] for f in good], dtype=float).reshape(len(good), -1)
    spread = spread / np.maximum(np.ptp(spread, axis=0), 1e-300) if len(good) else spread
    taken = [0] if good else []
    while len(taken) < min(count, len(good)):
        gaps = np.min([np.abs(spread - spread[i]).sum(axis=1) for i in taken], axis=0)
        gaps[taken] = -1.0
        taken.append(int(np.argmax(gaps)))
    return [good[i][4] for i in sorted(taken, key=lambda i: good[i][3])]


def _keys(task: Task, axis: int) -> FloatArray:
    """(n, other variables) number of the slice that every row belongs to, in order of the variables' values."""
    columns = []
    for k in range(task.X.shape[1]):
        values = task.X[:, k]
        if k == axis or np.ptp(values) == 0:
            continue
        if task.variables[k].role == "proportion" or values.min() <= 0:
            columns.append(np.unique(np.round(values, 6), return_inverse=True)[1].ravel())
            continue
        labels, continuous = levels.level_labels(np.log(values))
        columns.append(np.floor((np.log(values) - np.log(values.min())) / BIN) if continuous else labels)
    return np.column_stack(columns).astype(float) if columns else np.zeros((len(task.X), 0))


def _ordered(task: Task, columns: Sequence[int]) -> list[tuple[int, int]]:
    """Columns (j, k) with x_j <= x_k on all rows and equality on some, as of unique tokens and tokens seen."""
    X = task.X
    return [
        (j, k)
        for j in columns
        for k in columns
        if j != k and (X[:, j] <= X[:, k]).all() and (X[:, j] == X[:, k]).any() and (X[:, j] < X[:, k]).any()
    ]
