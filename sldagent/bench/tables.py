"""A benchmark's figures as tables for a terminal of 120 to 160 characters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from sldagent.bench.results import OURS
from sldagent.bench.summary import Line, Mean, mean_over_tasks, published, published_mean
from sldagent.report.tables import Table, table

PLACES = ("choice", "second", "third")


def report_tables(lines: Sequence[Line]) -> Iterator[str | Table]:
    """Titles, tables and notes, each mode apart."""
    rows = published()
    for mode in dict.fromkeys(line.mode for line in lines):
        mine = [line for line in lines if line.mode == mode]
        ours = [line for line in mine if line.method == OURS]
        yield f"\nTest R2, {mode}" + _MODES[mode]
        yield _scores(ours, rows)
        yield _SCORES_NOTE
        if any(line.places for line in ours):
            yield f"\nShort list, {mode}: median test R2 by place (not recommended: what a better pick could reach)"
            yield _shortlist(ours)
            yield _SHORTLIST_NOTE
        if len(mine) > len(ours):
            yield f"\nMethods, {mode}: median test R2, same budget"
            yield _methods(mine)
            yield _METHODS_NOTE
        yield f"\nCosts, {mode}: medians over seeds"
        yield _costs(mine)
        yield _COSTS_NOTE


_MODES = {
    "blind": " (nobody said where predictions are wanted)",
    "targeted": " (told at which inputs predictions are wanted, never their values)",
}
_SCORES_NOTE = """\
median, mean: over seeds, not clipped; clipped: mean over seeds, each clipped at -1, as published rows are.
spread: best less worst seed; below: median less worst seed.
The mean is over tasks with test rows here, in published rows too."""
_SHORTLIST_NOTE = """\
blend: median test R2 of the plain mean of the list's predictions, which is no law and never the choice.
Its mean is over tasks with test rows; - where some result has no blend."""
_METHODS_NOTE = """\
human: the field's law for the task, refitted.  catalogue: all published laws that fit the columns, by our choice rule.
best-of-n: the grammar without evolution.  pyoperon, gplearn: their laws, refitted, by our choice rule;
own: by their training criterion, with their numbers.  Means are over the tasks on which every method has a score."""
_COSTS_NOTE = """\
tried: candidates, for packages their own evaluations; judged: by our evaluator; unstated: expressions that the law
language cannot state as they were meant; unused: judged without success, or duplicates."""


def _scores(lines: Sequence[Line], rows: Mapping[str, Mapping[str, float]]) -> Table:
    known = [name for name in rows if any(line.task in rows[name] for line in lines)]
    columns = ("task", *known, "median", "mean", "clipped", "spread", "below", "by seed")
    body = [
        (
            line.task,
            *(_r2(rows[name].get(line.task), 3) for name in known),
            *map(_r2, (line.median, line.mean, line.clipped, line.spread, line.below)),
            " ".join(map(_r2, line.scores)) or "no test rows",
        )
        for line in lines
    ]
    mean = mean_over_tasks(lines)
    if mean is not None:
        body.append(
            (
                _mean_of(mean),
                *(_r2(published_mean(rows[name], mean.tasks), 3) for name in known),
                *map(_r2, (mean.median, mean.mean, mean.clipped, mean.spread, mean.below)),
                " ".join(map(_r2, mean.by_seed)) or "-",
            )
        )
    return table(columns, body, numbers=columns[1:])


def _mean_of(mean: Mean) -> str:
    return f"mean of {len(mean.tasks)}"


def _shortlist(lines: Sequence[Line]) -> Table:
    columns = ("task", *PLACES, "best of the list", "best, by seed", "regret", "blend")
    body = [
        (
            line.task,
            *(_r2(_middle([p[k] for p in line.places if len(p) > k])) for k in range(len(PLACES))),
            _r2(_middle(line.best)),
            " ".join(_r2(b) for b in line.best),
            _r2(line.regret),
            _r2(line.blend),
        )
        for line in lines
        if line.places
    ]
    mean = mean_over_tasks(lines)
    if mean is not None:
        body.append((_mean_of(mean), *[""] * (len(columns) - 3), _r2(mean.regret), _r2(mean.blend)))
    return table(columns, body, numbers=columns[1:])


def _methods(lines: Sequence[Line]) -> Table:
    methods = list(dict.fromkeys(line.method for line in lines))
    tasks = list(dict.fromkeys(line.task for line in lines))
    cells = {(line.task, line.method): line for line in lines}
    body = [(task, *(_cell(cells.get((task, m))) for m in methods)) for task in tasks]
    # a mean over fewer tasks than another method's would not compare: those with scores from every method
    common = [t for t in tasks if all((t, m) in cells and cells[t, m].scores for m in methods)]
    if common:
        means = [mean_over_tasks([cells[t, m] for t in common]) for m in methods]
        body.append((f"mean of {len(common)}", *(_r2(m.median) if m else "-" for m in means)))
        body.append(("clipped", *(_r2(m.clipped) if m else "-" for m in means)))
    return table(("task", *methods), body, numbers=methods)


def _cell(line: Line | None) -> str:
    return "-" if line is None or not line.scores else _r2(line.median)


def _costs(lines: Sequence[Line]) -> Table:
    columns = ("task", "method", "seeds", "tried", "judged", "unstated", "unused", "seconds", "CPU s")
    body = [
        (
            line.task,
            line.method,
            str(len(line.seeds)),
            f"{line.candidates:.0f}",
            f"{line.candidates if line.judged is None else line.judged:.0f}",
            f"{line.skipped:.0f}",
            f"{line.failures:.0f}",
            f"{line.seconds:.0f}",
            f"{line.cpu_seconds:.0f}",
        )
        for line in lines
        if not line.own
    ]
    return table(columns, body, numbers=columns[2:])


def _middle(values: Sequence[float]) -> float:
    return median(values) if values else math.nan


def _r2(value: float | None, digits: int = 4) -> str:
    """An R2 or a difference of two, to so many decimals."""
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "none" if value < 0 else "inf"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.3g}"
