"""A recorded run once more, offline: the same decisions from the same answers, into another archive.

Prompts are written anew, answers come from the record, laws are fitted again (or their recorded evaluations taken), and
every candidate is compared with the recorded one.  What cannot repeat (a fit cut off by the clock, a worker that died) is
taken from the record.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from sldagent.archive.pack import pack
from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.archive.store import Archive
from sldagent.errors import ChatError, ConfigError
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import Beginning, discover
from sldagent.evolution.observer import Observer
from sldagent.evolution.stop import StopReason
from sldagent.laws.program import Program
from sldagent.laws.render import render_program
from sldagent.llm import RecordedModels
from sldagent.origin import check_same, load_again, seed_proposals, seed_records
from sldagent.proposers.grammar import GrammarProposer
from sldagent.sandbox.types import Mode
from sldagent.seeds import SeededProposer
from sldagent.session import Grounds, Outcome, make_pool, prepare
from sldagent.tasks.archived import task_card
from sldagent.tasks.task import Task
from sldagent.workers.base import WorkerPool
from sldagent.workers.place import Place
from sldagent.workers.recorded import NoPool, RecordedPool

CHANCE = ("time", "worker")
"""Failures that need not repeat."""


@dataclass(frozen=True)
class Replayed:
    """A repeated run."""

    outcome: Outcome
    candidates: int
    differing: tuple[int, ...]
    """Candidates that are not as recorded."""


def replay(
    run: str, source: Archive, target: Archive, observer: Observer | None = None, *, task: Task | None = None,
    table: str | Path | None = None, data: Path | None = None, workers: int | None = None, reuse: bool = False,
) -> Replayed:
    """Repeat a run of `source` into `target`, under the same id.

    Args:
        run: its id, or a beginning of it.
        task: what it was started on, where that was a data frame.
        table, data: where its table is now, if it moved.
        workers: processes; None: as many as the run had.
        reuse: take the recorded evaluations in place of fitting again.

    Raises ConfigError where the run is under way or its table is another one, ArchiveError where `target` has it already,
    and ChatError where an answer is missing from the record.
    """
    record = source.run(run)
    task, jail = _task(record, source, task, table, data)
    grounds = prepare(task)
    config = RunConfig.from_mapping(record.config)
    pool: AbstractContextManager[WorkerPool] = NoPool()
    if not reuse:
        pool = make_pool(Place(), grounds, replace(config, workers=workers or config.workers), jail)
    with pool as inner:
        known = RecordedPool(inner, _Record(source, record.run, reuse).of)
        outcome = _repeat(record, grounds, config, source, target, known, observer)
    return Replayed(outcome, outcome.summary.candidates, tuple(_differing(record.run, source, target)))


def _task(
    record: RunRecord, source: Archive, task: Task | None, table: str | Path | None, data: Path | None
) -> tuple[Task, Mode]:
    if record.status == "running":
        raise ConfigError(f"run {record.run} is not finished, so it cannot be repeated yet")
    origin = source.sessions().origin(record.run)
    if origin is None:
        raise ConfigError(
            f"run {record.run} was begun by an older release or by a program of its own, so the archive does not hold what "
            "is needed to repeat it"
        )
    task = task or load_again(record.run, origin, table, data)
    check_same(record.run, origin, task)
    return task, cast(Mode, origin.jail)


def _repeat(
    record: RunRecord, grounds: Grounds, config: RunConfig, source: Archive, target: Archive, pool: WorkerPool,
    observer: Observer | None,
) -> Outcome:
    """The run, up to the candidate with which the recorded one ended."""
    stop = threading.Event()
    seeds = seed_proposals(source.sessions().seeds(record.run), grounds.train)
    references = tuple(source.references(record.run))
    beginning = Beginning(
        task=grounds.train.name, card=task_card(grounds.task), mode=grounds.mode, run=record.run,
        origin=source.sessions().origin(record.run), seeds=seed_records(seeds), references=references,
        config=record.config, ended=cast(StopReason, record.extra.get("stopped_by", "interrupted")),
    )  # fmt: skip
    search = replace(config, candidates=max(1, record.candidates), minutes=None, stagnation=0)
    models = RecordedModels(config, record.run, source)
    summary = discover(
        beginning, search, target, SeededProposer(GrammarProposer(grounds.train), seeds), pool, observer, stop=stop,
        workers="a replay", models=partial(models.start, grounds.train, grounds.cuts, target) if config.llm else None,
    )  # fmt: skip
    if summary.trouble:
        raise ChatError(f"run {record.run} cannot be repeated: {summary.trouble}")
    return Outcome(grounds, summary, target.place, references)


class _Record:
    """Recorded evaluations, read as they are asked for, in about the order of candidates."""

    def __init__(self, source: Archive, run: str, reuse: bool) -> None:
        self._candidates = source.candidates(run)
        self._run = run
        self._reuse = reuse
        self._read: dict[int, CandidateRecord] = {}

    def of(self, k: int, program: Program) -> Evaluation | None:
        """What was recorded for candidate `k`, where it is the same program and shall not be evaluated again."""
        while k not in self._read and (record := next(self._candidates, None)) is not None:
            self._read[record.k] = record
        found = self._read.pop(k, None)
        if found is None or found.source != render_program(program):
            if self._reuse:
                raise ChatError(f"candidate {k} of run {self._run} is not the one recorded, so the replay left its record")
            return None
        failure = found.evaluation.failure
        by_chance = failure is not None and failure.reason in CHANCE
        return found.evaluation if self._reuse or by_chance else None


def _differing(run: str, source: Archive, target: Archive) -> Iterator[int]:
    """Candidates whose rows differ in more than durations."""
    for old, new in zip(source.candidates(run), target.candidates(run), strict=True):
        if _comparable(old) != _comparable(new):
            yield old.k


def _comparable(record: CandidateRecord) -> tuple[Any, ...]:
    """All of a candidate but how long it took, as values that compare."""
    e = record.evaluation
    block = pack(e.parameters, e.x_boot, {})
    rest = replace(e, parameters={}, x_boot=e.x_boot[:0], seconds=0.0)
    values = tuple(repr(getattr(rest, name)) for name in rest.__dataclass_fields__)
    return (*block, *values, repr(replace(record, evaluation=Evaluation(x_boot=e.x_boot[:0]))))
