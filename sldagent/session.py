"""One discovery from a task to a finished run: cuts, workers, archive and proposer put together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sldagent.archive.records import ReferenceRecord
from sldagent.archive.store import Archive
from sldagent.errors import ConfigError, TableError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import discover
from sldagent.evolution.observer import Observer
from sldagent.evolution.rng import generator
from sldagent.evolution.summary import RunSummary
from sldagent.fitted import Fitted, from_candidate
from sldagent.fitting.warm import warm
from sldagent.foreign.jails import ProgramJails
from sldagent.llm import LiveModels, RecordedModels
from sldagent.proposers.grammar import GrammarProposer
from sldagent.sandbox.types import Mode
from sldagent.seeds import SeededProposer, Seeds, read_seeds
from sldagent.tasks.archived import task_card
from sldagent.tasks.cuts import blind_cuts, targeted_cuts
from sldagent.tasks.task import Cut, Task
from sldagent.workers.base import WorkerStartError
from sldagent.workers.local import LocalPool


@dataclass(frozen=True)
class Grounds:
    """What a run is judged on."""

    task: Task
    """All rows; only its train rows were used."""
    train: Task
    cuts: tuple[Cut, ...]
    mode: str
    """``blind`` or ``targeted``."""


@dataclass(frozen=True)
class Outcome:
    """A finished run and what it was judged on."""

    grounds: Grounds
    summary: RunSummary
    archive: str
    """Where the archive is, for messages."""
    references: tuple[ReferenceRecord, ...] = ()
    """Program files that the run was given, with their own figures."""

    def fitted(self, k: int, archive: Archive) -> Fitted:
        """One of the run's laws, ready to predict."""
        return from_candidate(archive.run(self.summary.run), self.summary.records[k])


def prepare(task: Task) -> Grounds:
    """The training rows and the cuts: targeted where the task says where predictions are wanted.

    Raises TableError where there are no training rows.
    """
    train = task.part("train")
    if len(train.X) == 0:
        raise TableError(
            f"{task.source}: no row has 'train' in column '{task.split_column}', so there is nothing to discover from; "
            "name another column with --split-column"
        )
    if train.at is None:
        return Grounds(task, train, blind_cuts(train), "blind")
    return Grounds(task, train, targeted_cuts(train, train.at), "targeted")


def run(
    grounds: Grounds,
    config: RunConfig,
    archive: Archive,
    observer: Observer | None = None,
    stop: threading.Event | None = None,
    *,
    seeds: Seeds | None = None,
    jail: Mode = "auto",
    models: LiveModels | RecordedModels | None = None,
) -> Outcome:
    """Discover; the archive holds every candidate when this returns, or raises.

    `seeds` are laws and programs to begin with; `jail` is how the code that programs bring is kept in; `models` are the
    language models that `config` names (None: made from it, with keys from the environment).

    Raises ArchiveError, and ConfigError where no worker process can be started or a model cannot be asked at all.
    """
    seeds = seeds or Seeds()
    make_evaluator = partial(Evaluator, grounds.train, grounds.cuts, ProgramJails(jail))
    proposer = GrammarProposer(grounds.train)
    if not config.biases:
        config = replace(config, biases=_biases(config, proposer.families))
    if not config.biases:
        config = replace(config, biases=("", *proposer.families))
    talk = models or LiveModels(config)
    try:
        with closing(talk), LocalPool(make_evaluator, config.workers, config.time_limit, warm=warm) as pool:
            summary = discover(
                grounds.train,
                config,
                archive,
                SeededProposer(proposer, seeds.proposals),
                pool,
                observer,
                card=task_card(grounds.task),
                mode=grounds.mode,
                stop=stop,
                references=seeds.references,
                layers=seeds.layers,
                models=partial(talk.start, grounds.train, grounds.cuts, archive) if config.llm else None,
            )
    except WorkerStartError as error:
        raise ConfigError(f"no worker process could be started: {error}") from None
    return Outcome(grounds, summary, archive.place, seeds.references)


def read_program_files(paths: Sequence[Path], grounds: Grounds, jail: Mode = "auto") -> Seeds:
    """Program files as the beginning of a run: judged on its cuts, translated where that can be done exactly.

    Raises LawError and JailUnavailable (see `sldagent.seeds.read_seeds`).
    """
    if not paths:
        return Seeds()
    with ProgramJails(jail) as jails:
        return read_seeds(paths, grounds.train, Evaluator(grounds.train, grounds.cuts, jails), jails)


def _biases(config: RunConfig, families: Sequence[str]) -> tuple[str, ...]:
    """No bias for the first island, a motif family drawn by the run's seed for each of the others."""
    count = min(config.islands - 1, len(families))
    drawn = generator(config.seed, 0, "biases").choice(len(families), size=count, replace=False)
    return ("", *(families[int(k)] for k in drawn))
