"""Laws along one variable, on slices of the data, with the measured rows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.report.figures.curves import Curve
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.rows import TEST_LOOK, TRAIN_LOOK, shown_rows, variable_label
from sldagent.report.figures.slices import Slice, is_log
from sldagent.report.figures.style import LOOKS, TEST, TRAIN, Key, linear, number_text, role_key, set_log
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]
Line = tuple[Curve, FloatArray, tuple[FloatArray, FloatArray] | None]
"""A law, its values along a slice, and the ends of its interval there."""
LEAST = 0.1
"""Share of the target's whole range that a panel's vertical axis holds at least."""


def lines_plot(task: Task, axis: int, slices: Sequence[Slice], curves: Sequence[Curve], title: str) -> Plot:
    """Small multiples: measured rows and laws along one variable, one panel per slice.

    Args:
        axis: the variable's column in `task.X`.
        curves: the first is the one that matters most: the axes hold it, and others as far as they stay near.
    """
    X = np.concatenate([s.X for s in slices])
    group = np.concatenate([np.full(len(s.X), s.group, dtype=np.int64) for s in slices])
    ends = np.cumsum([0, *(len(s.X) for s in slices)])
    whole = [(c, c.predict(task, X, group), c.band(task, X, group)) for c in curves]
    panels = []
    for number, part in enumerate(slices):
        span, t = slice(ends[number], ends[number + 1]), part.target
        lines: list[Line] = [
            (c, values[span, t], None if band is None else (band[0][span, t], band[1][span, t])) for c, values, band in whole
        ]
        panels.append(Panel(slice_head(task, part), partial(_draw, task=task, axis=axis, part=part, lines=lines)))
    keys = [role_key(c.role, c.label + c.note) for c in curves]
    keys.append(Key("training rows", TRAIN_LOOK, line=False))
    if (task.split == "test").any():
        keys.append(Key("test rows", TEST_LOOK, line=False))
    return Plot(title, tuple(panels), variable_label(task.variables[axis]), _target_label(task), tuple(keys))


def slice_head(task: Task, part: Slice) -> str:
    """What a slice holds fixed, a line each."""
    parts = [textwrap.shorten(task.groups[part.group], 44, placeholder="...")] if len(task.groups) > 1 else []
    if len(task.targets) > 1:
        parts.append(task.targets[part.target].name)
    parts += [f"{name} = {number_text(float(f'{value:.3g}'))}" for name, value in part.fixed]
    return "\n".join(parts)


def _draw(axes: Axes, *, task: Task, axis: int, part: Slice, lines: Sequence[Line]) -> None:
    _measured(axes, task, axis, part)
    x = part.X[:, axis]
    for curve, values, band in reversed(lines):
        look = LOOKS[curve.role]
        axes.plot(
            x, values, color=look.colour, ls=look.linestyle, lw=look.width, solid_capstyle="round", zorder=4,
            gid=f"law-{curve.role}",
        )  # fmt: skip
        if band is not None:
            strength = 0.22 if curve.role == "choice" else 0.12
            axes.fill_between(x, *band, color=look.colour, alpha=strength, lw=0, zorder=2, gid=f"interval-{curve.role}")
    _scales(axes, task, axis, part, [values for _, values, _ in lines])


def _measured(axes: Axes, task: Task, axis: int, part: Slice) -> None:
    """Rows of a slice: training rows small and light, test rows distinct; a line where training ends."""
    own = task.X[(task.group == part.group) & (task.split == "train"), axis]
    if task.variables[axis].role == "scale" and len(own):
        axes.axvline(float(own.max()), color="#BBBBBB", lw=0.8, ls=":", zorder=0)
    train = shown_rows(part.rows[task.split[part.rows] == "train"], task)
    test = part.rows[task.split[part.rows] == "test"]
    y = task.Y[:, part.target]
    axes.scatter(task.X[train, axis], y[train], s=15, color=TRAIN, ec="white", lw=0.4, zorder=4.5, gid="training-rows")
    if len(test):
        axes.scatter(task.X[test, axis], y[test], s=24, marker="D", color=TEST, ec="black", lw=0.5, zorder=5)


def _scales(axes: Axes, task: Task, axis: int, part: Slice, lines: Sequence[FloatArray]) -> None:
    """Axes that hold the rows, the first line, and the others as far as they stay near."""
    x = part.X[:, axis]
    low, high = float(x.min()), float(x.max())
    if is_log(task, axis):
        pad = (high / low) ** 0.03
        set_log(axes, "x", low / pad, high * pad)
    else:
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        linear(axes.xaxis)
    rows = task.Y[part.rows, part.target]
    # Slices that hardly differ are not blown up until their noise fills the panel.
    size = max(float(np.ptp(rows)), LEAST * float(np.ptp(task.Y[:, part.target])), 1e-12)
    least, most = rows.min(), rows.max()
    parts = [rows, *(np.clip(line, least - 0.25 * size, most + 0.25 * size) for line in lines)]
    parts += [np.clip(line, least - size, most + size) for line in lines[:1]]
    values = np.concatenate([p[np.isfinite(p)] for p in parts])
    if log_target(task):
        values = values[values > 0.1 * least]
        pad = float(values.max() / values.min()) ** 0.06
        set_log(axes, "y", values.min() / pad, values.max() * pad)
    else:
        short = max(size - float(np.ptp(values)), 0.0)
        pad = 0.06 * max(float(np.ptp(values)), 1e-12) + 0.5 * short
        axes.set_ylim(values.min() - pad, values.max() + pad)
        linear(axes.yaxis)


def log_target(task: Task) -> bool:
    """Whether targets are drawn on logarithmic axes: positive, and over more than a factor of ten."""
    return bool(task.Y.min() > 0 and (task.Y.max(axis=0) > 10.0 * task.Y.min(axis=0)).any())


def _target_label(task: Task) -> str:
    if len(task.targets) > 1:
        return "target"
    target = task.targets[0]
    return target.name + (f" ({target.unit})" if target.unit else "")
