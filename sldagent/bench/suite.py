"""Run a suite: every method on every task and seed, scored where test rows exist, results kept as soon as they are there."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sldagent import session
from sldagent.bench.discovery import Discovery
from sldagent.bench.method import Job, Method
from sldagent.bench.results import Key, Result, Settings, read_results, write_results
from sldagent.errors import ConfigError, TableError
from sldagent.resources import shipped
from sldagent.tasks.builtin import Entry, find_entry, sldbench
from sldagent.tasks.card import read_card
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Task

SUITES: Mapping[str, Callable[[], tuple[Entry, ...]]] = {"sldbench": sldbench}
"""Named suites of built-in tasks."""


@dataclass(frozen=True)
class Entrant:
    """A task of the suite."""

    task: Task
    human: str
    """Its published law, as its card names it; '' for none."""

    @property
    def mode(self) -> str:
        return "blind" if self.task.at is None else "targeted"


def tasks_of(names: Sequence[str]) -> tuple[str, ...]:
    """Task names or table paths; a suite's name stands for its tasks, a folder for its cards and tables."""
    out: list[str] = []
    for name in names:
        path = Path(name)
        if name in SUITES:
            out.extend(entry.name for entry in SUITES[name]())
        elif path.is_dir():
            cards = sorted(path.glob("*.toml"))
            tables = sorted(p for p in path.iterdir() if p.suffix in (".csv", ".parquet"))
            found = cards or tables
            if not found:
                raise ConfigError(f"the folder '{name}' holds no task cards (.toml) and no tables (.csv, .parquet)")
            out.extend(str(p) for p in found)
        else:
            out.append(name)
    return tuple(dict.fromkeys(out))


def run_suite(
    tasks: Sequence[str],
    seeds: Sequence[int],
    settings: Settings,
    archive: str,
    *,
    baselines: Sequence[Method] = (),
    targeted: bool = False,
    data: Path | None = None,
    out: Path | None = None,
    report: Callable[[Result], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Our discoveries and the baselines on every (task, seed); results already in `out` are not made again.

    Args:
        targeted: the inputs of each task's test rows are where predictions are wanted; tasks without any are left out.
        report: is told of every new result.
        note: is told what is left out, and why.

    Raises:
        SldagentError: a task cannot be loaded, a baseline's package is missing, or the archive or `out` cannot be written.
        KeyboardInterrupt: the user ended a run; results finished before are in `out`.
    """
    methods: tuple[Method, ...] = (Discovery(), *baselines)
    for method in methods:
        method.check()
    results = read_results(out) if out is not None and out.exists() else []
    entrants = _entrants(tasks, data, targeted, note)
    done = {r.key: r for r in results}
    wanted: list[Key] = []
    for seed in seeds:
        for entrant in entrants:
            for method in methods:
                key = Key(entrant.task.name, method.name, seed, entrant.mode, settings)
                if key not in done:
                    result = _result(entrant, method, seed, settings, archive, note if seed == seeds[0] else _silent)
                    if result is None:
                        continue
                    done[key] = result
                    results.append(result)
                    if out is not None:
                        write_results(results, out)
                    report(result)
                wanted.append(key)
    return [done[key] for key in dict.fromkeys(wanted)]


def _silent(_: str) -> None:
    """For what has been said before."""


def _entrants(tasks: Sequence[str], data: Path | None, targeted: bool, note: Callable[[str], None]) -> list[Entrant]:
    loaded = [Entrant(load_task(name, data=data), human_law(name)) for name in tasks]
    if not targeted:
        return loaded
    aimed = []
    for entrant in loaded:
        inputs = entrant.task.part("test").X
        if len(inputs) == 0 and entrant.task.at is None:
            note(f"{entrant.task.name}: left out, for it has no test rows to aim at")
        else:
            at = entrant.task.at if len(inputs) == 0 else inputs
            aimed.append(replace(entrant, task=replace(entrant.task, at=at)))
    if not aimed:
        raise ConfigError("--targeted needs tasks with test rows, and none of these has any: run them without --targeted")
    return aimed


def human_law(spec: str) -> str:
    """The law that the card of a task names as the field's own; '' for a bare table."""
    try:
        card = Path(spec) if spec.endswith(".toml") else shipped(find_entry(spec).card)
    except TableError:
        return ""
    return read_card(card)[0].human


def _result(
    entrant: Entrant, method: Method, seed: int, settings: Settings, archive: str, note: Callable[[str], None]
) -> Result | None:
    """One method on one task; None where it does not apply.

    Raises KeyboardInterrupt where the user ended it.
    """
    grounds = session.prepare(entrant.task)
    job = Job(grounds, entrant.human, seed, settings, archive)
    if refusal := method.refusal(job):
        note(f"{entrant.task.name}: without the baseline '{method.name}': {refusal}")
        return None
    cpu, wall = cpu_seconds(), time.monotonic()
    answer = method.run(job)
    if answer is None:
        raise KeyboardInterrupt
    return Result(
        task=entrant.task.name,
        seed=seed,
        mode=grounds.mode,
        settings=settings,
        candidates=answer.candidates,
        failures=answer.failures,
        seconds=time.monotonic() - wall,
        cpu_seconds=cpu_seconds() - cpu,
        test_rows=len(entrant.task.part("test").X),
        choice=answer.choice,
        shortlist=answer.shortlist,
        method=method.name,
        own_choice=answer.own_choice,
        judged=answer.judged,
        skipped=answer.skipped,
        note=answer.note,
        blend=answer.blend,
    )


def cpu_seconds() -> float:
    """Processor time of this process and of its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
