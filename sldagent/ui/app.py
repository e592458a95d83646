"""The routes.  Every one reads and none writes; a handler runs in a thread of its own and answers with a whole page."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sldagent.archive.watch import RunLine
from sldagent.errors import ArchiveError, ArchiveUnavailable, SldagentError
from sldagent.resources import shipped
from sldagent.ui import questions
from sldagent.ui.guard import Guard, Policy
from sldagent.ui.laws import LawPages
from sldagent.ui.render import Renderer, unchanged
from sldagent.ui.run import PARTS, law_path, run_path, view
from sldagent.ui.source import Source

RUNS = 100
"""Runs on one page."""
SHOWN_FAILED = 50


def make_app(source: Source, policy: Policy) -> Starlette:
    """The application on one archive."""
    render = Renderer(source.place)
    pages, laws = Pages(source, render), LawPages(source, render)
    routes = [
        Route("/", pages.runs),
        Route("/go", pages.go),
        Route("/run/{run}", pages.overview),
        Route("/run/{run}/law/{k:int}", laws.law),
        Route("/run/{run}/law/{k:int}/{name}.svg", laws.drawing),
        Route("/run/{run}/{part}", pages.part),
        Route("/compare", laws.compare),
        Route("/sql", pages.sql, methods=["GET"]),
        Route("/sql", pages.sql_form, methods=["POST"]),
        Mount("/static", StaticFiles(directory=shipped("ui") / "static")),
    ]

    def refused(request: Request, error: Exception) -> Response:
        gone = isinstance(error, ArchiveUnavailable)
        return render.page("message.html", {"words": str(error)}, 503 if gone else 404)

    def wrong(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = "there is no such page" if error.status_code == 404 else error.detail
        return render.page("message.html", {"words": words}, error.status_code)

    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, policy=policy)],
        exception_handlers={SldagentError: refused, HTTPException: wrong},
    )


class Pages:
    """The pages of runs, and the one that asks in SQL."""

    def __init__(self, source: Source, render: Renderer) -> None:
        self._source = source
        self._render = render

    def runs(self, request: Request) -> Response:
        """All runs, newest first."""
        lines = self._source.get().watcher.runs(RUNS + 1, _before(request))
        shown, more = lines[:RUNS], len(lines) > RUNS
        stamp = repr(lines)
        values = {
            "runs": shown, "older": _mark(shown[-1]) if more else "", "first": "before" not in request.query_params,
            "live": any(r.status == "running" for r in shown),
        }  # fmt: skip
        return unchanged(request, stamp) or self._render.tagged(request, "runs.html", values, stamp)

    def overview(self, request: Request) -> Response:
        """The front of a run, its progress and its choice."""
        return self._run(request, "front")

    def part(self, request: Request) -> Response:
        """Another page of a run."""
        part = request.path_params["part"]
        if part not in PARTS:
            raise HTTPException(404)
        return self._run(request, part)

    def _run(self, request: Request, part: str) -> Response:
        watcher = self._source.get().watcher
        name = request.path_params["run"]
        stamp = watcher.stamp(name)
        short = unchanged(request, stamp)
        if short is not None:
            return short
        run = view(watcher.look(name))
        values = {"run": run, "part": part, "live": run.live}
        if part == "failures":
            reason = request.query_params.get("reason")
            listed = watcher.failed(run.id, reason or None, SHOWN_FAILED) if reason is not None else []
            values |= {"reason": reason, "listed": listed, "most": SHOWN_FAILED}
        return self._render.tagged(request, f"run_{part}.html", values, stamp)

    def go(self, request: Request) -> Response:
        """To the run or the law that an id names."""
        name = request.query_params.get("id", "").strip()
        archive = self._source.get().archive
        try:
            return RedirectResponse(run_path(archive.run(name).run), 303)
        except ArchiveUnavailable:
            raise
        except ArchiveError as error:
            if "-" not in name:
                raise
            try:
                run, law = archive.law(name)
            except ArchiveError:
                raise error from None
            return RedirectResponse(law_path(run.run, law.k), 303)

    def sql(self, request: Request) -> Response:
        """The form, empty or with a named query and its answer."""
        given = request.query_params
        name = given.get("name", "")
        values = {key: given.get(key, "").strip() for key in ("run", "law")}
        known = questions.named()
        if name and name not in known:
            raise ArchiveError(f"there is no named query '{name}'; there are {', '.join(known)}")
        if not name:
            return self._sql(questions.Question(values=values), ask=False)
        complete = all(values[p] for p in known[name].parameters)
        return self._sql(questions.Question(known[name].sql.strip(), values, name), ask=complete)

    async def sql_form(self, request: Request) -> Response:
        """The form with a question of the user's, and its answer."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > questions.LONGEST:
                raise HTTPException(413, "the query is too long for this form; use 'sldagent sql -'")
        try:
            given = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
        except ValueError:
            raise HTTPException(400, "the form cannot be read") from None
        values = {key: given.get(key, [""])[0].strip() for key in ("run", "law")}
        question = questions.Question(given.get("sql", [""])[0], values)
        return await run_in_threadpool(self._sql, question, ask=True)

    def _sql(self, question: questions.Question, *, ask: bool) -> Response:
        answered = questions.answer(self._source.get(), question) if ask else None
        values = {
            "question": question, "answered": answered, "queries": questions.named(), "rows": questions.ROWS,
            "seconds": questions.LIMITS.seconds, "live": False,
        }  # fmt: skip
        return self._render.page("sql.html", values, 400 if answered and answered.error else 200)


def _mark(line: RunLine) -> str:
    """Where the next page of runs begins."""
    return f"{line.started.astimezone(UTC).isoformat()} {line.run}"


def _before(request: Request) -> tuple[datetime, str] | None:
    given = request.query_params.get("before")
    if given is None:
        return None
    moment, _, run = given.partition(" ")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), run
    except ValueError:
        raise HTTPException(404) from None
