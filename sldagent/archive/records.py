"""Values that go into and come out of the archive; no SQL here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sldagent.archive.owner import Owner
from sldagent.evaluation.result import CutScore, Evaluation, Failure

FinalStatus = Literal["complete", "stopped", "failed"]
RunStatus = Literal["running"] | FinalStatus
SessionOutcome = Literal["", "complete", "stopped", "failed", "lost"]
"""'' while the session lasts; lost: its process died, or another one took the run over."""
AskedOutcome = Literal["program", "unusable", "none", "budget"]


@dataclass(frozen=True)
class AskedRecord:
    """What a language model was asked for a candidate, what it promised, and whether that held."""

    model: str
    """Identity of the model that was chosen, ``KIND:MODEL``."""
    operator: str
    state: int
    """Candidates committed when the prompt was written."""
    outcome: AskedOutcome
    """``program``; ``unusable``: no program in the answers; ``none``: no answer; ``budget``: the budget did not allow the
    call, so the grammar made the candidate instead."""
    calls: tuple[str, ...] = ()
    """Keys of the rows of `chat_call` whose answers were taken, in order."""
    answered_by: str = ""
    """Identity of the model that gave the last answer: a fallback's where one was used."""
    form: str = "none"
    """How the program was written: ``program``, ``edit``, ``formula`` or ``none``."""
    hypothesis: str = ""
    """Written by a model, so untrusted."""
    promise: str = ""
    """The residual that was promised to shrink, in the fixed vocabulary."""
    kept: bool | None = None
    """Whether it shrank; None: no promise, or it cannot be told (see `why`)."""
    before: float | None = None
    """That residual of the first parent; None: not finite or not measured."""
    after: float | None = None
    """The same of the child."""
    why: str = ""
    error: str = ""
    """Why there is no program, one sentence; may quote an answer, so untrusted."""
    tokens: int | None = 0
    """Of the calls together, in and out; None: the provider did not say."""
    usd: float | None = 0.0
    """Of the calls together; None: unknown."""


@dataclass(frozen=True)
class CandidateRecord:
    """One finished candidate, as committed.  Its law id is ``f"{run}-{k}"``."""

    k: int
    island: int
    operator: str
    parents: tuple[int, ...]
    """Candidate indices within the run."""
    source: str
    """The program's text."""
    formula: str
    """The law's right-hand side in canonical form."""
    structure: str
    """Hash of the canonical form."""
    evaluation: Evaluation
    note: str = ""
    asked: AskedRecord | None = None
    """Of a candidate whose slot was dealt to a language model."""


@dataclass(frozen=True)
class Note:
    """A line of a run's log."""

    kind: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """Where a search stood after some commits (`sldagent.evolution.checkpoint`)."""

    committed: int
    version: str
    """Of the release, and of what it remembers: no other one can read it."""
    state: str
    """JSON."""
    trace: bytes
    """What the search remembers of each candidate since the checkpoint before."""
    settled: int = 0
    """So many candidates are committed for certain wherever the run goes on from now: of checkpoints before, only the newest
    one can be of use."""


@dataclass(frozen=True)
class Origin:
    """What a run was started on."""

    source: str
    """Absolute path of a table or card, or a built-in task's name; '' for a data frame."""
    digest: str
    """Of the task (`sldagent.tasks.digest`)."""
    roles: Mapping[str, Any] = field(default_factory=dict)
    """What the user said of its columns: targets, variables, group, split_column."""
    data: str | None = None
    """Folder of tables that was given."""
    at: str | None = None
    """Absolute path of the table of wanted inputs."""
    jail: str = "auto"


@dataclass(frozen=True)
class SeedRecord:
    """A program that a run was given to begin with."""

    operator: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class SessionRecord:
    """One process's work on a run."""

    run: str
    n: int
    owner: Owner
    version: str
    pool: str
    started: datetime
    beat: datetime
    """Last sign of life, by the coordinator's clock."""
    beats: int
    """Signs of life so far."""
    seconds: float
    """Search time."""
    ended: datetime | None
    outcome: SessionOutcome
    stop: bool
    """Somebody asks it to end."""


@dataclass(frozen=True)
class RunRecord:
    """One discovery run."""

    run: str
    task: str
    status: RunStatus
    seed: int
    started: datetime
    finished: datetime | None
    config: Mapping[str, Any]
    """The whole configuration, JSON-able."""
    card: Mapping[str, Any]
    """The task's roles, ranges, groups and units, JSON-able: enough to apply a law of this run to another
    table."""
    mode: str
    """``blind`` or ``targeted``."""
    candidates: int = 0
    failures: int = 0
    seconds: float = 0.0
    choice: int | None = None
    """Candidate index of the recommended law."""
    shortlist: tuple[int, ...] = ()
    reason: str = ""
    """Why that law was chosen, one sentence."""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReferenceRecord:
    """A program file that a run was given as a parent: scored on the run's cuts, without complexity."""

    name: str
    source: str
    x: float = math.inf
    x_se: float = math.inf
    train_r2: float = -math.inf
    scalars: int = 0
    """Fitted numbers per group."""
    cuts: tuple[CutScore, ...] = ()
    translation: str = ""
    """Why it could not become a law; '' where it became a candidate of the run."""
    checks: tuple[str, ...] = ()
    """Checks of the behaviour guard that it passed."""
    findings: tuple[str, ...] = ()
    """What the lint says of its source."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """Layers of the jail in force."""
    failure: Failure | None = None
    feedback: str = ""
    """What it printed and raised, marked untrusted."""
    seconds: float = 0.0


@dataclass(frozen=True)
class CandidateRow:
    """The light side of a candidate: enough for a table or a plot, without fitted values and cut scores."""

    law: str
    k: int
    island: int
    operator: str
    formula: str
    structure: str
    x: float
    x_se: float
    complexity: float
    mdl: float
    tree: int
    scalars: int
    valid: bool
    invalid_reason: str
    train_r2: float
    failure: str
    """Reason of its failure, or ''."""


@dataclass(frozen=True)
class ScoringRecord:
    """One logged reading of rows outside training."""

    law: str
    split: str
    source: str
    rows: int
    r2: float
    nmse: float
    nmae: float
    created: datetime
    per_target: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Target -> ``r2``, ``nmse``, ``nmae``; NaN where a metric was not given or not finite."""
