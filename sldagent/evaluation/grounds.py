"""What every law of a run is judged on, prepared once: rows, cuts, scales, floors, cells and the probe grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.probe import beyond_rows, probe_rows
from sldagent.fitting.rows import Rows
from sldagent.tasks.levels import level_labels, log_axis
from sldagent.tasks.task import Cut, Task

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BOOTSTRAPS = 64
"""Common resamples of the held-out cells."""
MIN_BLOCK = 5
"""A group with fewer held-out rows is pooled with the other small ones."""


@dataclass(frozen=True)
class Unit:
    """Held-out rows whose squared errors are averaged before the logarithm: one group, or several small ones."""

    rows: IntArray
    """Positions in the cut's held rows."""
    cell: IntArray
    """Cell number of each of them."""
    resample: FloatArray
    """(BOOTSTRAPS, cells) multinomial weights."""


@dataclass(frozen=True)
class PreparedCut:
    """A cut with its rows laid out for the engine."""

    cut: Cut
    kept: Rows
    held: Rows
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Grounds:
    """See the module's docstring.  `scale` and `floor` have shape (targets, groups) and (targets,)."""

    task: Task
    rows: Rows
    cuts: tuple[PreparedCut, ...]
    scale: FloatArray
    floor: FloatArray
    effective_rows: IntArray
    """(groups,) distinct combinations of scale-variable levels (or runs) per group."""
    probe: Rows
    """Points of the training box with every scale variable extended by one decade, for every group."""
    far: Rows
    """The same points four decades out, for declared limits."""
    beyond: Rows
    """Every group's largest rows and the way one decade on from them, in all scale variables at once; also mixtures near
    those seen.  Nearer to the data than `probe`, whose corners combine the extremes of every variable."""


def prepare(task: Task, cuts: Sequence[Cut]) -> Grounds:
    """Lay out a task's training rows and cuts.

    Args:
        task: training rows only.
        cuts: from `sldagent.tasks.cuts`; scores average within a cut's `variable` first.
    """
    rows = Rows.of_task(task)
    scale = _scales(rows)
    cells = cell_ids(task)[rows.order]
    count = int(cells.max()) + 1
    draws = np.random.default_rng(20).multinomial(count, np.full(count, 1.0 / count), size=BOOTSTRAPS).astype(float)
    prepared = []
    for cut in cuts:
        held_index = np.nonzero(cut.held[rows.order])[0]
        held = rows.take(held_index)
        prepared.append(PreparedCut(cut, rows.subset(cut.kept), held, _units(held, cells[held_index], draws)))
    floor = np.maximum(_replicate_variance(task), _printing_variance(task.Y))
    effective = np.array([len(np.unique(cells[rows.group == g])) for g in range(rows.groups)])
    near, far = probe_rows(task, 1.0), probe_rows(task, 4.0)
    return Grounds(task, rows, tuple(prepared), scale, floor, effective, near, far, beyond_rows(task))


def _scales(rows: Rows) -> FloatArray:
    """Standard deviation of all training rows by (target, group); the pooled within-group one where a group has none."""
    T, G = rows.Y.shape[0], rows.groups
    scale = np.full((T, G), np.nan)
    Z = rows.Y
    for g in range(G):
        block = Z[:, rows.starts[g] : rows.starts[g + 1]]
        if block.shape[1] >= 3:
            scale[:, g] = block.std(axis=1)
    for t in range(T):
        good = scale[t][np.isfinite(scale[t]) & (scale[t] > 0)]
        fill = float(np.sqrt(np.mean(good**2))) if good.size else (float(Z[t].std()) or 1.0)
        scale[t] = np.where(np.isfinite(scale[t]) & (scale[t] > 1e-6 * fill), scale[t], fill)
    return scale


def cell_ids(task: Task) -> IntArray:
    """Integer id of every row's cell: its training run where known, else its group and scale-variable levels.

    Rows that differ only in settings (or are checkpoints of one run) share their errors, so they count once.  Without scale
    variables every distinct input is a cell.
    """
    if task.run is not None:
        key = np.stack([task.group, task.run], axis=1).astype(float)
    else:
        scale = [k for k, v in enumerate(task.variables) if v.role == "scale"]
        columns = [_levels(values) for values in log_axis(task)[:, scale].T] if scale else list(task.X.T)
        key = np.column_stack([task.group.astype(float), *columns])
    return np.unique(key, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def _levels(values: FloatArray) -> FloatArray:
    """Level labels of a variable on the log axis, the values themselves where it is continuous."""
    labels, continuous = level_labels(values)
    return values if continuous else labels.astype(float)


def _units(held: Rows, cells: IntArray, draws: FloatArray) -> tuple[Unit, ...]:
    """Units of a cut; `draws` (BOOTSTRAPS, all cells) is common to all cuts, which overlap, so that their errors move
    together in a resample as they would in new data.
    """
    counts = np.bincount(held.group, minlength=held.groups)
    members = [np.nonzero(held.group == g)[0] for g in range(held.groups) if counts[g] >= MIN_BLOCK]
    small = np.nonzero(counts[held.group] < MIN_BLOCK)[0]
    if small.size:
        members.append(small)
    units = []
    for rows in members:
        present, local = np.unique(cells[rows], return_inverse=True)
        weights = draws[:, present]
        weights = np.where(weights.sum(axis=1, keepdims=True) == 0.0, 1.0, weights)
        units.append(Unit(rows, local.ravel().astype(np.int64), weights))
    return tuple(units)


def _replicate_variance(task: Task) -> FloatArray:
    """(targets,) pooled variance of rows with equal inputs and group; 0 without replicates."""
    key = np.column_stack([task.group.astype(float), task.X])
    ids = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    counts = np.bincount(ids)
    spare = int((counts - 1).sum())
    if spare < 3:
        return np.zeros(task.Y.shape[1])
    out = []
    for y in task.Y.T:
        mean = np.bincount(ids, weights=y) / counts
        out.append(float(((y - mean[ids]) ** 2).sum()) / spare)
    return np.array(out)


def _printing_variance(Y: FloatArray) -> FloatArray:
    """(targets,) variance of rounding to the last printed digit: digit**2 / 12."""
    out = []
    for y in Y.T:
        digits = next((d for d in range(13) if np.all(np.abs(np.round(y, d) - y) <= 1e-12 * np.maximum(1.0, np.abs(y)))), 13)
        out.append(10.0 ** (-2 * digits) / 12.0)
    return np.array(out)
