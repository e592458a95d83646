"""Looking at runs while they work: everything that a page on a run shows, from one snapshot.

A `Watcher` keeps the sums over candidates that it has seen (`sldagent.archive.tallies`), so that a second look reads only
what came since the first.  Every look is one short read transaction: it sees whole commits only and never keeps the
writer waiting.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Select, case, func, select, text

from sldagent.archive import models, read
from sldagent.archive.chat_models import ChatAttempt
from sldagent.archive.records import RunRecord, SessionRecord
from sldagent.archive.session_models import SessionRow
from sldagent.archive.sessions import session_records
from sldagent.archive.tallies import Point, Tallies, best_by_complexity, front_of

Read = Callable[[], AbstractContextManager[Connection]]

KEPT_RUNS = 32
"""Runs whose sums are kept; of more, those not looked at for longest are forgotten."""
LOG_LINES = 200
"""Lines of a run's log that a look brings, the newest."""


@dataclass(frozen=True)
class RunLine:
    """A run in a list of runs."""

    run: str
    task: str
    status: str
    mode: str
    seed: int
    started: datetime
    finished: datetime | None
    seconds: float
    candidates: int
    failures: int
    choice: int | None
    best: float | None
    """Lowest X of its usable laws."""
    formula: str
    """Of the choice, else of the law of lowest X."""


@dataclass(frozen=True)
class LawLine:
    """A law in a table."""

    k: int
    formula: str
    x: float | None
    x_se: float | None
    complexity: float | None
    mdl: float | None
    scalars: int
    train_r2: float | None
    operator: str
    island: int


@dataclass(frozen=True)
class FailedLine:
    """A candidate that may not be chosen."""

    k: int
    operator: str
    formula: str
    why: str


@dataclass(frozen=True)
class IslandLine:
    """How a sub-population was set up."""

    island: int
    temperature: float | None
    bias: str


@dataclass(frozen=True)
class LogLine:
    """A line of a run's log."""

    n: int
    created: datetime
    kind: str
    message: str


@dataclass(frozen=True)
class Spending:
    """What a run's requests to language models were charged, by how they ended."""

    state: str
    """open, answered, refused, unclear or lost."""
    calls: int
    tokens: int
    usd: float
    unpriced: int
    """Of them without a known price."""


@dataclass(frozen=True)
class Picture:
    """A run at one moment."""

    run: RunRecord
    sessions: tuple[SessionRecord, ...]
    tallies: Tallies
    """A copy; over all candidates committed at that moment."""
    best: tuple[Point, ...]
    """Of each complexity the usable law of lowest X, simplest first."""
    front: tuple[Point, ...]
    """The non-dominated ones of these."""
    laws: dict[int, LawLine]
    """The laws of the front, the short list and the choice, by index."""
    islands: tuple[IslandLine, ...]
    spending: tuple[Spending, ...]
    ledger: dict[tuple[str, str], float]
    """Cost of the answers that candidates took: (kind, unit) -> amount."""
    log: tuple[LogLine, ...]
    """Its newest lines, newest first."""


class Watcher:
    """Looks at runs of one archive; `Archive.watcher` makes it.  Safe to use from several threads.

    Every method raises ArchiveError when the database refuses, or for an unknown run.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = Lock()
        self._seen: OrderedDict[str, Tallies] = OrderedDict()

    def runs(self, limit: int, before: tuple[datetime, str] | None = None) -> list[RunLine]:
        """The newest runs, newest first; those that follow the one that started at `before` where it is given."""
        with self._read() as connection:
            return [RunLine(**row) for row in connection.execute(_runs(before).limit(limit)).mappings()]

    def stamp(self, run: str) -> str:
        """A text that changes when anything that a look shows has changed; far cheaper than a look."""
        with self._read() as connection:
            name = read.resolve_run(connection, run)
            row = connection.execute(text(_STAMP), {"run": name}).one()
        return "-".join(str(value) for value in row)

    def look(self, run: str) -> Picture:
        """The run whose id is `run`, or begins so, at this moment."""
        with self._lock, self._read() as connection:
            name = read.resolve_run(connection, run)
            return self._picture(connection, name)

    def failed(self, run: str, reason: str | None, limit: int) -> list[FailedLine]:
        """The newest candidates of a run that failed for this reason; None: those that were fitted and are not valid."""
        c, e, f = models.Candidate, models.EvaluationRow, models.FailureRow
        if reason is not None:
            query = select(c.k, c.operator, c.formula, f.detail.label("why")).join(f, (f.run == c.run) & (f.k == c.k))
            query = query.where(f.run == run, f.reason == reason)
        else:
            query = select(c.k, c.operator, c.formula, e.invalid_reason.label("why"))
            query = query.join(e, (e.run == c.run) & (e.k == c.k)).outerjoin(f, (f.run == c.run) & (f.k == c.k))
            query = query.where(c.run == run, ~e.usable, f.k.is_(None))
        with self._read() as connection:
            found = connection.execute(query.order_by(c.k.desc()).limit(limit)).mappings()
            return [FailedLine(**row) for row in found]

    def children(self, run: str, k: int, limit: int) -> list[LawLine]:
        """The first laws that were made from this one."""
        p = models.Parentage
        query = select(p.k).where(p.run == run, p.parent == k).distinct().order_by(p.k).limit(limit)
        with self._read() as connection:
            return list(law_lines(connection, run, list(connection.scalars(query))).values())

    def _picture(self, connection: Connection, run: str) -> Picture:
        record = read.runs(connection, run)[0]
        tallies = self._tallies(connection, run)
        best = tuple(best_by_complexity(connection, run))
        front = tuple(front_of(best))
        shown = {*(p.k for p in front), *record.shortlist} | (set() if record.choice is None else {record.choice})
        return Picture(
            run=record,
            sessions=session_records(connection, run),
            tallies=deepcopy(tallies),
            best=best,
            front=front,
            laws=law_lines(connection, run, sorted(shown)),
            islands=_islands(connection, run),
            spending=_spending(connection, run),
            ledger=_ledger(connection, run),
            log=_log(connection, run),
        )

    def _tallies(self, connection: Connection, run: str) -> Tallies:
        last = connection.scalar(select(func.max(models.Candidate.k)).where(models.Candidate.run == run))
        known = self._seen.pop(run, None)
        upto = -1 if last is None else int(last)
        tallies = known if known is not None and known.upto <= upto else Tallies()
        tallies.fold(connection, run, upto)
        self._seen[run] = tallies
        while len(self._seen) > KEPT_RUNS:
            self._seen.popitem(last=False)
        return tallies


_STAMP = """
SELECT r.status, r.candidates, r.failures, r.choice, r.finished,
       (SELECT MAX(n) FROM session WHERE run = :run),
       (SELECT MAX(beats) FROM session WHERE run = :run),
       (SELECT COUNT(*) FROM session WHERE run = :run AND stop),
       (SELECT MAX(n) FROM event WHERE run = :run),
       (SELECT COUNT(*) FROM chat_attempt WHERE run = :run AND state <> 'open'),
       (SELECT MAX(n) FROM chat_attempt WHERE run = :run)
FROM run AS r WHERE r.run = :run
"""


def _runs(before: tuple[datetime, str] | None) -> Select[Any]:
    r, e, c = models.Run, models.EvaluationRow, models.Candidate
    lowest = e.run == r.run, e.usable
    best = select(e.k).where(*lowest).order_by(e.x, e.k).limit(1).correlate(r).scalar_subquery()
    best_x = select(e.x).where(*lowest).order_by(e.x, e.k).limit(1).correlate(r).scalar_subquery()
    spent = select(func.sum(SessionRow.seconds)).where(SessionRow.run == r.run).scalar_subquery()
    formula = select(c.formula).where(c.run == r.run, c.k == func.coalesce(r.choice, best)).correlate(r).scalar_subquery()
    seconds = case((r.status == "running", func.coalesce(spent, 0.0)), else_=r.seconds)  # written at a run's end
    query = select(
        r.run, r.task, r.status, r.mode, r.seed, r.started, r.finished, seconds.label("seconds"), r.candidates, r.failures,
        r.choice, best_x.label("best"), func.coalesce(formula, "").label("formula"),
    )  # fmt: skip
    if before is not None:
        started, run = before
        query = query.where((r.started < started) | ((r.started == started) & (r.run < run)))
    return query.order_by(r.started.desc(), r.run.desc())


def law_lines(connection: Connection, run: str, ks: Sequence[int]) -> dict[int, LawLine]:
    """Lines of these candidates, by index."""
    c, e = models.Candidate, models.EvaluationRow
    columns = (c.k, c.formula, e.x, e.x_se, e.complexity, e.mdl, e.scalars, e.train_r2, c.operator, c.island)
    query = select(*columns).join(e, (e.run == c.run) & (e.k == c.k)).where(c.run == run, c.k.in_(list(ks)))
    return {row["k"]: LawLine(**row) for row in connection.execute(query.order_by(c.k)).mappings()}


def _islands(connection: Connection, run: str) -> tuple[IslandLine, ...]:
    i = models.Island
    query = select(i.island, i.temperature, i.bias).where(i.run == run).order_by(i.island)
    return tuple(IslandLine(*row) for row in connection.execute(query))


def _spending(connection: Connection, run: str) -> tuple[Spending, ...]:
    a = ChatAttempt
    query = (
        select(a.state, func.count(), func.sum(a.tokens), func.sum(a.usd), func.count() - func.count(a.usd))
        .where(a.run == run)
        .group_by(a.state)
        .order_by(a.state)
    )
    return tuple(
        Spending(state, int(calls), int(tokens or 0), float(usd or 0.0), int(unpriced))
        for state, calls, tokens, usd, unpriced in connection.execute(query)
    )


def _ledger(connection: Connection, run: str) -> dict[tuple[str, str], float]:
    entry = models.Ledger
    query = select(entry.kind, entry.unit, func.sum(entry.amount)).where(entry.run == run).group_by(entry.kind, entry.unit)
    return {(kind, unit): float(amount) for kind, unit, amount in connection.execute(query)}


def _log(connection: Connection, run: str) -> tuple[LogLine, ...]:
    e = models.Event
    query = select(e.n, e.created, e.kind, e.message).where(e.run == run).order_by(e.n.desc()).limit(LOG_LINES)
    return tuple(LogLine(*row) for row in connection.execute(query))
