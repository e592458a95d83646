"""What a resample draws: whole cells, training runs or groups, never single rows that share their errors."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import ConfigError, FitError
from sldagent.evaluation.grounds import cell_ids
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Cluster = Literal["cell", "run", "group"]
"""``cell``: training runs where the task knows them, else combinations of scale levels (see `grounds.cell_ids`)."""


def clusters(task: Task, rows: Rows, law: CompiledLaw, cluster: Cluster) -> IntArray:
    """(rows,) number of every row's cluster, in the order of `rows`.

    Raises:
        FitError: clusters of runs without a column of runs, or of groups where every group has parameters of its own only.
        ConfigError: `cluster` is none of the three.
    """
    if cluster == "cell":
        return cell_ids(task)[rows.order]
    if cluster == "run":
        if task.run is None:
            where = task.source or task.name
            raise FitError(f"{where}: no column says which run a row belongs to, so runs cannot be resampled")
        return np.asarray(cell_ids(task)[rows.order])
    if cluster == "group":
        if law.shared == 0 or len(np.unique(rows.group)) < 2:
            raise FitError(
                "whole groups can be resampled only where a law shares a parameter between at least two groups: "
                "leave out the clusters, or share one"
            )
        return rows.group
    raise ConfigError(f"unknown clusters '{cluster}': use cell, run or group")


def pair_weights(labels: IntArray, rows: Rows, count: int, rng: np.random.Generator, cluster: Cluster) -> FloatArray:
    """(count, rows) how often each row was drawn: clusters with replacement within each group, or among all groups."""
    out = np.zeros((count, rows.n))
    spans = [slice(0, rows.n)] if cluster == "group" else [slice(a, b) for a, b in _spans(rows)]
    for span in spans:
        local = np.unique(labels[span], return_inverse=True)[1].ravel()
        if local.size:
            n = int(local.max()) + 1
            out[:, span] = rng.multinomial(n, np.full(n, 1.0 / n), size=count)[:, local]
    return out


def signs(labels: IntArray, count: int, rng: np.random.Generator) -> FloatArray:
    """(count, rows) one random sign per cluster, of the wild cluster bootstrap (Cameron, Gelbach and Miller 2008)."""
    local = np.unique(labels, return_inverse=True)[1].ravel()
    drawn = rng.integers(0, 2, size=(count, int(local.max()) + 1)) * 2.0 - 1.0
    return np.asarray(drawn[:, local])


def _spans(rows: Rows) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in zip(rows.starts[:-1], rows.starts[1:], strict=True)]
