"""Points at which laws are asked about what no row says: beyond the data, between mixtures, four decades out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.rows import Rows, relative_size
from sldagent.tasks.levels import group_rows, scale_indices
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]


def probe_rows(task: Task, decades: float, count: int = 48) -> Rows:
    """Probe points for every group: corners and a low-discrepancy set of the box extended upwards and downwards.

    Scale variables span their training range extended by `decades` at the large end (and none at the small end: laws are
    asked about what is larger); settings their range; mixtures are training rows, midpoints of two, or training rows
    with one share taken away.
    """
    X = task.X
    k = X.shape[1]
    u = (0.5 + np.arange(1, count + 1)[:, None] * _golden(k)) % 1.0
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * min(k, 4))).reshape(min(k, 4), -1).T
    if k > 4:
        corners = np.hstack([corners, np.full((len(corners), k - 4), 0.5)])
    u = np.vstack([corners, u])
    points = np.empty_like(u)
    for j, v in enumerate(task.variables):
        lo, hi = float(X[:, j].min()), float(X[:, j].max())
        if v.role == "proportion":
            continue
        if v.role == "scale" and v.log:
            points[:, j] = lo + u[:, j] * (hi + decades * np.log(10.0) / np.log(v.log_base) - lo)
        elif v.role == "scale":
            points[:, j] = lo * (hi * 10.0**decades / lo) ** u[:, j]
        elif lo > 0:
            points[:, j] = lo * (hi / lo) ** u[:, j]
        else:
            points[:, j] = lo + u[:, j] * (hi - lo)
    shares = [j for j, v in enumerate(task.variables) if v.role == "proportion"]
    if shares:
        points[:, shares] = _mixtures(X[:, shares], len(points))
    for small, large in _ordered_pairs(task):
        points[:, small] = np.minimum(points[:, small], points[:, large])
    groups = len(task.groups)
    tiled = np.tile(points, (groups, 1))
    group = np.repeat(np.arange(groups), len(points))
    Y = np.zeros((task.Y.shape[1], len(tiled)))
    return Rows(tiled, Y, group, groups, np.ones_like(Y))


def beyond_rows(task: Task, largest: int = 8, mixtures: int = 48) -> Rows:
    """See `Grounds.beyond`."""
    scale = scale_indices(task)
    shares = [j for j, v in enumerate(task.variables) if v.role == "proportion"]
    size = relative_size(task)
    points: list[FloatArray] = []
    group: list[int] = []
    for rows in group_rows(task):
        top = task.X[rows[np.argsort(size[rows], kind="stable")[-largest:]]]
        for step in (0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0) if scale else ():
            moved = top.copy()
            for j in scale:
                v = task.variables[j]
                moved[:, j] = moved[:, j] + step * np.log(10.0) / np.log(v.log_base) if v.log else moved[:, j] * 10.0**step
            points.append(moved)
        if shares:
            mixed = top[np.arange(mixtures) % len(top)].copy()
            mixed[:, shares] = _mixtures(task.X[:, shares], mixtures)
            points.append(mixed)
        if not scale and not shares:
            points.append(top)
        group.extend([int(task.group[rows[0]])] * (sum(map(len, points)) - len(group)))
    Y = np.zeros((task.Y.shape[1], len(group)))
    return Rows(np.concatenate(points), Y, np.array(group), len(task.groups), np.ones_like(Y))


def _mixtures(seen: FloatArray, count: int) -> FloatArray:
    """`count` mixtures near those seen: rows as they are, midpoints of two, and rows with one share taken away.

    Where some row does without some share, every share is tried at zero: a law that has a pole there must not be chosen.
    Where none does, a share goes down to half of its smallest value.
    """
    n = len(seen)
    pick = (np.arange(count) * n) // count
    out = seen[pick].copy()
    out[1::3] = 0.5 * (out[1::3] + seen[(pick[1::3] + 1 + np.arange(1, count, 3) * 7) % n])
    least = np.zeros(seen.shape[1]) if (seen == 0.0).any() else 0.5 * seen.min(axis=0)
    for i, row in enumerate(range(2, count, 3)):
        j = i % seen.shape[1]
        rest = out[row].sum() - out[row, j]
        if rest > 0.0:
            factor = (out[row].sum() - least[j]) / rest
            out[row] *= factor
            out[row, j] = least[j]
    return np.asarray(out)


def _ordered_pairs(task: Task) -> list[tuple[int, int]]:
    """Columns (j, k) with x_j <= x_k on every row and equality on some: unique tokens and tokens seen, say.

    Points that break such an order mean nothing, so no law is judged on them.
    """
    X, scale = task.X, [k for k, v in enumerate(task.variables) if v.role == "scale"]
    return [
        (j, k)
        for j in scale
        for k in scale
        if j != k and (X[:, j] <= X[:, k]).all() and (X[:, j] == X[:, k]).any() and (X[:, j] < X[:, k]).any()
    ]


def _golden(k: int) -> FloatArray:
    phi = 2.0
    for _ in range(40):
        phi = (1.0 + phi) ** (1.0 / (k + 1))
    return np.asarray(phi ** -np.arange(1.0, k + 1))
