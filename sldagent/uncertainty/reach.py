"""How far rows lie beyond others, in natural logarithms of scale, along each variable and along all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Box:
    """Where rows lie: per group and direction the smallest and the largest value.

    Directions are the variables that vary (scale variables on the log axis; other variables only where there is no scale
    variable), each centred and in units of its spread over all rows, and the mean of them where there are several: the
    directions of the cuts.
    """

    columns: tuple[int, ...]
    """The variables, by their column in X."""
    centre: FloatArray
    """(variables,)"""
    spread: FloatArray
    """(variables,) positive."""
    low: FloatArray
    """(groups, directions); those of all rows for a group without rows."""
    high: FloatArray

    def directions(self, axis: FloatArray) -> FloatArray:
        """(rows, directions) of values (rows, all variables) on the log axis."""
        return _directions((axis[:, list(self.columns)] - self.centre) / self.spread)

    def beyond(self, axis: FloatArray, group: IntArray) -> FloatArray:
        """(rows,) largest distance beyond the group's rows in any direction; 0 inside."""
        if not self.columns:
            return np.zeros(len(axis))
        along = self.directions(axis)
        over = np.maximum(along - self.high[group], self.low[group] - along)
        return np.asarray(np.maximum(over, 0.0).max(axis=1))

    def plain(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return {
            "columns": list(self.columns),
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
        }

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Box:
        """What `plain` returned."""
        arrays = (np.asarray(values[key], dtype=float) for key in ("centre", "spread", "low", "high"))
        return cls(tuple(int(k) for k in values["columns"]), *arrays)


def box_of(axis: FloatArray, group: IntArray, groups: int, scale: list[int]) -> Box:
    """The box of rows.

    Args:
        axis: (rows, variables) of `sldagent.tasks.levels.log_axis`.
        scale: columns of the scale variables; none: every variable counts.
    """
    columns = [k for k in (scale or range(axis.shape[1])) if np.ptp(axis[:, k]) > 0]
    centre, spread = axis[:, columns].mean(axis=0), axis[:, columns].std(axis=0)
    along = _directions((axis[:, columns] - centre) / spread)
    low, high = np.zeros((groups, along.shape[1])), np.zeros((groups, along.shape[1]))
    whole = along.min(axis=0, initial=0.0), along.max(axis=0, initial=0.0)
    for g in range(groups):
        mine = along[group == g]
        low[g], high[g] = (mine.min(axis=0), mine.max(axis=0)) if len(mine) else whole
    return Box(tuple(columns), centre, spread, low, high)


def _directions(z: FloatArray) -> FloatArray:
    return z if z.shape[1] < 2 else np.column_stack([z, z.mean(axis=1)])
