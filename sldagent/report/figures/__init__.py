"""Figures of laws and runs, drawn by matplotlib without a display.

Every ``..._plot`` function returns a `Plot`: panels, labels and a legend that are not laid out yet.  `Plot.figure` makes
one matplotlib figure of it, for a file; `Plot.pieces` a figure for each panel, for a page that puts them beside each other
as its width allows and says head and legend in its own text.  `svg` turns a figure into text for a page, `save` into a file:

    from sldagent.report.figures import fit_figure, svg

    svg(fit_figure(task, law, "N"), prefix="n-", alt="the law along N")

| function | shows | its data |
|---|---|---|
| `fit_plot` (`fit_figure`) | a law along one variable, with interval, other laws and rows | `Task`, `Fitted` |
| `lines_plot`, `scatter_plot` | the same from `Curve`s; predictions against measurements | `Task`, `Curve`s |
| `residual_plot` (`residual_figure`) | residuals along every variable, by regime | `Task`, `Fitted` |
| `cuts_plot` | errors on every cut | `CutErrors` |
| `front_plot` | X against C | `CandidateRow`s |
| `progress_plot` | X by candidate | `CandidateRow`s |

Rows of a task that are not for training are drawn too, where it holds any: pass ``task.part("train")`` to leave them out.
matplotlib is imported when the first figure is made.
"""

from sldagent.report.figures.along import lines_plot
from sldagent.report.figures.curves import Curve, group_order
from sldagent.report.figures.cuts import CutErrors, cut_errors, cuts_plot
from sldagent.report.figures.files import FORMATS, encoded, save, svg
from sldagent.report.figures.fit import drawable, fit_figure, fit_plot, residual_figure, residuals_of
from sldagent.report.figures.front import front_plot
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.progress import progress_plot
from sldagent.report.figures.residuals import residual_plot
from sldagent.report.figures.scatter import scatter_plot
from sldagent.report.figures.slices import axis_of, slices_of

__all__ = [
    "FORMATS",
    "Curve",
    "CutErrors",
    "Panel",
    "Plot",
    "axis_of",
    "cut_errors",
    "cuts_plot",
    "drawable",
    "encoded",
    "fit_figure",
    "fit_plot",
    "front_plot",
    "group_order",
    "lines_plot",
    "progress_plot",
    "residual_figure",
    "residual_plot",
    "residuals_of",
    "save",
    "scatter_plot",
    "slices_of",
    "svg",
]
