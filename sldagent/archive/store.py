"""`Archive`: the one door to the database.

The contract, the same for every database (and tested by one suite over all of them):

* A run has one writer: the `Archive` that started it, or the one that took it over with `resume_run`, from when on
  the former is refused.  Others may read the run at any time, and see whole commits only.
* `commit` is one transaction: after it returns the candidates and log lines survive the death of the process, and when
  it raises none of them is there.
* A committed candidate never changes and never goes; the database itself refuses.
* What comes out equals what went in: every number of an Evaluation, infinities and NaN included.
* A server that goes away (PostgreSQL) is waited for, longer and longer, up to `patience` seconds; what was under way is
  then done once, whether or not it had been committed.  A server that stays away is an ArchiveUnavailable.
* Every error is an ArchiveError of one sentence.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine

from sldagent.archive import checkpoints as points
from sldagent.archive import parameters, proposals, prune, read, references, sessions, write
from sldagent.archive.chat import ChatStore
from sldagent.archive.engine import (
    LOCK_SECONDS,
    Address,
    check_file,
    make_engine,
    parse_address,
    writing,
)
from sldagent.archive.mapping import finite
from sldagent.archive.migrate import ensure_current
from sldagent.archive.owner import Owner, this_process
from sldagent.archive.patience import PATIENCE, Patience
from sldagent.archive.reader import Reader
from sldagent.archive.records import (
    CandidateRecord,
    Checkpoint,
    FinalStatus,
    Note,
    Origin,
    ReferenceRecord,
    SeedRecord,
    SessionRecord,
)
from sldagent.archive.sessions import Resumed, SessionStore
from sldagent.archive.trouble import explained
from sldagent.errors import ArchiveError

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class _Held:
    """A run that an `Archive` object writes."""

    islands: int
    session: int


def utc_now() -> datetime:
    return datetime.now(UTC)


class Archive(Reader):
    """An open archive; make one with `Archive.open` and use it as a context manager."""

    def __init__(
        self, address: Address, engine: Engine, *, read_only: bool, clock: Clock, patience: Patience | None = None
    ) -> None:
        super().__init__(address, engine)
        self._read_only = read_only
        self._clock = clock
        self._patience = patience or Patience()
        self._held: dict[str, _Held] = {}

    @classmethod
    def open(
        cls,
        url: str,
        *,
        read_only: bool = False,
        create: bool = True,
        timeout: float = LOCK_SECONDS,
        patience: float = PATIENCE,
        clock: Clock = utc_now,
    ) -> Archive:
        """Open an archive, making it first where there is none.

        Args:
            url: ``sqlite:///FILE``, a file name, or ``postgresql://USER@HOST/DATABASE``.
            read_only: never write, and never make one.
            create: False refuses an archive that does not exist.
            timeout: seconds to wait for another process's write to end, or for a server that does not answer yet.
            patience: seconds to wait for a server that goes away later.
            clock: tells the time of commits.

        Raises ArchiveError: no such archive or folder, not writable, not an archive, damaged, or of another
        version.
        """
        address = parse_address(url)
        check_file(address, read_only=read_only, create=create)
        engine = make_engine(address, read_only=read_only, timeout=timeout)
        try:
            wait = Patience(timeout if address.file is None else 0.0)
            wait.persist(lambda _: ensure_current(engine, address, create=create and not read_only))
        except BaseException:
            engine.dispose()
            raise
        return cls(address, engine, read_only=read_only, clock=clock, patience=Patience(patience))

    def close(self) -> None:
        """Let go of the database; a second call does nothing."""
        with explained(self.place, "close it"):
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Archive {self.place}{' (read-only)' if self._read_only else ''}>"

    @contextmanager
    def _write(self, action: str) -> Iterator[Connection]:
        if self._read_only:
            raise ArchiveError(f"the archive {self.place} was opened for reading only, so nothing can {action} there")
        with explained(self.place, action), writing(self._engine) as connection:
            yield connection

    def _once(
        self, action: str, work: Callable[[Connection], object], done: Callable[[Connection], bool] = lambda _: False
    ) -> None:
        """`work` in a write transaction, again after the server was lost; `done` finds what had been committed."""

        def attempt(first: bool) -> None:
            with self._write(action) as connection:
                if first or not done(connection):
                    work(connection)

        self._patience.persist(attempt)

    def _add(
        self, run: str, action: str, work: Callable[[Connection, _Held], object], done: Callable[[Connection], bool]
    ) -> None:
        """`_once` for a run that this object still holds."""
        held = self._held.get(run)
        if held is None:
            raise ArchiveError(f"run {run} is not being written here: only the process that works on a run may add to it")

        def guarded(connection: Connection) -> None:
            sessions.hold(connection, run, held.session)
            work(connection, held)

        self._once(action, guarded, done)

    def give_up_when(self, condition: Callable[[], bool]) -> None:
        """End a wait for a lost server early when `condition` holds."""
        self._patience.give_up_when = condition

    # Writing
    #

    def new_run_id(self, task: str, token: Callable[[], str] = lambda: secrets.token_hex(3)) -> str:
        """A short readable id that the archive does not have: the task's name and six hexadecimal digits."""
        slug = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")[:24].strip("-") or "run"
        with self._read() as connection:
            known = set(read.run_ids(connection))
        for _ in range(1000):
            name = f"{slug}-{token()}"
            if name not in known:
                return name
        raise ArchiveError(f"no free run id for the task {task} in the archive {self.place}; use a new archive")

    def start_run(
        self,
        *,
        run: str,
        task: str,
        seed: int,
        config: Mapping[str, Any],
        card: Mapping[str, Any],
        mode: str,
        islands: Sequence[Mapping[str, Any]],
        origin: Origin | None = None,
        seeds: Sequence[SeedRecord] = (),
        reference_programs: Sequence[ReferenceRecord] = (),
        notes: Sequence[Note] = (),
        pool: str = "",
        owner: Owner | None = None,
    ) -> int:
        """Begin a run; this object is its writer from here on, as the session whose number is returned.

        Args:
            islands: each island's ``temperature``, ``bias`` and whatever else is worth keeping, in order.
            origin, seeds: what the run is started on and the programs it is given; None: it cannot be continued later.
            reference_programs: program files that it is given and that are no laws.
            notes: first lines of its log.
            pool: who evaluates, in words.
            owner: the process that works on the run; None: this one.
        """
        now = self._clock()
        numbers: list[int] = []

        def work(connection: Connection) -> None:
            write.start_run(
                connection, run=run, task=task, seed=seed, config=config, card=card, mode=mode, islands=islands, started=now,
            )  # fmt: skip
            if origin is not None:
                sessions.keep_origin(connection, run, origin, tuple(seeds))
            references.add(connection, run, reference_programs)
            write.add_notes(connection, run, notes, now)
            numbers.append(sessions.begin(connection, run, owner or this_process(), pool, now))

        self._once("start a run", work, lambda c: write.started(c, run, now))
        self._held[run] = _Held(len(islands), numbers[-1])
        return numbers[-1]

    def resume_run(self, run: str, seen: SessionRecord | None, *, pool: str = "", owner: Owner | None = None) -> Resumed:
        """Take a run over; this object is its writer from here on.

        `seen` is what `SessionStore.wait_for_death` returned.  Raises RunTaken where another process was faster.
        """
        with self._write("resume a run") as connection:
            resumed = sessions.reopen(connection, run, seen, owner or this_process(), pool, self._clock())
            islands = read.island_count(connection, run)
        self._held[run] = _Held(islands, resumed.session)
        return resumed

    def commit(
        self, run: str, records: Sequence[CandidateRecord], notes: Sequence[Note] = (),
        checkpoints: Sequence[Checkpoint] = (),
    ) -> None:  # fmt: skip
        """Add finished candidates, lines of the run's log and checkpoints of its search, all or none.

        Raises ArchiveError; what was committed before stays.
        """
        now = self._clock()

        def work(connection: Connection, held: _Held) -> None:
            write.commit(connection, run, records, held.islands, now)
            proposals.add(connection, run, records, now)
            write.add_notes(connection, run, notes, now)
            points.add(connection, run, checkpoints)

        def done(connection: Connection) -> bool:
            if records:
                return write.committed(connection, run, records)
            return bool(notes) and write.logged(connection, run, notes[0], now)

        self._add(run, "commit candidates", work, done)

    def drop_checkpoints(self, run: str, after: int = -1) -> None:
        """Let go of checkpoints of more than `after` candidates."""
        self._add(run, "drop checkpoints", lambda c, _: points.drop(c, run, after), lambda _: False)

    def finish_run(
        self,
        run: str,
        *,
        status: FinalStatus,
        choice: int | None,
        shortlist: Sequence[int],
        reason: str,
        candidates: int,
        failures: int,
        seconds: float,
        session_seconds: float | None = None,
        extra: Mapping[str, Any] | None = None,
        notes: Sequence[Note] = (),
    ) -> None:
        """Close a run with its outcome, and write the parameters of the front, choice and short list as
        rows.

        `seconds` is the search time of the whole run, `session_seconds` that of the present session (None: the same).
        """
        mine = seconds if session_seconds is None else session_seconds
        finished = self._clock()

        def work(connection: Connection, held: _Held) -> None:
            write.finish_run(
                connection, run, status=status, choice=choice, shortlist=shortlist, reason=reason,
                candidates=candidates, failures=failures, seconds=seconds, extra=extra or {}, finished=finished,
            )  # fmt: skip
            shown = {*read.front_indices(connection, run), *shortlist} | (set() if choice is None else {choice})
            parameters.materialise(connection, run, sorted(shown))
            if status == "complete":
                points.drop(connection, run)
            write.add_notes(connection, run, notes, finished)
            sessions.end(connection, run, held.session, status, finite(mine) or 0.0, finished)

        self._add(run, "finish a run", work, lambda c: write.finished(c, run, finished))
        del self._held[run]

    def materialise_parameters(self, run: str, ks: Sequence[int]) -> None:
        """Write the fitted values of these candidates as rows of `parameter`, where they are not yet."""
        self._once("write parameters", lambda c: parameters.materialise(c, read.resolve_run(c, run), ks))

    def log_scoring(self, law_id: str, split: str, source: str, rows: int, metrics: Mapping[str, Any]) -> None:
        """Log that a law read rows outside training.

        `metrics` holds ``r2``, ``nmse``, ``nmae`` and, by target, ``per_target``.  A law that is not in this
        archive (an exported file) is logged by its id alone.
        """
        created = self._clock()

        def work(connection: Connection) -> None:
            key: tuple[str, int] | None
            try:
                key = read.resolve_law(connection, law_id)
            except ArchiveError:
                key = None
            law = law_id if key is None else f"{key[0]}-{key[1]}"
            write.add_scoring(connection, law, key, split, source, rows, metrics, created)

        self._once("log a scoring", work, lambda c: write.scored(c, split, source, created))

    def chats(self) -> ChatStore:
        """The calls to language models: requests, answers, attempts and what they cost."""
        return ChatStore(self._read, self._write, self._clock, self._patience)

    def prune(self, keep: int, kinds: Sequence[str], *, dry_run: bool = False) -> dict[str, int]:
        """Let go of bulky rows of ended runs but the newest `keep` (see `sldagent.archive.prune`); rows by kind."""
        with self._read() if dry_run else self._write("prune it") as connection:
            return prune.prune(connection, keep, kinds, dry_run=dry_run)

    def sessions(self) -> SessionStore:
        """Who works, or worked, on the runs."""
        return SessionStore(self._read, self._write, self._clock)
