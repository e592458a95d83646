"""One discovery from a task to a finished run: cuts, workers, archive and proposer put together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from sldagent.archive.records import Origin, ReferenceRecord, RunRecord
from sldagent.archive.sessions import RunTaken
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError, ArchiveUnavailable, ConfigError, RunFailed, TableError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution import loop as evolution
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import Beginning, discover
from sldagent.evolution.observer import Observer
from sldagent.evolution.past import Past
from sldagent.evolution.plan import Planner
from sldagent.evolution.rng import generator
from sldagent.evolution.summary import RunSummary
from sldagent.fitted import Fitted, from_candidate
from sldagent.fitting.warm import warm
from sldagent.foreign.jails import ProgramJails
from sldagent.laws.parse import parse_program
from sldagent.llm import LiveModels
from sldagent.origin import check_same, load_again, seed_proposals, seed_records
from sldagent.proposers.grammar import GrammarProposer
from sldagent.sandbox.types import Mode
from sldagent.seeds import SeededProposer, Seeds, read_seeds
from sldagent.tasks.archived import task_card
from sldagent.tasks.cuts import blind_cuts, targeted_cuts
from sldagent.tasks.task import Cut, Task
from sldagent.workers.base import WorkerPool, WorkerStartError
from sldagent.workers.place import Place, open_pool


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
    origin: Origin | None = None,
    models: LiveModels | None = None,
    place: Place | None = None,
) -> Outcome:
    """Discover; the archive holds every candidate when this returns, or raises.

    `seeds` are laws and programs to begin with; `jail` is how the code that programs bring is kept in; `origin` says
    what the task was read from (None: the run cannot be continued later); `models` are the language models that `config`
    names, connected (None: made here, with keys from the environment); `place` is where candidates are evaluated (None:
    here).

    Raises ConfigError where a model cannot be asked at all, and RunFailed where the run began and could not go on.
    """
    seeds, stop, models = seeds or Seeds(), stop or threading.Event(), models or LiveModels(config)
    archive.give_up_when(stop.is_set)
    proposer = GrammarProposer(grounds.train)
    if not config.biases:
        config = replace(config, biases=_biases(config, proposer.families))
    beginning = Beginning(
        task=grounds.train.name, card=task_card(grounds.task), mode=grounds.mode, run=archive.new_run_id(grounds.train.name),
        origin=origin, seeds=seed_records(seeds.proposals), references=seeds.references, layers=seeds.layers,
    )  # fmt: skip
    place = place or Place()
    with closing(models), make_pool(place, grounds, config, jail) as pool, _failing(beginning.run or ""):
        given = SeededProposer(proposer, seeds.proposals)
        summary = discover(
            beginning, config, archive, given, pool, observer, stop=stop, workers=place.words(config.workers),
            models=partial(models.start, grounds.train, grounds.cuts, archive, stop) if config.llm else None,
        )  # fmt: skip
    return Outcome(grounds, summary, archive.place, seeds.references)


def resume(
    run: str,
    archive: Archive,
    observer: Observer | None = None,
    stop: threading.Event | None = None,
    *,
    task: Task | None = None,
    table: str | Path | None = None,
    data: Path | None = None,
    workers: int | None = None,
    models: LiveModels | None = None,
    place: Place | None = None,
) -> Outcome:
    """Go on with a run that was stopped, failed or whose process died, as if it had never ended.

    Args:
        run: its id, or a beginning of it.
        task: what it was started on, where that was a data frame.
        table, data: where its table is now, if it moved.
        workers: processes; None: as many as it began with.
        models: its language models, connected; None: made here, with keys from the environment.
        place: where candidates are evaluated from now on; None: here.

    Raises ConfigError or ArchiveError where it cannot: unknown, complete, still alive elsewhere, begun by an older
    release, or its table has changed; RunFailed as `run` does.
    """
    record = archive.run(run)
    origin = _origin(record, archive)
    seen = archive.sessions().wait_for_death(record.run)
    task = task or load_again(record.run, origin, table, data)
    check_same(record.run, origin, task)
    grounds = prepare(task)
    config = RunConfig.from_mapping(record.config)
    config = config if workers is None else replace(config, workers=workers)
    seeds = seed_proposals(archive.sessions().seeds(record.run), grounds.train)
    proposer = SeededProposer(GrammarProposer(grounds.train), seeds)
    stop, models, place = stop or threading.Event(), models or LiveModels(config), place or Place()
    reader = partial(parse_program, variables={*grounds.train.symbols, *grounds.train.vectors})
    with closing(models), make_pool(place, grounds, config, cast(Mode, origin.jail)) as pool:
        resumed = archive.resume_run(record.run, seen, pool=place.words(config.workers))
        with _failing(record.run):
            asked = models.start(grounds.train, grounds.cuts, archive, stop, record.run) if config.llm else None
            planner = Planner(proposer, reader, models=asked)
            past = Past(record.run, resumed)
            summary = evolution.resume(past, config, archive, planner, pool, observer, stop=stop)
    return Outcome(grounds, summary, archive.place, tuple(archive.references(record.run)))


def _origin(record: RunRecord, archive: Archive) -> Origin:
    """What the run was started on.  Raises ConfigError where it is not one to go on with."""
    if record.status == "complete":
        raise ConfigError(
            f"run {record.run} is complete ({record.candidates} candidates), so there is nothing to resume; "
            f"see it with 'sldagent front {record.run}'"
        )
    origin = archive.sessions().origin(record.run)
    if origin is None:
        raise ConfigError(
            f"run {record.run} was begun by an older release or by a program of its own, so the archive does not hold what "
            "it needs to go on: discover anew"
        )
    return origin


def make_pool(
    place: Place, grounds: Grounds, config: RunConfig, jail: Mode
) -> AbstractContextManager[WorkerPool]:
    """Workers for the run."""
    make_evaluator = partial(Evaluator, grounds.train, grounds.cuts, ProgramJails(jail))
    return open_pool(place, make_evaluator, config.workers, config.time_limit, warm)


@contextmanager
def _failing(run: str) -> Iterator[None]:
    """Errors that end a run which has begun, with the way to go on."""
    try:
        yield
    except RunTaken as error:
        raise RunFailed(str(error)) from error
    except ArchiveUnavailable as error:
        raise RunFailed(
            f"run {run} is paused, everything committed is safe: {error}; then go on with: sldagent resume {run} "
            "and the same --archive"
        ) from error
    except ArchiveError as error:
        raise RunFailed(f"run {run} failed: {error}; once that is mended, go on with: sldagent resume {run}") from error
    except WorkerStartError as error:
        raise RunFailed(
            f"run {run} failed: no worker process could be started: {error}; go on with: sldagent resume {run}"
        ) from error


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
