"""A benchmark's figures: over seeds for each task and method, and over tasks."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sldagent.bench.results import OURS, Result, Scored
from sldagent.resources import shipped

CLIP = -1.0
"""Scores of published rows are clipped here before they are averaged."""
OWN = " own"
"""What marks the line of a method's choice by its own training criterion."""


def published() -> dict[str, dict[str, float]]:
    """By published row the score of each task."""
    with (shipped("experiments") / "sldbench" / "published.toml").open("rb") as file:
        data = tomllib.load(file)
    return {name: dict(zip(data["tasks"], values, strict=True)) for name, values in data["rows"].items()}


@dataclass(frozen=True)
class Line:
    """One method on one task: figures by seed, in the order of `seeds`, and their medians."""

    task: str
    method: str
    mode: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    """Test R2 of the choice, not clipped; minus infinity where there is no valid law; empty without test rows."""
    places: tuple[tuple[float, ...], ...]
    """Test R2 of the whole short list, the choice first, by seed; empty without test rows or short list."""
    blends: tuple[float, ...]
    """Test R2 of the short list's mean by seed, beside `places`; empty where the results of some seed lack it."""
    own: bool
    """The choice is by the method's own training criterion."""
    candidates: float
    judged: float | None
    skipped: float
    failures: float
    seconds: float
    cpu_seconds: float

    @property
    def median(self) -> float:
        return float(np.median(self.scores)) if self.scores else math.nan

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores)) if self.scores else math.nan

    @property
    def clipped(self) -> float:
        """Mean over seeds after clipping, as published rows are made."""
        return float(np.mean(np.maximum(self.scores, CLIP))) if self.scores else math.nan

    @property
    def spread(self) -> float:
        """Best less worst seed."""
        return _difference(max(self.scores), min(self.scores)) if self.scores else math.nan

    @property
    def below(self) -> float:
        """How far the worst seed is below the median."""
        return _difference(self.median, min(self.scores)) if self.scores else math.nan

    @property
    def best(self) -> tuple[float, ...]:
        """Best test R2 in the short list by seed: what a perfect pick among them would give."""
        return tuple(max(p) for p in self.places)

    @property
    def blend(self) -> float:
        """Median over seeds of the blend's test R2; NaN where the results of some seed lack it."""
        return float(np.median(self.blends)) if self.blends else math.nan

    @property
    def regret(self) -> float:
        """Mean over seeds of the best in the short list less the choice."""
        gaps = [_difference(max(p), p[0]) for p in self.places]
        return float(np.mean(gaps)) if gaps else math.nan


@dataclass(frozen=True)
class Mean:
    """Figures of one method over the tasks that it has scores for."""

    tasks: tuple[str, ...]
    median: float
    """Mean over tasks of the median over seeds."""
    mean: float
    clipped: float
    by_seed: tuple[float, ...]
    """Mean over tasks for each seed; empty where tasks have different seeds."""
    spread: float
    """Best less worst of `by_seed`."""
    below: float
    regret: float
    blend: float
    """Mean over tasks of the blend's median over seeds; NaN where a task lacks it."""


def _difference(high: float, low: float) -> float:
    return 0.0 if high == low else high - low


def summarise(results: Sequence[Result]) -> list[Line]:
    """Lines by mode, task and method in the order of first appearance; a method with a criterion of its own has two."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        groups.setdefault((r.mode, r.task, r.method), []).append(r)
    lines = []
    for rows in groups.values():
        rows.sort(key=lambda r: r.seed)
        if any(r.own_choice is not None for r in rows):
            lines.append(_line(rows, own=True))
        lines.append(_line(rows, own=False))
    return lines


def _line(rows: Sequence[Result], *, own: bool) -> Line:
    tested = [r for r in rows if r.test_rows]
    listed = [] if own else [r for r in tested if r.shortlist]
    blends = [_blend(r) for r in listed if r.method == OURS]
    judged = [r.judged for r in rows if r.judged is not None]
    return Line(
        task=rows[0].task,
        method=rows[0].method + (OWN if own else ""),
        mode=rows[0].mode,
        seeds=tuple(r.seed for r in rows),
        scores=tuple(_r2(r.own_choice if own else r.choice) for r in tested),
        places=tuple(tuple(_r2(s) for s in r.shortlist) for r in listed),
        blends=() if None in blends else tuple(b for b in blends if b is not None),
        own=own,
        candidates=float(np.median([r.candidates for r in rows])),
        judged=float(np.median(judged)) if judged else None,
        skipped=float(np.median([r.skipped for r in rows])),
        failures=float(np.median([r.failures for r in rows])),
        seconds=float(np.median([r.seconds for r in rows])),
        cpu_seconds=float(np.median([r.cpu_seconds for r in rows])),
    )


def _r2(scored: Scored | None) -> float:
    return -math.inf if scored is None or scored.r2 is None else scored.r2


def _blend(result: Result) -> float | None:
    """Test R2 of the blend; None where it was not taken.

    A mean that leaves out what is not finite is itself not finite only where no law of the list is, and then counts as the
    laws do.
    """
    broken = all(s.r2 is None for s in result.shortlist)
    return -math.inf if result.blend is None and broken else result.blend


def mean_over_tasks(lines: Sequence[Line]) -> Mean | None:
    """Over the lines that have scores (all of one method and mode); None where none has."""
    tested = [line for line in lines if line.scores]
    if not tested:
        return None
    same = len({line.seeds for line in tested}) == 1
    by_seed = tuple(float(np.mean(s)) for s in zip(*(line.scores for line in tested), strict=True)) if same else ()
    regrets = [line.regret for line in tested if line.places]
    middle = float(np.median(by_seed)) if by_seed else math.nan
    return Mean(
        tasks=tuple(line.task for line in tested),
        median=float(np.mean([line.median for line in tested])),
        mean=float(np.mean([line.mean for line in tested])),
        clipped=float(np.mean([line.clipped for line in tested])),
        by_seed=by_seed,
        spread=_difference(max(by_seed), min(by_seed)) if by_seed else math.nan,
        below=_difference(middle, min(by_seed)) if by_seed else math.nan,
        regret=float(np.mean(regrets)) if regrets else math.nan,
        blend=float(np.mean([line.blend for line in tested])),
    )


def published_mean(row: Mapping[str, float], tasks: Sequence[str]) -> float:
    """A published row's mean over the same tasks; NaN where it lacks one."""
    return float(np.mean([row.get(task, math.nan) for task in tasks])) if tasks else math.nan
