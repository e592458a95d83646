"""Coordinates that the diagnosis works in, and the linear algebra shared by its parts.

Scale variables and positive settings are taken as natural logarithms, everything else as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks.levels import level_labels, log_axis
from sldagent.tasks.task import Task, Variable

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MIN_ROWS = 3
"""An average over fewer rows is not shown: it would be nearly a row's own target."""


@dataclass(frozen=True)
class Axes:
    """The rows' coordinates."""

    variables: tuple[Variable, ...]
    logged: tuple[bool, ...]
    """Whether a variable's coordinate is a logarithm."""
    values: FloatArray
    """(rows, variables)."""
    varies: tuple[int, ...]
    """Variables that are not constant over the rows."""

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(v.symbol for v in self.variables)

    def of_role(self, role: str) -> tuple[int, ...]:
        """Variables of a role that vary."""
        return tuple(k for k in self.varies if self.variables[k].role == role)


def axes_of(task: Task, X: FloatArray) -> Axes:
    """Coordinates of rows `X` (n, variables); which settings are logged is decided by all rows of the task."""
    values = log_axis(task, X)
    logged = []
    for k, v in enumerate(task.variables):
        positive_setting = v.role == "setting" and not v.log and bool((task.X[:, k] > 0).all())
        if positive_setting:
            values[:, k] = np.log(X[:, k])
        elif v.role == "setting" and v.log:
            values[:, k] = X[:, k] * np.log(v.log_base)
        logged.append(v.role == "scale" or positive_setting or v.log)
    varies = tuple(k for k in range(values.shape[1]) if np.ptp(values[:, k]) > 0.0)
    return Axes(task.variables, tuple(logged), values, varies)


def centred(values: FloatArray, group: NDArray[np.int64]) -> FloatArray:
    """Columns (n, m) less their means within each group."""
    out = np.array(values, dtype=np.float64)
    counts = np.bincount(group)
    for j in range(out.shape[1]):
        out[:, j] -= (np.bincount(group, weights=out[:, j]) / np.maximum(counts, 1))[group]
    return out


def orthonormal(columns: FloatArray) -> FloatArray:
    """(n, rank) orthonormal basis of the columns' span; dependent columns (shares that sum to one) are harmless."""
    if columns.shape[1] == 0:
        return np.zeros((len(columns), 0))
    size = np.linalg.norm(columns, axis=0)
    scaled = columns[:, size > 0] / size[size > 0]
    if scaled.shape[1] == 0:
        return np.zeros((len(columns), 0))
    u, s, _ = np.linalg.svd(scaled, full_matrices=False)
    return np.ascontiguousarray(u[:, s > 1e-8 * s[0]])


def regimes(values: FloatArray) -> dict[str, BoolArray]:
    """Disjoint thirds of a coordinate, by levels where it has few and by rows where it is continuous."""
    labels, continuous = level_labels(values)
    count = int(labels.max()) + 1
    if count < 2:
        return {}
    if continuous:
        low, high = np.quantile(values, [1 / 3, 2 / 3])
        third = np.where(values <= low, 0, np.where(values <= high, 1, 2))
    elif count == 2:
        third = 2 * labels
    else:
        third = labels * 3 // count
    names = ("small", "middle", "large")
    return {name: third == k for k, name in enumerate(names) if (third == k).any()}


def spans(values: FloatArray) -> dict[str, BoolArray]:
    """Up to three stretches of a coordinate over which a slope can be taken; neighbours share their end level."""
    labels, continuous = level_labels(values)
    count = int(labels.max()) + 1
    if count < 2:
        return {}
    if continuous:
        return regimes(values)
    pieces = min(3, count - 1)
    ends = np.round(np.linspace(0, count - 1, pieces + 1)).astype(int)
    names = {1: ("all",), 2: ("small", "large"), 3: ("small", "middle", "large")}[pieces]
    return {name: (labels >= ends[k]) & (labels <= ends[k + 1]) for k, name in enumerate(names)}
