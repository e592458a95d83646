"""The plots of a law that matplotlib draws, as SVG documents of their own."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from sldagent.errors import SldagentError
from sldagent.fitted import from_candidate
from sldagent.report.figures import Curve, fit_figure, residual_figure, scatter_plot, svg
from sldagent.ui.rows import TrainingRows
from sldagent.ui.source import Opened

KEPT = 40
"""Drawings kept; of more, those not asked for longest are let go."""


class Drawings:
    """Draws each plot once: laws and their rows do not change.  Safe to use from several threads, one drawing at a time."""

    def __init__(self, tables: TrainingRows) -> None:
        self._tables = tables
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()

    def get(self, opened: Opened, law_id: str, name: str) -> str:
        """The plot `name` of a law (see `sldagent.ui.law.LawPage.plots`).

        Raises SldagentError for an unknown law or plot, or where its rows are not at hand.
        """
        with self._lock:
            key = (law_id, name)
            drawing = self._kept.pop(key, None)
            if drawing is None:
                drawing = self._draw(opened, law_id, name)
            self._kept[key] = drawing
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return drawing

    def _draw(self, opened: Opened, law_id: str, name: str) -> str:
        run, record = opened.archive.law(law_id)
        task = self._tables.of(opened.archive, run)
        law = from_candidate(run, record)
        # A curve without interval: to measure one compiles the fitting kernels, which takes seconds and 100 MB.
        curve = Curve("choice", law.law, law)
        kind, _, symbol = name.partition("-")
        if kind == "fit" and symbol in task.symbols:
            figure = fit_figure(task, [curve], symbol)
        elif name == "scatter":
            figure = scatter_plot(task, [curve], "").figure()
        elif name == "residuals":
            figure = residual_figure(task, law)
        else:
            raise SldagentError(f"law {law_id} has no plot '{name}'")
        return svg(figure)
