"""A fitted law beside the rows: along one variable, or where that cannot be drawn, predictions against measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.fitted import Fitted
from sldagent.report.figures.along import lines_plot
from sldagent.report.figures.curves import Curve, group_order
from sldagent.report.figures.plot import Plot
from sldagent.report.figures.residuals import residual_plot
from sldagent.report.figures.scatter import scatter_plot
from sldagent.report.figures.slices import axis_of, slices_of
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
BEYOND = 10.0
"""How far past the last row a law is drawn, as a ratio."""
LEVEL = 0.9
"""Share of new measurements that the interval drawn is meant to hold."""
PANELS = 6


def drawable(task: Task) -> tuple[str, ...]:
    """Symbols of the variables that a law can be drawn along: the one to extrapolate in first, no proportions."""
    first = axis_of(task)
    columns = [k for k, v in enumerate(task.variables) if v.role != "proportion" and np.ptp(task.X[:, k]) > 0]
    columns.sort(key=lambda k: (k != first, task.variables[k].role != "scale", k))
    return tuple(task.variables[k].symbol for k in columns)


def fit_plot(
    task: Task,
    law: Fitted | Sequence[Curve],
    variable: str | None = None,
    *,
    title: str = "",
    beyond: float = BEYOND,
    panels: int = PANELS,
) -> Plot:
    """A law along one variable, on a few slices of the data, with a 90 % interval of new measurements where one is known.

    Args:
        law: the law, or curves with the law that matters most first.
        variable: its symbol (see `drawable`); None: the one to extrapolate in.
        beyond: how far past the last row the lines run, as a ratio.
        panels: most panels.

    Without such a variable, or where no two rows differ in it alone, the plot shows predictions against measurements.
    Raises ValueError for an unknown symbol.
    """
    curves = [Curve("choice", law.law, law, level=LEVEL)] if isinstance(law, Fitted) else list(law)
    symbols = drawable(task)
    if variable is not None and variable not in task.symbols:
        raise ValueError(f"no variable has the symbol '{variable}': the task has {', '.join(task.symbols)}")
    name = variable if variable is not None else (symbols[0] if symbols else None)
    if name is not None and name in symbols:
        axis = task.symbols.index(name)
        order = group_order(task, curves[0])
        found = slices_of(task, axis, order, beyond=beyond, most=panels, each=panels)
        if found:
            return lines_plot(task, axis, found, curves, title)
    return scatter_plot(task, curves, title)


def fit_figure(
    task: Task,
    law: Fitted | Sequence[Curve],
    variable: str | None = None,
    *,
    title: str = "",
    beyond: float = BEYOND,
    panels: int = PANELS,
) -> Figure:
    """`fit_plot` as one matplotlib figure."""
    return fit_plot(task, law, variable, title=title, beyond=beyond, panels=panels).figure()


def residuals_of(task: Task, law: Fitted) -> FloatArray:
    """(rows, targets) prediction less measurement, in units of the target's spread over the rows of its group."""
    with np.errstate(all="ignore"):
        residual = law.predict_rows(task) - task.Y
    for g in np.unique(task.group):
        mine = task.group == g
        spread = task.Y[mine].std(axis=0)
        residual[mine] /= np.where(spread > 0, spread, 1.0)
    return np.asarray(residual)


def residual_figure(task: Task, law: Fitted, *, title: str = "") -> Figure:
    """`residual_plot` of a law's fit to the rows, as one matplotlib figure."""
    return residual_plot(task, residuals_of(task, law), title).figure()
