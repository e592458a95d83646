"""Templates to answers: everything that a template shows is escaped, unless it was made as markup here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sldagent import __version__
from sldagent.resources import shipped
from sldagent.ui.charts import lineage_chart, swatch
from sldagent.ui.run import PARTS, law_path, run_path
from sldagent.ui.words import FILTERS, percent


class Renderer:
    """Renders the templates in ``ui/templates``."""

    def __init__(self, place: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(shipped("ui") / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters.update(FILTERS)
        self._environment.globals.update(
            place=place, version=__version__, parts=PARTS, run_path=run_path, law_path=law_path, percent=percent,
            lineage_chart=lineage_chart, swatch=swatch,
        )  # fmt: skip

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """An answer that is always sent."""
        return HTMLResponse(self._environment.get_template(template).render(**values), status)

    def tagged(self, request: Request, template: str, values: Mapping[str, Any], stamp: str) -> Response:
        """An answer that is sent where the browser has not got it already: `stamp` tells one from another."""
        answer = self.page(template, values)
        answer.headers["ETag"] = tag(request, stamp)
        return answer


def tag(request: Request, stamp: str) -> str:
    """The entity tag of what an address shows at one moment."""
    digest = hashlib.sha256(f"{__version__} {request.url.path}?{request.url.query} {stamp}".encode())
    return f'"{digest.hexdigest()[:24]}"'


def unchanged(request: Request, stamp: str) -> Response | None:
    """The short answer to a browser that has this already."""
    if request.headers.get("if-none-match") == tag(request, stamp):
        return Response(status_code=304, headers={"ETag": tag(request, stamp)})
    return None
