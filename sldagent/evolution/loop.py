"""One discovery, from the start of its run in the archive to its choice."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sldagent.archive.records import CandidateRecord, ReferenceRecord, RunStatus
from sldagent.errors import ArchiveError
from sldagent.evaluation.choice import choose
from sldagent.evolution.config import RunConfig
from sldagent.evolution.journal import Journal
from sldagent.evolution.observer import Event, LoggingObserver, NullObserver, Observer
from sldagent.evolution.plan import Planner
from sldagent.evolution.search import Search
from sldagent.evolution.slots import Models
from sldagent.evolution.state import SearchState
from sldagent.evolution.stop import StopReason, StopRule, interruptible
from sldagent.evolution.summary import RunSummary
from sldagent.proposers.base import Proposer
from sldagent.tasks.task import Task
from sldagent.workers.base import WorkerPool

NO_CHOICE = "no valid law was found"


MakeModels = Callable[[str, threading.Event], Models]
"""From the run's id, and the event that ends the run, to its language models."""


class RunArchive(Protocol):
    """The part of `sldagent.archive.store.Archive` that a run writes to."""

    def new_run_id(self, task: str) -> str: ...

    def start_run(
        self, *, run: str, task: str, seed: int, config: Mapping[str, Any], card: Mapping[str, Any],
        mode: str, islands: Sequence[Mapping[str, Any]],
    ) -> object: ...

    def event(self, run: str, kind: str, message: str, data: Mapping[str, Any] | None = None) -> object: ...

    def add_references(self, run: str, records: Sequence[ReferenceRecord]) -> object: ...

    def commit(self, run: str, records: Sequence[CandidateRecord]) -> object: ...

    def finish_run(
        self, run: str, *, status: RunStatus, choice: int | None, shortlist: Sequence[int], reason: str,
        candidates: int, failures: int, seconds: float, extra: Mapping[str, Any] | None = None,
    ) -> object: ...


def discover(
    task: Task, config: RunConfig, archive: RunArchive, proposer: Proposer, pool: WorkerPool,
    observer: Observer | None = None, *, card: Mapping[str, Any], mode: str = "blind",
    run: str | None = None, stop: threading.Event | None = None, clock: Callable[[], float] = time.monotonic,
    references: Sequence[ReferenceRecord] = (), layers: Mapping[str, Any] | None = None, models: MakeModels | None = None,
) -> RunSummary:
    """Search for laws of `task` until a bound of `config` is met or `stop` is set.

    Args:
        task: the training rows; `proposer` and the evaluators of `pool` were made for the same.
        archive: gets the run, its candidates in order and its choice.
        observer: is told of commits and events.
        card: the task's roles as JSON-able values, stored with the run.
        mode: ``blind`` or ``targeted`` cuts, as the pool's evaluators use.
        run: its id; None: a free one made from the task's name.
        stop: ends the run cleanly when set; SIGINT and SIGTERM set it while the search is in the main thread.
        clock: seconds from any origin.
        references: program files that the run was given, kept beside its candidates.
        models: makes the language models that propose beside `proposer`, once the run is in the archive.
        layers: of the jail that untrusted code runs in, kept in the run's log; None: no such code.

    Returns:
        The summary; its status is ``stopped`` when the user ended the run, else ``complete``.

    Raises:
        ArchiveError: the archive cannot be written.  Whatever the exception, committed candidates are written
            as far as the archive takes them, and the run is marked failed (stopped for a KeyboardInterrupt).
    """
    observer = observer or NullObserver()
    stop = stop or threading.Event()
    began = clock()
    islands = [{"temperature": config.temperature(i), "bias": config.bias(i)} for i in range(config.islands)]
    run = run or archive.new_run_id(task.name)
    archive.start_run(
        run=run, task=task.name, seed=config.seed, config=config.to_mapping(), card=card, mode=mode,
        islands=islands,
    )
    if references:
        archive.add_references(run, references)
    if layers:
        isolated = "untrusted code runs in the jail" if layers.get("safe") else "untrusted code runs WITHOUT a safe jail"
        archive.event(run, "jail", isolated, layers)
    journal = Journal(archive, run, clock)
    state = SearchState(config)
    try:
        with interruptible(stop):
            observer.on_event(Event("start", 0, f"run {run} on {task.name}"))
            rule, log = StopRule(config, stop, clock), LoggingObserver(observer, archive, run)
            planner = Planner(proposer, None if models is None else models(run, stop))
            search = Search(state, planner, pool, journal, log, rule, clock)
            reason = search.run()
        journal.flush()
        summary = _summarise(run, search, reason, clock() - began)
        archive.finish_run(
            run, status=summary.status, shortlist=summary.shortlist,
            choice=None if summary.choice is None else summary.choice.index,
            reason=NO_CHOICE if summary.choice is None else summary.choice.reason,
            candidates=summary.candidates, failures=sum(summary.failures.values()), seconds=summary.seconds,
            extra={
                "stopped_by": reason, "failures": dict(summary.failures), "catalogue": list(summary.catalogue)
            },
        )
    except BaseException as error:
        status: RunStatus = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        with contextlib.suppress(ArchiveError):  # the first error is the one to report
            journal.flush()
        with contextlib.suppress(ArchiveError):
            archive.finish_run(
                run, status=status, choice=None, shortlist=(), reason=f"ended by {type(error).__name__}",
                candidates=state.committed, failures=state.failures.total(), seconds=clock() - began,
            )
        raise
    observer.on_event(Event("end", summary.candidates, f"run {run}: {summary.status}"))
    return summary


def _summarise(run: str, search: Search, reason: StopReason, seconds: float) -> RunSummary:
    """Choose among the contenders and gather what a report needs."""
    state = search.state
    entries = search.contenders.entries()
    choice = choose(entries, catalogue=search.catalogue)
    needed = {*state.front.indices, *search.catalogue}
    if choice is not None:
        needed.update((choice.index, *choice.shortlist))
    return RunSummary(
        run=run, status="stopped" if reason in ("interrupted", "provider") else "complete", stopped_by=reason,
        trouble="" if search.trouble is None else str(search.trouble),
        seconds=seconds, candidates=state.committed, failures=dict(state.failures), front=state.front.indices,
        choice=choice, catalogue=tuple(search.catalogue),
        records={k: search.contenders.get(k) for k in sorted(needed)},
    )
