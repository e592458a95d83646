"""One discovery, from the start of its run in the archive to its choice; in one session or in several."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sldagent.archive.records import (
    CandidateRecord,
    Checkpoint,
    FinalStatus,
    Note,
    Origin,
    ReferenceRecord,
    SeedRecord,
)
from sldagent.archive.sessions import Resumed
from sldagent.errors import ArchiveError
from sldagent.evaluation.choice import choose
from sldagent.evolution.checkpoint import EVERY, Checkpoints
from sldagent.evolution.config import RunConfig
from sldagent.evolution.journal import Journal
from sldagent.evolution.lease import Lease, Pulse
from sldagent.evolution.observer import Event, NullObserver, Observer
from sldagent.evolution.past import Memory, Past, recollected
from sldagent.evolution.plan import Planner
from sldagent.evolution.search import STOP_WORDS, Search
from sldagent.evolution.slots import Models
from sldagent.evolution.stop import StopReason, StopRule, interruptible
from sldagent.evolution.summary import RunSummary
from sldagent.proposers.base import Proposer
from sldagent.workers.base import WorkerPool

NO_CHOICE = "no valid law was found"
NOT_YET = "interrupted before a law could be chosen"


MakeModels = Callable[[str], Models]
"""From the run's id to its language models."""


class RunArchive(Memory, Protocol):
    """The part of `sldagent.archive.store.Archive` that a run writes to, and reads back where it goes on."""

    def new_run_id(self, task: str) -> str: ...

    def start_run(
        self, *, run: str, task: str, seed: int, config: Mapping[str, Any], card: Mapping[str, Any],
        mode: str, islands: Sequence[Mapping[str, Any]], origin: Origin | None, seeds: Sequence[SeedRecord],
        reference_programs: Sequence[ReferenceRecord], notes: Sequence[Note], pool: str,
    ) -> int: ...

    def commit(
        self, run: str, records: Sequence[CandidateRecord], notes: Sequence[Note] = (),
        checkpoints: Sequence[Checkpoint] = (),
    ) -> object: ...

    def finish_run(
        self, run: str, *, status: FinalStatus, choice: int | None, shortlist: Sequence[int], reason: str,
        candidates: int, failures: int, seconds: float, session_seconds: float | None,
        extra: Mapping[str, Any] | None = None, notes: Sequence[Note] = (),
    ) -> object: ...

    def sessions(self) -> Pulse: ...


@dataclass(frozen=True)
class Beginning:
    """What a new run is told about itself, beside its configuration."""

    task: str
    """Its task's name."""
    card: Mapping[str, Any]
    """The task's roles as JSON-able values."""
    mode: str = "blind"
    """``blind`` or ``targeted`` cuts, as the pool's evaluators use."""
    run: str | None = None
    """Its id; None: a free one made from the task's name."""
    origin: Origin | None = None
    """What it is started on; without it, it cannot be continued later."""
    seeds: tuple[SeedRecord, ...] = ()
    """Programs that it was given, as the proposer's first seeds."""
    references: tuple[ReferenceRecord, ...] = ()
    """Program files that it was given, kept beside its candidates."""
    layers: Mapping[str, Any] | None = None
    """Of the jail that untrusted code runs in, kept in the run's log; None: no such code."""
    config: Mapping[str, Any] | None = None
    """What is stored as its configuration; None: the search's own.  A replay ends where the recorded run did, but stores
    what that run was told."""
    ended: StopReason | None = None
    """Why the recorded run ended, for a replay."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """First lines of the run's log."""
        if not self.layers:
            return ()
        where = "in the jail" if self.layers.get("safe") else "WITHOUT a safe jail"
        return (Note("jail", f"untrusted code runs {where}", self.layers),)


def discover(
    beginning: Beginning, config: RunConfig, archive: RunArchive, proposer: Proposer, pool: WorkerPool,
    observer: Observer | None = None, *, stop: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic, workers: str = "", models: MakeModels | None = None,
    checkpoint_every: int = EVERY,
) -> RunSummary:
    """Search for laws until a bound of `config` is met or `stop` is set.

    Args:
        beginning: of the run; `proposer` and the evaluators of `pool` were made for the same task.
        archive: gets the run, its candidates in order and its choice.
        observer: is told of commits and events.
        stop: ends the run cleanly when set; SIGINT and SIGTERM set it while the search is in the main thread.
        clock: seconds from any origin.
        workers: who evaluates, in words.
        models: makes the language models that propose beside `proposer`, once the run is in the archive.
        checkpoint_every: candidates between checkpoints (`sldagent.evolution.checkpoint`).

    Returns:
        The summary; its status is ``stopped`` when the user ended the run or no language model can be asked, else
        ``complete``.

    Raises:
        ArchiveUnavailable: the archive's server went away and stayed away; the run can be resumed.
        ArchiveError: the archive cannot be written.  Whatever the exception, committed candidates are written
            as far as the archive takes them, and the run is marked failed (stopped for a KeyboardInterrupt).
    """
    islands = [{"temperature": config.temperature(i), "bias": config.bias(i)} for i in range(config.islands)]
    run = beginning.run or archive.new_run_id(beginning.task)
    session = archive.start_run(
        run=run, task=beginning.task, seed=config.seed, config=beginning.config or config.to_mapping(), card=beginning.card,
        mode=beginning.mode, islands=islands, origin=beginning.origin, seeds=beginning.seeds,
        reference_programs=beginning.references, notes=beginning.notes, pool=workers,
    )
    past = Past(run, Resumed(session, 0, {}, 0.0), beginning.ended)
    planner = Planner(proposer, models=None if models is None else models(run))
    conduct = _Conduct(past, config, archive, planner, pool, observer or NullObserver(), clock, checkpoint_every)
    return conduct.run(stop or threading.Event(), f"run {run} on {beginning.task}")


def resume(
    past: Past, config: RunConfig, archive: RunArchive, planner: Planner, pool: WorkerPool,
    observer: Observer | None = None, *, stop: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic, checkpoint_every: int = EVERY,
) -> RunSummary:
    """Go on with a run that `archive` has taken over: as `discover` would have, had it never ended.

    `planner` reads candidates' programs back; `proposer`, `pool` and `config` must be those of the run's beginning
    (but for what never changes which candidates there are).  Returns and raises as `discover` does.
    """
    conduct = _Conduct(past, config, archive, planner, pool, observer or NullObserver(), clock, checkpoint_every)
    return conduct.run(stop or threading.Event(), f"run {past.run}: going on after {past.resumed.committed} candidates")


@dataclass(frozen=True)
class _Conduct:
    """One session of a run, from its start in the archive to its end there."""

    past: Past
    config: RunConfig
    archive: RunArchive
    planner: Planner
    pool: WorkerPool
    observer: Observer
    clock: Callable[[], float]
    checkpoint_every: int

    def run(self, stop: threading.Event, start: str) -> RunSummary:
        """Search until the end; `start` is what the observer is told first."""
        past, archive = self.past, self.archive
        rule = StopRule(self.config, stop, self.clock, past.resumed.seconds)
        journal = Journal(archive, past.run, self.clock)
        search: Search | None = None
        lease = Lease(archive.sessions(), past.run, past.resumed.session, stop, lambda: rule.session_seconds)
        try:
            with interruptible(stop), lease:
                self.observer.on_event(Event("start", 0, start))
                search = self._search(journal, rule)
                reason = search.run()
                if search.trouble is None:
                    reason = past.ended or reason
                self.observer.on_event(Event("stop", search.state.committed, STOP_WORDS[reason]))
            journal.flush()
            summary = _summarise(past, search, reason, rule.seconds, archive)
            _finish(archive, summary, rule)
        except BaseException as error:
            status: FinalStatus = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            with contextlib.suppress(ArchiveError):  # the first error is the one to report
                journal.flush()
            with contextlib.suppress(ArchiveError):
                committed, failures = _counts(past, search)
                archive.finish_run(
                    past.run, status=status, choice=None, shortlist=(), reason=f"ended by {type(error).__name__}",
                    candidates=committed, failures=failures, seconds=rule.seconds, session_seconds=rule.session_seconds,
                )
            raise
        self.observer.on_event(Event("end", summary.candidates, f"run {past.run}: {summary.status}"))
        return summary

    def _search(self, journal: Journal, rule: StopRule) -> Search:
        """The search, where earlier sessions left it at their last checkpoint."""
        begun = recollected(self.past, self.config, self.archive, self.planner)
        checkpoints = Checkpoints(self.config, self.checkpoint_every, begun.committed)
        return Search(
            begun.standing, self.planner, self.pool, journal, self.observer, rule, self.clock, checkpoints, begun.candidates,
            self.past.resumed.committed,
        )  # fmt: skip


def _counts(past: Past, search: Search | None) -> tuple[int, int]:
    """Candidates in the archive and failures among them, also while the past is being read back."""
    if search is None or not search.caught_up:
        return past.resumed.committed, sum(past.resumed.failures.values())
    return search.state.committed, search.state.failures.total()


def _finish(archive: RunArchive, summary: RunSummary, rule: StopRule) -> None:
    """Write the end of a session; that of an interrupted one leaves no line in the run's log."""
    reason = summary.stopped_by
    last = Note("stop", STOP_WORDS[reason], {"committed": summary.candidates})
    archive.finish_run(
        summary.run, status=summary.status, shortlist=summary.shortlist,
        choice=None if summary.choice is None else summary.choice.index, reason=summary.reason,
        candidates=summary.candidates, failures=sum(summary.failures.values()), seconds=summary.seconds,
        session_seconds=rule.session_seconds,
        extra={"stopped_by": reason, "failures": dict(summary.failures), "catalogue": list(summary.catalogue)},
        notes=(last,) if summary.status == "complete" else (),
    )


def _summarise(past: Past, search: Search, reason: StopReason, seconds: float, archive: RunArchive) -> RunSummary:
    """Choose among the contenders, which are read back, and gather what a report needs."""
    state = search.state
    status: FinalStatus = "stopped" if reason in ("interrupted", "provider") else "complete"
    if not search.caught_up:
        return RunSummary(
            run=past.run, status=status, stopped_by=reason, seconds=seconds, candidates=past.resumed.committed,
            failures=past.resumed.failures, front=(), choice=None, catalogue=(), records={}, reason=NOT_YET,
        )
    contenders = {record.k: record for record in archive.laws(past.run, tuple(search.contenders.kept))}
    usable = [(k, record.evaluation) for k, record in contenders.items() if record.evaluation.failure is None]
    choice = choose(usable, catalogue=search.catalogue)
    needed = {*state.front.indices, *search.catalogue}
    if choice is not None:
        needed.update((choice.index, *choice.shortlist))
    return RunSummary(
        run=past.run, status=status, stopped_by=reason, seconds=seconds, candidates=state.committed,
        failures=dict(state.failures), front=state.front.indices, choice=choice, catalogue=tuple(search.catalogue),
        records={k: contenders[k] for k in sorted(needed)},
        reason=NO_CHOICE if choice is None else choice.reason, trouble="" if search.trouble is None else str(search.trouble),
    )
