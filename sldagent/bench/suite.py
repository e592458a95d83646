"""Run a suite: one discovery per task and seed, scored where test rows exist, every result kept as soon as it is there."""

from __future__ import annotations

import json
import os
import resource
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sldagent import session
from sldagent.archive.store import Archive
from sldagent.errors import ConfigError
from sldagent.evaluation.metrics import mean_metrics, metrics
from sldagent.evolution.config import RunConfig
from sldagent.resources import shipped
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Task

SUITES: Mapping[str, tuple[str, ...]] = {
    "sldbench": ("parallel", "vocab", "sft", "domain_mixture", "moe", "data_constrained", "lr_bsz", "easy_question"),
}
"""Named suites of built-in tasks."""


@dataclass(frozen=True)
class Settings:
    """What every discovery of the suite gets."""

    minutes: float | None
    candidates: int | None
    workers: int


@dataclass(frozen=True)
class Scored:
    """One law of a finished run, scored."""

    law: str
    formula: str
    x: float
    complexity: float
    mdl: float
    r2: float | None
    """Test R2, not clipped; None without test rows."""
    nmae: float | None


@dataclass(frozen=True)
class Result:
    """One discovery."""

    task: str
    seed: int
    mode: str
    settings: Settings
    candidates: int
    failures: int
    seconds: float
    cpu_seconds: float
    test_rows: int
    choice: Scored | None
    shortlist: tuple[Scored, ...]


def tasks_of(names: Sequence[str]) -> tuple[str, ...]:
    """Task names or table paths; a suite's name stands for its tasks, a folder for its cards and tables."""
    out: list[str] = []
    for name in names:
        path = Path(name)
        if name in SUITES:
            out.extend(SUITES[name])
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
    data: Path | None = None,
    out: Path | None = None,
    report: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Discover and score every (task, seed); results already in `out` with the same settings are not run again.

    Raises:
        SldagentError: a task cannot be loaded, or the archive or `out` cannot be written.
        KeyboardInterrupt: the user ended a discovery; results finished before are in `out`.
    """
    results = read_results(out) if out is not None and out.exists() else []
    loaded = {name: load_task(name, data=data) for name in tasks}
    for seed in seeds:
        for task in loaded.values():
            if any((r.task, r.seed, r.settings) == (task.name, seed, settings) for r in results):
                continue
            result = _discover(task, seed, settings, archive)
            if result is None:
                raise KeyboardInterrupt
            results.append(result)
            if out is not None:
                write_results(results, out)
            report(result)
    names = {task.name for task in loaded.values()}
    return [r for r in results if r.task in names and r.seed in seeds and r.settings == settings]


def _discover(task: Task, seed: int, settings: Settings, archive: str) -> Result | None:
    """One discovery, scored; None where the user ended it early (such a result is not one of the settings')."""
    config = RunConfig(
        seed=seed, minutes=settings.minutes, candidates=settings.candidates, workers=settings.workers
    )
    grounds = session.prepare(task)
    before = _cpu_seconds()
    with Archive.open(archive) as store:
        outcome = session.run(grounds, config, store)
        summary = outcome.summary
        if summary.status == "stopped":
            return None
        test = task.part("test")
        scored = [_score(outcome, k, test, store) for k in summary.shortlist]
    return Result(
        task=task.name,
        seed=seed,
        mode=grounds.mode,
        settings=settings,
        candidates=summary.candidates,
        failures=sum(summary.failures.values()),
        seconds=summary.seconds,
        cpu_seconds=_cpu_seconds() - before,
        test_rows=len(test.X),
        choice=scored[0] if scored else None,
        shortlist=tuple(scored),
    )


def _score(outcome: session.Outcome, k: int, test: Task, store: Archive) -> Scored:
    record = outcome.summary.records[k]
    law = outcome.fitted(k, store)
    e = record.evaluation
    r2 = nmae = None
    if len(test.X):
        predicted = law.predict_rows(test)
        total = mean_metrics([metrics(test.Y[:, t], predicted[:, t]) for t in range(test.Y.shape[1])])
        r2, nmae = total.r2, total.nmae
        store.log_scoring(law.law, "test", test.source, len(test.X), {**asdict(total), "per_target": {}})
    return Scored(law.law, record.formula, e.x, e.complexity, e.mdl, r2, nmae)


def _cpu_seconds() -> float:
    """Processor time of this process and of its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def write_results(results: Sequence[Result], path: Path) -> None:
    """All results as JSON; the file is replaced in one step."""
    text = json.dumps({"results": [asdict(r) for r in results]}, indent=1)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text + "\n")
    os.replace(partial, path)


def read_results(path: Path) -> list[Result]:
    """Results written by `write_results`.

    Raises:
        ConfigError: the file is not such a file.
    """
    try:
        rows = json.loads(path.read_text())["results"]
        return [_result(row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' is not a benchmark's result file ({error}); name another with --out") from None


def _result(row: Mapping[str, Any]) -> Result:
    choice = row["choice"]
    return Result(
        **{
            **row,
            "settings": Settings(**row["settings"]),
            "choice": None if choice is None else Scored(**choice),
            "shortlist": tuple(Scored(**s) for s in row["shortlist"]),
        }
    )


def published() -> tuple[tuple[str, ...], dict[str, dict[str, float]]]:
    """Names of the published rows, and by row the score of each task."""
    with (shipped("experiments") / "sldbench" / "published.toml").open("rb") as file:
        data = tomllib.load(file)
    rows = {name: dict(zip(data["tasks"], values, strict=True)) for name, values in data["rows"].items()}
    return tuple(rows), rows


@dataclass(frozen=True)
class Line:
    """One task's line of the table: figures over seeds."""

    task: str
    scores: tuple[float, ...]
    """Test R2 of the choice by seed, not clipped; empty without test rows."""
    best_of_three: tuple[float, ...]
    """Best test R2 in the short list by seed (what a perfect pick among the three would give)."""
    candidates: float
    seconds: float
    cpu_seconds: float
    mode: str

    @property
    def median(self) -> float | None:
        return float(np.median(self.scores)) if self.scores else None


def summarise(results: Sequence[Result]) -> list[Line]:
    """Lines by task, in the order of first appearance; medians over seeds."""
    lines = []
    for task in dict.fromkeys(r.task for r in results):
        mine = sorted((r for r in results if r.task == task), key=lambda r: r.seed)
        lines.append(
            Line(
                task=task,
                scores=tuple(_r2(r.choice) for r in mine if r.test_rows),
                best_of_three=tuple(max((_r2(s) for s in r.shortlist), default=-np.inf) for r in mine if r.test_rows),
                candidates=float(np.median([r.candidates for r in mine])),
                seconds=float(np.median([r.seconds for r in mine])),
                cpu_seconds=float(np.median([r.cpu_seconds for r in mine])),
                mode=mine[0].mode,
            )
        )
    return lines


def _r2(scored: Scored | None) -> float:
    return -np.inf if scored is None or scored.r2 is None else scored.r2
