"""What laws say where there are no rows: limits at large and small scale, and where several laws part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import Axes
from sldagent.diagnosis.model import Model
from sldagent.fitting.rows import Rows
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]

DECADES = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0)
"""Steps beyond the largest value."""
BELOW = -3.0
"""Decades below the smallest value."""


@dataclass(frozen=True)
class Limit:
    """One target along one direction; values are medians over groups."""

    target: str
    direction: str
    """A scale variable's symbol, or ``all``: every scale variable together."""
    at_end: float
    """At the largest training value, other variables in the middle of their range."""
    ten_times: float
    far: float
    """Twelve decades beyond."""
    small: float
    """Three decades below the smallest value."""
    shape: str
    """``levels off``, ``goes on falling``, ``goes on rising``, ``turns`` or ``not finite``."""
    leaves_range: float
    """Decades beyond the data at which it leaves the target's declared range; NaN: not within four."""


@dataclass(frozen=True)
class Disagreement:
    """Predictions of several laws at one point."""

    target: str
    group: str
    direction: str
    point: tuple[tuple[str, float], ...]
    values: tuple[float, ...]
    relative: float
    """Largest less smallest, relative to their median's magnitude."""


@dataclass(frozen=True)
class Probes:
    """Points along every direction, for every group that has rows; the same for all laws."""

    rows: Rows
    directions: tuple[str, ...]
    groups: NDArray[np.int64]
    task: Task
    steps: int


def probes(task: Task, axes: Axes) -> Probes:
    """Points of `DECADES` and `BELOW`, other variables in the middle (logarithmic where they are logged)."""
    scale = [k for k, v in enumerate(task.variables) if v.role == "scale"]
    middle = _middle(task, axes)
    steps = (*DECADES, BELOW)
    directions: list[tuple[str, list[int]]] = [(task.variables[k].symbol, [k]) for k in scale]
    if len(scale) > 1:
        directions.append(("all", scale))
    points = []
    for _, moved in directions:
        for step in steps:
            x = middle.copy()
            for k in moved:
                edge = task.X[:, k].max() if step >= 0 else task.X[:, k].min()
                x[k] = _moved(task, k, float(edge), step)
            points.append(x)
    groups = np.unique(task.group)
    X = np.tile(np.array(points).reshape(-1, len(task.variables)), (len(groups), 1))
    group = np.repeat(groups, len(points))
    Y = np.zeros((len(task.targets), len(X)))
    names = tuple(name for name, _ in directions)
    return Probes(Rows(X, Y, group, len(task.groups), np.ones_like(Y)), names, groups, task, len(steps))


def _middle(task: Task, axes: Axes) -> FloatArray:
    """Middle of each variable's range in its coordinate, in the table's own units; shares: their means."""
    out = np.empty(len(task.variables))
    for k, v in enumerate(task.variables):
        low, high = float(task.X[:, k].min()), float(task.X[:, k].max())
        if v.role == "proportion":
            out[k] = float(task.X[:, k].mean())
        elif axes.logged[k] and not v.log and low > 0:
            out[k] = float(np.sqrt(low) * np.sqrt(high))
        else:
            out[k] = 0.5 * (low + high)
    return out


def _moved(task: Task, k: int, edge: float, decades: float) -> float:
    v = task.variables[k]
    return edge + decades * float(np.log(10.0) / np.log(v.log_base)) if v.log else edge * 10.0**decades


def _values(found: Probes, model: Model) -> FloatArray:
    """(targets, groups, directions, steps)."""
    values = model.predict(found.rows)
    return values.reshape(len(values), len(found.groups), len(found.directions), found.steps)


def floors(found: Probes, model: Model) -> FloatArray:
    """(targets, all groups) where the law levels off when all scale variables grow; NaN where it does not."""
    task = found.task
    out = np.full((len(task.targets), len(task.groups)), np.nan)
    if not found.directions:
        return out
    values = _values(found, model)[:, :, -1, : len(DECADES)]
    end, near, far = values[..., 0], values[..., -2], values[..., -1]
    with np.errstate(all="ignore"):
        step = np.abs(far - near)  # a bare power is as steep as ever in the last decades, measured by its value
        level = np.isfinite(far) & (step <= 0.02 * np.abs(near - end) + 1e-9 * np.abs(far)) & (step <= 0.02 * np.abs(far))
    out[:, found.groups] = np.where(level, far, np.nan)
    return out


def limits(found: Probes, model: Model) -> tuple[Limit, ...]:
    """By target and direction."""
    if not found.directions:
        return ()
    values = _values(found, model)
    out = []
    for t, target in enumerate(found.task.targets):
        spread = float(found.task.Y[:, t].std()) or 1.0
        for d, direction in enumerate(found.directions):
            v = values[t, :, d, :]
            ahead = v[:, : len(DECADES)]
            shapes = [_shape(line, spread) for line in ahead]
            shape = max(sorted(set(shapes)), key=shapes.count)
            lo, hi = target.range
            with np.errstate(all="ignore"):
                middle = [float(np.median(v[:, j])) for j in (0, 1, len(DECADES) - 1, len(DECADES))]
                bad = np.any((ahead < lo - 1e-9) | (ahead > hi + 1e-9) | ~np.isfinite(ahead), axis=0)
            out_at = [step for step, outside in zip(DECADES, bad.tolist(), strict=True) if outside and step <= 4.0]
            out.append(
                Limit(
                    target.name,
                    direction,
                    middle[0],
                    middle[1],
                    middle[2],
                    middle[3],
                    shape,
                    out_at[0] if out_at else float("nan"),
                )
            )
    return tuple(out)


def _shape(line: FloatArray, spread: float) -> str:
    if not np.isfinite(line).all():
        return "not finite"
    steps = np.diff(line)
    least = 1e-6 * spread
    if (steps > least).any() and (steps < -least).any():
        return "turns"
    if abs(line[-1] - line[-2]) <= 0.02 * abs(line[-2] - line[0]) + least:
        return "levels off"
    return "goes on rising" if line[-1] > line[-2] else "goes on falling"


def disagreements(found: Probes, models: Sequence[Model], most: int = 3) -> tuple[Disagreement, ...]:
    """Where the laws differ most ten times beyond the data, one entry per direction and target at most."""
    if len(models) < 2 or not found.directions:
        return ()
    step = DECADES.index(1.0)
    values = np.stack([_values(found, m)[:, :, :, step] for m in models])
    with np.errstate(all="ignore"):
        relative = np.ptp(values, axis=0) / np.maximum(np.abs(np.median(values, axis=0)), 1e-300)
    relative = np.where(np.isfinite(relative), relative, np.inf)
    out = []
    task, per_group = found.task, len(found.directions) * found.steps
    scale = [k for k, v in enumerate(task.variables) if v.role == "scale"]
    for t, target in enumerate(task.targets):
        for d, direction in enumerate(found.directions):
            g = int(np.argmax(relative[t, :, d]))
            x = found.rows.X[g * per_group + d * found.steps + step]
            point = tuple((task.variables[k].symbol, float(x[k])) for k in scale)
            out.append(
                Disagreement(
                    target.name,
                    task.groups[int(found.groups[g])],
                    direction,
                    point,
                    tuple(float(v) for v in values[:, t, g, d]),
                    float(relative[t, g, d]),
                )
            )
    return tuple(sorted(out, key=lambda e: -e.relative)[:most])
