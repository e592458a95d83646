"""Who works on a run: its sessions, one process each, and how a run changes hands.

The newest session of a run is its only writer: every write to the run first checks, in the same transaction,
that the writer's session is still the newest.  So a process that was taken for dead (a laptop that slept, a
network that broke) cannot write any more once another one has taken the run over, whatever any clock says.
Whether the last session's process lives is asked of the kernel where it ran on this machine; elsewhere its
signs of life are watched for a while, by their count and not by their time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from sldagent import __version__
from sldagent.archive import models
from sldagent.archive.columns import to_json
from sldagent.archive.owner import Owner
from sldagent.archive.records import Origin, SeedRecord, SessionOutcome, SessionRecord
from sldagent.archive.session_models import OriginRow, SeedProgram, SessionRow
from sldagent.errors import ArchiveError

BEAT_SECONDS = 2.0
"""Time between a coordinator's signs of life."""
LEASE_SECONDS = 15.0
"""A coordinator on another machine that gives no sign of life for so long is taken for dead."""

Transaction = Callable[[str], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Resumed:
    """What a run has when a new session takes it over."""

    session: int
    """Number of the new session."""
    committed: int
    """Its candidates."""
    failures: Mapping[str, int]
    """Number of those without a usable evaluation, by reason."""
    seconds: float
    """Search time so far."""


class RunTaken(ArchiveError):
    """The run belongs to another living process."""


def begin(connection: Connection, run: str, owner: Owner, pool: str, now: datetime) -> int:
    """Open the run's next session; its number."""
    last = connection.scalar(select(func.max(SessionRow.n)).where(SessionRow.run == run))
    n = 0 if last is None else int(last) + 1
    values: dict[str, Any] = {
        "run": run, "n": n, "host": owner.host, "machine": owner.machine, "pid": owner.pid, "born": owner.born,
        "version": __version__, "pool": pool, "started": now, "beat": now, "beats": 0, "seconds": 0.0,
        "ended": None, "outcome": "", "stop": False,
    }  # fmt: skip
    connection.execute(insert(SessionRow), values)
    return n


def hold(connection: Connection, run: str, n: int) -> None:
    """Make sure that session `n` still writes the run, until the transaction ends.

    Raises ArchiveError where another process has taken the run over.
    """
    # The row's lock (PostgreSQL; SQLite has one writer anyway) lets no other session begin meanwhile.
    connection.execute(select(models.Run.run).where(models.Run.run == run).with_for_update())
    newest = _newest(connection, run)
    if newest is None or newest.n != n or newest.ended is not None:
        by = "" if newest is None else f" by {newest.owner.words}"
        raise RunTaken(f"run {run} was taken over{by}, so this process may not write to it any more")


def end(connection: Connection, run: str, n: int, outcome: SessionOutcome, seconds: float, now: datetime) -> None:
    """Close a session."""
    values: dict[str, Any] = {"ended": now, "outcome": outcome, "seconds": seconds, "beat": now}
    connection.execute(update(SessionRow).where(SessionRow.run == run, SessionRow.n == n).values(**values))


def spent(connection: Connection, run: str) -> float:
    """Seconds of search in all sessions of the run."""
    return float(connection.scalar(select(func.sum(SessionRow.seconds)).where(SessionRow.run == run)) or 0.0)


def keep_origin(connection: Connection, run: str, origin: Origin, seeds: tuple[SeedRecord, ...]) -> None:
    """Write what the run was started on."""
    values = {
        "run": run, "source": origin.source, "digest": origin.digest, "roles": to_json(origin.roles, "roles"),
        "data": origin.data, "at": origin.at, "jail": origin.jail,
    }  # fmt: skip
    connection.execute(insert(OriginRow), values)
    rows = [{"run": run, "n": n, "operator": s.operator, "source": s.source, "note": s.note} for n, s in enumerate(seeds)]
    if rows:
        connection.execute(insert(SeedProgram), rows)


def reopen(connection: Connection, run: str, seen: SessionRecord | None, owner: Owner, pool: str, now: datetime) -> Resumed:
    """Take the run over from the session that was `seen` last.

    Whatever the end of that session wrote about the run as a whole is undone.  Raises RunTaken where it gave a sign
    of life, or another one began, since it was seen.
    """
    connection.execute(select(models.Run.run).where(models.Run.run == run).with_for_update())
    newest = _newest(connection, run)
    if (newest and (newest.n, newest.beats, newest.ended)) != (seen and (seen.n, seen.beats, seen.ended)):
        raise taken(newest)
    if newest is not None and newest.ended is None:
        end(connection, run, newest.n, "lost", newest.seconds, newest.beat)
    values: dict[str, Any] = {"status": "running", "finished": None, "choice": None, "reason": "", "extra": {}}
    connection.execute(update(models.Run).where(models.Run.run == run).values(**values))
    for derived in (models.Shortlist, models.ParameterRow):
        connection.execute(delete(derived).where(derived.run == run))
    seconds = spent(connection, run)
    of_run = models.FailureRow.run == run
    reasons = select(models.FailureRow.reason, func.count()).where(of_run).group_by(models.FailureRow.reason)
    last = connection.scalar(select(func.max(models.Candidate.k)).where(models.Candidate.run == run))
    failures = {reason: int(count) for reason, count in connection.execute(reasons)}
    return Resumed(begin(connection, run, owner, pool, now), 0 if last is None else int(last) + 1, failures, seconds)


def taken(session: SessionRecord | None) -> RunTaken:
    """What to tell the one who comes too late."""
    if session is None:
        return RunTaken("another process took the run just now")
    return RunTaken(
        f"run {session.run} is being worked on by {session.owner.words}, which is alive; "
        f"watch it with 'sldagent status {session.run}', or end it with 'sldagent stop {session.run}'"
    )


def session_records(connection: Connection, run: str) -> tuple[SessionRecord, ...]:
    """All sessions of a run, in order."""
    query = select(*SessionRow.__table__.columns).where(SessionRow.run == run).order_by(SessionRow.n)
    return tuple(_record(row) for row in connection.execute(query).mappings())


def _newest(connection: Connection, run: str) -> SessionRecord | None:
    query = select(*SessionRow.__table__.columns).where(SessionRow.run == run).order_by(SessionRow.n.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def _record(row: RowMapping) -> SessionRecord:
    values = {k: v for k, v in row.items() if k not in ("host", "machine", "pid", "born")}
    return SessionRecord(owner=Owner(row["host"], row["machine"], row["pid"], row["born"]), **values)


class SessionStore:
    """Sessions of the runs of one archive."""

    def __init__(self, read: Transaction, write: Transaction, clock: Callable[[], datetime]) -> None:
        self._read = read
        self._write = write
        self._clock = clock

    def of_run(self, run: str) -> list[SessionRecord]:
        """All sessions of a run, in order; none for a run of an older release."""
        with self._read("read sessions") as connection:
            return list(session_records(connection, run))

    def origin(self, run: str) -> Origin | None:
        """What the run was started on; None for a run of an older release."""
        names = ("source", "digest", "roles", "data", "at", "jail")
        query = select(*(OriginRow.__table__.c[name] for name in names)).where(OriginRow.run == run)
        with self._read("read an origin") as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Origin(**row)

    def seeds(self, run: str) -> list[SeedRecord]:
        """Programs that the run was given, in order."""
        query = select(SeedProgram.operator, SeedProgram.source, SeedProgram.note).where(SeedProgram.run == run)
        with self._read("read seed programs") as connection:
            return [SeedRecord(*row) for row in connection.execute(query.order_by(SeedProgram.n))]

    def beat(self, run: str, n: int, seconds: float) -> bool:
        """Give a sign of life; True where somebody asks the session to end.  Raises RunTaken."""
        mine = (SessionRow.run == run) & (SessionRow.n == n)
        with self._write("give a sign of life") as connection:
            hold(connection, run, n)
            values = {"beat": self._clock(), "beats": SessionRow.beats + 1, "seconds": seconds}
            connection.execute(update(SessionRow).where(mine).values(values))
            return bool(connection.scalar(select(SessionRow.stop).where(mine)))

    def ask_to_stop(self, run: str) -> SessionRecord:
        """Ask the run's living session to end.  Raises ArchiveError where there is none."""
        with self._write("ask for the end of a run") as connection:
            newest = _newest(connection, run)
            if newest is None or newest.ended is not None:
                raise ArchiveError(f"nobody works on run {run}, so there is nothing to stop")
            if newest.owner.lives() is False:
                raise ArchiveError(f"run {run} was left by {newest.owner.words}, which is dead: sldagent resume {run}")
            mine = (SessionRow.run == run) & (SessionRow.n == newest.n)
            connection.execute(update(SessionRow).where(mine).values(stop=True))
            return newest

    def wait_for_death(
        self, run: str, *, patience: float = LEASE_SECONDS, sleep: Callable[[float], None] = time.sleep
    ) -> SessionRecord | None:
        """The run's newest session, once it is sure that nobody works on it; None where there never was one.

        Returns at once where the session has ended or its process can be seen to be gone; otherwise it must give no
        sign of life for `patience` seconds.  Raises RunTaken where it is alive.
        """
        first = self._last(run)
        if first is None or first.ended is not None:
            return first
        lives = first.owner.lives()
        if lives is False:
            return first
        recent = abs((self._clock() - first.beat).total_seconds()) < LEASE_SECONDS
        if lives and recent:
            raise taken(first)
        # Elsewhere, or a process that lives and may have left the run (a notebook): only the count can tell.
        sleep(patience)
        again = self._last(run)
        if again is None or (again.ended is None and (again.n, again.beats) != (first.n, first.beats)):
            raise taken(again)
        return again

    def _last(self, run: str) -> SessionRecord | None:
        with self._read("read sessions") as connection:
            return _newest(connection, run)
