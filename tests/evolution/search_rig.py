"""A small search to run in tests: an archive in memory, a scripted proposer, a task with idle rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pool_fakes import numbers, program

from sldagent.archive.records import CandidateRecord, Checkpoint, Note
from sldagent.errors import ArchiveError
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import Beginning
from sldagent.evolution.observer import Event
from sldagent.evolution.state import SearchState
from sldagent.proposers.base import Context, Proposal
from sldagent.tasks.task import Target, Task, Variable


class MemoryArchive:
    """What a run writes, in lists; `full_after` lets it refuse records as a full disk would."""

    def __init__(self, full_after: int | None = None) -> None:
        self.records: list[CandidateRecord] = []
        self.batches: list[int] = []
        self.checkpoints: list[Checkpoint] = []
        self.started: dict[str, Any] = {}
        self.finished: dict[str, Any] = {}
        self.events: list[str] = []
        self._full_after = full_after

    def new_run_id(self, task: str) -> str:
        return "run"

    def start_run(self, **values: Any) -> int:
        self.started = values
        return 0

    def sessions(self) -> MemoryArchive:
        return self

    def beat(self, run: str, n: int, seconds: float) -> bool:
        return False

    def laws(self, run: str, ks: Sequence[int]) -> list[CandidateRecord]:
        return [self.records[k] for k in ks]

    def commit(
        self, run: str, records: Sequence[CandidateRecord], notes: Sequence[Note] = (),
        checkpoints: Sequence[Checkpoint] = (),
    ) -> None:
        if self._full_after is not None and len(self.records) + len(records) > self._full_after:
            raise ArchiveError("the disk is full")
        assert [r.k for r in records] == list(range(len(self.records), len(self.records) + len(records)))
        assert all(p < r.k for r in records for p in r.parents)
        assert not self.finished
        self.records.extend(records)
        self.events.extend(note.kind for note in notes)
        self.checkpoints.extend(checkpoints)
        self.batches.append(len(records))

    def finish_run(self, run: str, **values: Any) -> None:
        self.finished = values
        self.events.extend(note.kind for note in values.get("notes", ()))


class ScriptedProposer:
    """Seeds ``x + 0.1, x + 0.2, ...``; children change, add or drop a literal of a parent.

    `contexts` keeps what every proposal was told.
    """

    def __init__(
        self, seeds: int = 6, on_propose: Callable[[int], None] = lambda k: None, longest: int = 10**9
    ) -> None:
        """No child has more than `longest` + 1 literals."""
        self._seeds = seeds
        self._longest = longest
        self._on_propose = on_propose
        self.contexts: dict[int, dict[str, Any]] = {}

    def seeds(self) -> Sequence[Proposal]:
        operators = ["catalogue" if i < 2 else "motif" for i in range(self._seeds)]
        return [Proposal(program(0.1 * (i + 1)), operator) for i, operator in enumerate(operators)]

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        self._on_propose(context.k)
        self.contexts[context.k] = {
            "island": context.island, "temperature": context.temperature, "bias": context.bias,
            "parents": tuple((p.candidate, p.x) for p in context.parents), "seen": len(context.seen),
            "credit": dict(context.credit),
        }
        if not context.parents:
            return Proposal(program(*rng.uniform(0, 3, 2).round(3)), "random")
        values = list(numbers(context.parents[0].program))
        parents = tuple(p.candidate for p in context.parents)
        kind = int(rng.integers(3)) if len(values) <= self._longest else 1
        if kind == 0 or not values:
            return Proposal(program(*values, float(rng.uniform(0, 6).__round__(1))), "add", parents)
        at = int(rng.integers(len(values)))
        if kind == 1 and len(values) > 1:
            return Proposal(program(*values[:at], *values[at + 1 :]), "drop", parents)
        values[at] = round(values[at] + float(rng.normal(0, 0.5)), 2)
        return Proposal(program(*values), "change", parents)


class Watcher:
    """Remembers all that it was told."""

    def __init__(self, on_commit: Callable[[SearchState, CandidateRecord], None] | None = None) -> None:
        self.commits: list[int] = []
        self.events: list[Event] = []
        self.waits = 0
        self._on_commit = on_commit

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        self.commits.append(record.k)
        assert state.committed == record.k + 1
        if self._on_commit is not None:
            self._on_commit(state, record)

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_wait(self, state: SearchState) -> None:
        self.waits += 1


@functools.cache
def task() -> Task:
    n = 4
    return Task(
        name="rig", variables=(Variable("x", "x", "scale"),), targets=(Target("y"),), X=np.ones((n, 1)),
        Y=np.ones((n, 1)), group=np.zeros(n, dtype=np.int64), groups=("all",), split=np.full(n, "train"),
    )


def config(**changes: Any) -> RunConfig:
    """Small numbers, so that migration and reset happen within a hundred candidates."""
    values: dict[str, Any] = {
        "seed": 3, "islands": 3, "workers": 1, "candidates": 120, "look_back": 8, "population": 10,
        "migration_every": 20, "reset_every": 45, "time_limit": 30.0,
    }
    return RunConfig(**{**values, **changes})


CARD: Mapping[str, Any] = {"name": "rig"}


def beginning(**changes: Any) -> Beginning:
    """A run of the rig's task."""
    return Beginning(**{"task": "rig", "card": CARD, **changes})


def table(records: Sequence[CandidateRecord]) -> list[tuple[Any, ...]]:
    """The candidates table without what may differ between equal runs (durations)."""
    names = ("k", "island", "operator", "parents", "source", "formula", "structure", "note")
    return [(*(getattr(r, name) for name in names), *figures(r.evaluation)) for r in records]


def figures(e: Evaluation) -> tuple[Any, ...]:
    return (e.x, e.x_se, e.mdl, e.complexity, e.valid, e.fingerprint, tuple(e.x_boot), e.failure)
