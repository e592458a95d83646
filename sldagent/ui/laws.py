"""The pages of single laws: formula, fit, ancestry, talk; their drawings; two laws side by side.

What they need (pandas, matplotlib, the tape interpreter) is imported when the first of them is asked for.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from sldagent.errors import ArchiveError, ArchiveUnavailable, SldagentError
from sldagent.ui.render import Renderer, unchanged
from sldagent.ui.run import law_path
from sldagent.ui.source import Opened, Source

if TYPE_CHECKING:
    from sldagent.report.compare import Comparison, Judged
    from sldagent.ui.drawing import Drawings
    from sldagent.ui.rows import TrainingRows

DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""Of a drawing, also when it is opened by itself: its own style, and nothing else."""


class LawPages:
    """The handlers."""

    def __init__(self, source: Source, render: Renderer) -> None:
        self._source = source
        self._render = render
        self._lock = Lock()
        self._made: tuple[TrainingRows, Drawings] | None = None

    @property
    def _tools(self) -> tuple[TrainingRows, Drawings]:
        with self._lock:
            if self._made is None:
                from sldagent.ui.drawing import Drawings
                from sldagent.ui.rows import TrainingRows

                rows = TrainingRows()
                self._made = rows, Drawings(rows)
            return self._made

    def law(self, request: Request) -> Response:
        """A law: formula, figures, fit, cuts, values, ancestry, and what a model said."""
        from sldagent.ui.law import law_page

        opened = self._source.get()
        k = request.path_params["k"]
        stamp = opened.watcher.stamp(request.path_params["run"])
        short = unchanged(request, stamp)
        if short is not None:
            return short
        page = law_page(opened, self._tools[0], request.path_params["run"], k)
        values = {
            "page": page, "link": lambda k: law_path(page.run.run, k), "path": law_path(page.run.run, k),
            "e": page.law.evaluation, "asked": page.law.asked, "live": False,
        }  # fmt: skip
        return self._render.tagged(request, "law.html", values, stamp)

    def drawing(self, request: Request) -> Response:
        """A plot of a law."""
        given = request.path_params
        drawing = self._tools[1].get(self._source.get(), f"{given['run']}-{given['k']}", given["name"])
        headers = {"Content-Security-Policy": DRAWING_POLICY, "Cache-Control": "private, max-age=600"}
        return Response(drawing, media_type="image/svg+xml", headers=headers)

    def compare(self, request: Request) -> Response:
        """Two laws side by side: those named in the form, where it names any."""
        given = [text.strip() for text in request.query_params.getlist("law")][:2]
        names = [*given, "", ""][:2]
        values: dict[str, object] = {"names": names, "found": None, "error": "", "live": False}
        status = 200
        if any(names):
            try:
                values |= self._compared(self._source.get(), names)
            except ArchiveUnavailable:
                raise
            except SldagentError as error:
                values["error"], status = str(error), 404 if isinstance(error, ArchiveError) else 400
        return self._render.page("compare.html", values, status)

    def _compared(self, opened: Opened, names: list[str]) -> dict[str, object]:
        from sldagent.report.compare import FIGURES, compare_laws
        from sldagent.ui.law import formula_of

        if not all(names):
            raise ArchiveError("give two laws, each by its id (or a run's id for its choice)")
        first, second = (_judged(opened, name) for name in names)
        found: Comparison = compare_laws(first, second)
        formulas = [formula_of(law.program.law, law) for law in found.laws]
        return {"found": found, "formulas": formulas, "figures": FIGURES}


def _judged(opened: Opened, name: str) -> Judged:
    """A law of the archive, and never a file."""
    from sldagent.fitted import from_candidate

    run, record = opened.archive.law(name)
    return from_candidate(run, record), record
