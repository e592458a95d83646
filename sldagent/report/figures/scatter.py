"""Predictions against measurements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.report.figures.along import log_target
from sldagent.report.figures.curves import Curve
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.rows import TEST_LOOK, shown_rows
from sldagent.report.figures.style import LOOKS, TEST, Key, linear, role_key, set_log
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]
Drawn = tuple[Curve, FloatArray, tuple[FloatArray, FloatArray] | None]
MOST = 9
"""Targets shown."""


def scatter_plot(task: Task, curves: Sequence[Curve], title: str) -> Plot:
    """Predicted against measured, a panel per target; the choice's intervals as vertical bars."""
    shown = shown_rows(np.arange(len(task.X)), task)
    X, group, test = task.X[shown], task.group[shown], task.split[shown] == "test"
    whole = [(c, c.predict(task, X, group), c.band(task, X, group)) for c in curves]
    panels = []
    for t in range(min(len(task.targets), MOST)):
        drawn: list[Drawn] = [(c, v[:, t], None if b is None else (b[0][:, t], b[1][:, t])) for c, v, b in whole]
        y = task.Y[shown, t]
        draw = partial(_draw, y=y, test=test, drawn=drawn, log=log_target(task))
        panels.append(Panel(task.targets[t].name if len(task.targets) > 1 else "", draw))
    keys = [role_key(c.role, c.label + c.note, line=False) for c in curves]
    if test.any():
        keys.append(Key("test rows", TEST_LOOK, line=False))
    unit = task.targets[0].unit if len(task.targets) == 1 else ""
    name = task.targets[0].name if len(task.targets) == 1 else "value"
    unit = f" ({unit})" if unit else ""
    return Plot(title, tuple(panels), f"measured {name}{unit}", f"predicted {name}{unit}", tuple(keys), square=True)


def _draw(axes: Axes, *, y: FloatArray, test: NDArray[np.bool_], drawn: Sequence[Drawn], log: bool) -> None:
    for curve, values, band in reversed(drawn):
        look = LOOKS[curve.role]
        if curve.role == "choice":
            if band is not None:
                axes.vlines(y, *band, color=look.colour, alpha=0.35, lw=1.0, zorder=2)
            axes.scatter(y[~test], values[~test], s=9, color=look.colour, lw=0, alpha=0.75, zorder=4, gid="law-choice")
            axes.scatter(y[test], values[test], s=20, marker="D", color=TEST, ec="black", lw=0.4, zorder=5)
        elif look.mark == "x":
            axes.scatter(y, values, s=13, marker="x", color=look.colour, lw=0.7, zorder=3)
        else:
            axes.scatter(y, values, s=13, marker=look.mark, fc="none", ec=look.colour, lw=0.7, zorder=3)
    low, high = float(y.min()), float(y.max())
    if log and low > 0:
        pad = (high / low) ** 0.06
        axes.plot([low / pad, high * pad], [low / pad, high * pad], color="#555555", lw=0.7, zorder=1)
        set_log(axes, "x", low / pad, high * pad)
        set_log(axes, "y", low / pad**3, high * pad**3)
        return
    pad = 0.06 * max(high - low, 1e-12)
    axes.plot([low - pad, high + pad], [low - pad, high + pad], color="#555555", lw=0.7, zorder=1)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(low - 3 * pad, high + 3 * pad)
    linear(axes.xaxis)
    linear(axes.yaxis)
