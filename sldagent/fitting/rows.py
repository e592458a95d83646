"""Rows of a task as the engine wants them: sorted by group, targets as rows of an array, features computed once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.graph import BINARY, NUMPY, Graph
from sldagent.fitting.reference import reference as op
from sldagent.tasks.levels import group_rows, log_axis, scale_indices
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]


class Rows:
    """Immutable rows; `order[k]` is the table row of row k.

    `X` (n, variables), `Y` (targets, n), `group` (n,) sorted; `starts` (groups + 1,) bounds each group's rows; `weight`
    (targets, n): inverse relative noise (square roots of the weights of squared residuals); `size` (n,): standardised log
    scale within the group (zeros where unknown).  `count` (targets, n) says how often a row counts in means over rows: 1
    except in a weighted copy (`engines.weighted`), whose `weight` holds its square root as a factor.
    """

    def __init__(
        self,
        X: FloatArray,
        Y: FloatArray,
        group: NDArray[np.int64],
        groups: int,
        weight: FloatArray,
        size: FloatArray | None = None,
    ) -> None:
        self.order = np.argsort(group, kind="stable")
        self.X = np.ascontiguousarray(X[self.order])
        self.Y = np.ascontiguousarray(Y[:, self.order])
        self.group = np.ascontiguousarray(group[self.order])
        self.weight = np.ascontiguousarray(weight[:, self.order])
        self.size = np.zeros(len(X)) if size is None else size[self.order]
        self.count = np.ones_like(self.weight)
        self.groups = groups
        self.starts = np.searchsorted(self.group, np.arange(groups + 1))
        self._features: dict[str, FloatArray] = {}
        self._parent: tuple[Rows, NDArray[np.int64]] | None = None

    @classmethod
    def of_task(cls, task: Task) -> Rows:
        """All rows of a task, weighted by its noise model.

        Proportional noise divides residuals by |y| relative to the target's typical size, a noise column by its values.
        """
        Y = np.ascontiguousarray(task.Y.T)
        weight = np.ones_like(Y)
        if task.noise.kind == "proportional":
            size = np.abs(Y)
            typical = np.exp(np.mean(np.log(np.maximum(size, 1e-300)), axis=1, keepdims=True))
            weight = typical / np.maximum(size, 1e-12 * typical)
        elif task.noise.kind == "column":
            weight = np.broadcast_to(1.0 / task.noise_scale, Y.shape).copy()
        return cls(task.X, Y, task.group, len(task.groups), weight, relative_size(task))

    def weights(self, emphasis: float) -> FloatArray:
        """(targets, n) square roots of the weights of squared residuals: noise, and `Recipe.emphasis` on larger scale.

        The emphasis has mean 1 over the rows, so that the loss keeps its scale.
        """
        if emphasis == 0.0 or not self.size.any():
            return self.weight
        factor = np.exp(emphasis * self.size)
        return np.ascontiguousarray(self.weight * np.sqrt(factor / factor.mean()))

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    def subset(self, mask: NDArray[np.bool_]) -> Rows:
        """Rows where `mask` (in table order of this object's source) is true; features are copied, not recomputed."""
        index = np.nonzero(mask[self.order])[0]
        return self.take(index)

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Rows by position in this object."""
        part = Rows(self.X[index], self.Y[:, index], self.group[index], self.groups, self.weight[:, index], self.size[index])
        part.order = self.order[index]
        part.count = self.count[:, index]
        part._parent = (self, index)
        return part

    def weighted(self, factors: FloatArray) -> Rows:
        """These rows with the weights of their squared residuals, and how often they count, times `factors` (targets, n)."""
        part = self.take(np.arange(self.n))
        part.weight = np.ascontiguousarray(part.weight * np.sqrt(factors))
        part.count = part.count * factors
        return part

    def thin(self, limit: int) -> Rows:
        """About `limit` rows spread evenly over every group, for screening starts."""
        if self.n <= limit:
            return self
        sizes = np.diff(self.starts)
        counts = np.minimum(sizes, np.maximum(np.rint(sizes * (limit / self.n)).astype(np.int64), np.minimum(sizes, 24)))
        if counts.sum() == self.n:  # many small groups
            return self
        keep: list[NDArray[np.int64]] = []
        for lo, size, count in zip(self.starts[:-1], sizes, counts, strict=True):
            keep.append(lo + np.unique((np.arange(count) * size / max(count, 1)).astype(np.int64)))
        return self.take(np.concatenate(keep))

    def feature(self, graph: Graph, k: int) -> FloatArray:
        """Values of a parameter-free node."""
        key = graph.key(k)
        found = self._features.get(key)
        if found is None:
            if self._parent is not None:
                rows, index = self._parent
                found = rows.feature(graph, k)[index]
            else:
                found = self._compute(graph, k)
            self._features[key] = found
        return found

    def _compute(self, graph: Graph, k: int) -> FloatArray:
        code = graph.code[k]
        if code == op.CONST:
            return np.full(self.n, graph.value[k])
        if code == op.FEATURE:
            return np.ascontiguousarray(self.X[:, graph.left[k]])
        children = [graph.left[k], graph.right[k]] if code in BINARY else [graph.left[k]]
        with np.errstate(all="ignore"):
            return np.asarray(NUMPY[code](*(self.feature(graph, child) for child in children)))

    def forget(self) -> None:
        """Drop cached features (the cache grows with every new formula)."""
        if len(self._features) > 512:
            self._features.clear()


def relative_size(task: Task) -> FloatArray:
    """(n,) mean log of the scale variables, each divided by its spread within groups; centred within each group, spread 1.

    Zeros without scale variables that vary.
    """
    columns = scale_indices(task)
    logs = log_axis(task)[:, columns]
    for rows in group_rows(task):
        logs[rows] -= logs[rows].mean(axis=0)
    spread = logs.std(axis=0)
    if not (spread > 0).any():
        return np.zeros(len(task.X))
    joint = (logs[:, spread > 0] / spread[spread > 0]).mean(axis=1)
    return np.asarray(joint / (joint.std() or 1.0))
