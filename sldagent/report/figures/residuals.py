"""Residuals of a fit along every variable, with their means in the regimes small, middle and large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import axes_of, regimes
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.rows import DRAWN, TRAIN_LOOK
from sldagent.report.figures.slices import is_log
from sldagent.report.figures.style import LOOKS, TRAIN, Key, Look, linear, set_log
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]
MOST = 9
"""Panels drawn."""


@dataclass(frozen=True)
class Stretch:
    """A regime of a variable: its ends, the mean residual there and the mean's standard error."""

    low: float
    high: float
    mean: float
    error: float


def residual_plot(task: Task, residual: FloatArray, title: str, columns: Sequence[int] | None = None) -> Plot:
    """Prediction less measurement, a panel per variable (and target).

    Args:
        residual: (rows of `task`, targets) in units of the target's training spread within its group.
        columns: variables shown; None: all that vary.
    """
    axes = axes_of(task, task.X)
    shown = axes.varies if columns is None else tuple(columns)
    panels = []
    for t, target in enumerate(task.targets):
        for k in shown:
            parts = []
            for mask in regimes(axes.values[:, k]).values():
                values = residual[mask, t]
                values = values[np.isfinite(values)]
                if len(values):
                    error = float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
                    x = task.X[mask, k]
                    parts.append(Stretch(float(x.min()), float(x.max()), float(values.mean()), error))
            head = task.variables[k].name + (f"\n{target.name}" if len(task.targets) > 1 else "")
            panels.append(Panel(head, partial(_draw, task=task, k=k, y=residual[:, t], parts=parts)))
    keys = (
        Key("a training row", TRAIN_LOOK, line=False),
        Key("mean of a third of the range, with its standard error", Look(LOOKS["choice"].colour, (), 2.0)),
    )
    return Plot(title, tuple(panels[:MOST]), "", "residual / training spread", keys)


def _draw(axes: Axes, *, task: Task, k: int, y: FloatArray, parts: Sequence[Stretch]) -> None:
    x = task.X[:, k]
    few = np.arange(len(x)) if len(x) <= DRAWN else np.linspace(0, len(x) - 1, DRAWN).round().astype(int)
    few = few[np.argsort(few)] if len(x) <= DRAWN else np.argsort(y, kind="stable")[few]
    colour = LOOKS["choice"].colour
    axes.axhline(0.0, color="#555555", lw=0.7, zorder=1)
    axes.scatter(x[few], y[few], s=8, color=TRAIN, alpha=0.6, lw=0, zorder=2, gid="training-rows")
    low, high = float(x.min()), float(x.max())
    log = is_log(task, k)
    for p in parts:
        # A regime of one level has no width of its own.
        width = 0.015
        a, b = (p.low / (high / low) ** width, p.high * (high / low) ** width) if log else (
            p.low - width * (high - low), p.high + width * (high - low))  # fmt: skip
        axes.plot([a, b], [p.mean, p.mean], color=colour, lw=2.0, zorder=4)
        if np.isfinite(p.error):
            axes.fill_between([a, b], p.mean - p.error, p.mean + p.error, color=colour, alpha=0.25, lw=0, zorder=3)
    if log:
        pad = (high / low) ** 0.05
        set_log(axes, "x", low / pad, high * pad)
    else:
        pad = 0.05 * (high - low) or 1.0
        axes.set_xlim(low - pad, high + pad)
        linear(axes.xaxis)
    linear(axes.yaxis)
