"""The report of a run as text and tables for a terminal (`sldagent.report.build` computes what it says)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sldagent.report.build import TEN_TIMES, Line, Report
from sldagent.report.formula import exponents, formula_text
from sldagent.report.tables import number, ratio, table
from sldagent.session import Grounds

if TYPE_CHECKING:
    from rich.table import Table

    from sldagent.fitted import Fitted

SHOWN_GROUPS = 6
"""Groups whose values are printed; the archive has all."""
SHOWN_PUBLISHED = 8


def opening(grounds: Grounds) -> Iterator[str]:
    """Data, guesses, cuts and mode: printed before the search starts."""
    task, train = grounds.task, grounds.train
    rows = f"{len(train.X)} training rows"
    if len(task.X) > len(train.X):
        rows += f" ({len(task.X) - len(train.X)} more are kept out of the search by column '{task.split_column}')"
    groups = f", {len(task.groups)} groups" if len(task.groups) > 1 else ""
    yield f"Data: {task.name}, {rows}{groups}"
    for k, v in enumerate(task.variables):
        span = f"{number(float(train.X[:, k].min()))} to {number(float(train.X[:, k].max()))}"
        log = ", a logarithm" if v.log else ""
        yield f"  {v.symbol}: {v.role}{log}, {span}{f' {v.unit}' if v.unit else ''}"
    for t, target in enumerate(task.targets):
        span = f"{number(float(train.Y[:, t].min()))} to {number(float(train.Y[:, t].max()))}"
        unit = f" {target.unit}" if target.unit else ""
        yield f"  {target.name}: target, {span}{unit}; a law may predict {number(target.range[0])} to {number(target.range[1])}"
    for note in task.notes:
        yield f"  guessed: {note}"
    where = "where the wanted rows lie" if grounds.mode == "targeted" else "not told where predictions are wanted"
    yield f"Cuts ({grounds.mode}: {where}):"
    for cut in grounds.cuts:
        reach = f", {ratio(cut.reach)} beyond" if cut.extrapolates else ""
        yield f"  {cut.name}: {int(cut.held.sum())} rows held out{reach}"


def closing(report: Report) -> Iterator[str | Table]:
    """What is printed when a run has ended."""
    summary = report.outcome.summary
    words = ", ".join(f"{n} {reason}" for reason, n in sorted(summary.failures.items(), key=lambda i: (-i[1], i[0])))
    ended = {"time": "time is up", "interrupted": "interrupted", "stagnation": "the front no longer changes"}
    yield (
        f"\nRun {summary.run}: {summary.candidates} candidates in {summary.seconds:.0f} s "
        f"({ended.get(summary.stopped_by, 'all candidates tried')})" + (f"; not used: {words}" if words else "")
    )
    if report.choice is None:
        yield "No valid law was found, so none is recommended; 'sldagent sql' shows why candidates failed."
        yield from _next_steps(report)
        return
    yield from _choice(report, report.choice)
    yield _comparison(report)
    yield (
        "int, ext: root mean square error inside the kept rows and on the held-out rows of the cuts of a variable, in units of "
        "the target's training spread. X: mean logarithm of the squared extrapolation error (lower is better)."
    )
    yield _parameters(report, report.choice)
    yield "interval: 90 % of 64 refits to resampled training rows."
    yield _front(report)
    yield from _beyond(report)
    yield from _reach(report)
    yield from _next_steps(report)


def _choice(report: Report, choice: Fitted) -> Iterator[str]:
    summary = report.outcome.summary
    assert summary.choice is not None
    left = ", ".join(choice.targets) if len(choice.targets) < 4 else f"{choice.targets[0]} ... {choice.targets[-1]}"
    yield f"\nChoice: {choice.law}"
    yield _wrapped(f"{left} = {formula_text(choice.program.law, choice.parameters)}", "  ")
    yield f"  form: {formula_text(choice.program.law)}"
    sentence = summary.choice.reason
    if "no law beats" in sentence:
        name = report.lines[0].name
        sentence = f"{sentence}: recommending the published law {name}"
    yield f"  why: {sentence}\n"


def _comparison(report: Report) -> Table:
    heads = [f"{side} {v}" for v in report.cut_variables for side in ("int", "ext")]
    rows, published = [], 0
    for line in report.lines:
        published += line.role == "published"
        if line.role == "published" and published > SHOWN_PUBLISHED:
            continue
        rows.append([line.role, line.name, *_figures(line), *_errors(line, report.cut_variables)])
    columns = ["", "law", "C", "X", "± se", "MDL", *heads]
    hidden = max(0, published - SHOWN_PUBLISHED)
    title = "Laws on the cuts" + (f" ({hidden} more published laws did worse)" if hidden else "")
    return table(columns, rows, numbers=columns[2:], title=title)


def _figures(line: Line) -> list[str]:
    mark = "!" if line.invalid else ""
    return [number(line.complexity), number(line.x, 3) + mark, number(line.x_se, 2), number(line.mdl)]


def _errors(line: Line, variables: tuple[str, ...]) -> list[str]:
    out = []
    for variable in variables:
        errors = line.errors.get(variable)
        out += ["-", "-"] if errors is None else [number(errors.interpolation, 3), number(errors.extrapolation, 3)]
    return out


def _parameters(report: Report, choice: Fitted) -> Table:
    law = choice.program.law
    powers = exponents(law)
    bounds = () if report.choice_evaluation is None else report.choice_evaluation.at_bounds
    rows = []
    for parameter in law.parameters:
        values = choice.parameters[parameter.name]
        interval = report.intervals.get(parameter.name)
        notes = []
        if parameter.name in powers:
            notes.append("exponent")
        if parameter.name in bounds:
            notes.append("AT ITS BOUND")
        if len(values) == 1 and len(choice.groups) > 1:
            notes.append("shared by all groups")
        for index in list(np.ndindex(values.shape))[: SHOWN_GROUPS * max(1, values[0].size)]:
            span = "-" if interval is None else f"{number(interval.low[index])} to {number(interval.high[index])}"
            rows.append((_label(parameter.name, index, choice, len(values)), float(values[index]), span, ", ".join(notes)))
    title = "Parameters of the choice" + (f" (the first {SHOWN_GROUPS} groups)" if len(choice.groups) > SHOWN_GROUPS else "")
    return table(["parameter", "value", "interval", ""], rows, numbers=["value", "interval"], title=title)


def _label(name: str, index: tuple[int, ...], choice: Fitted, length: int) -> str:
    element = f"[{', '.join(str(i + 1) for i in index[1:])}]" if len(index) > 1 else ""
    group = f"  {choice.groups[index[0]]}" if length > 1 else ""
    return f"{name}{element}{group}"


def _front(report: Report) -> Table:
    summary = report.outcome.summary
    rows = [
        (summary.law(r.k), number(r.evaluation.complexity), number(r.evaluation.x, 4), number(r.evaluation.mdl), r.formula)
        for r in report.front
    ]
    title = "Pareto front: extrapolation error against complexity"
    return table(["law", "C", "X", "MDL", "formula"], rows, numbers=["C", "X", "MDL"], title=title)


def _beyond(report: Report) -> Iterator[str | Table]:
    beyond = report.beyond
    if beyond is None:
        yield "No variable is a scale, so there is no direction in which to look ten times beyond the data."
        return
    inputs = ", ".join(f"{name} = {number(value)}" for name, value in beyond.point.items())
    gap = beyond.disagreement
    rows = [
        [*([group] if len(beyond.groups) > 1 else []), target, *(float(v) for v in beyond.values[:, g, t]),
         f"{100 * gap[g, t]:.2g} %"]
        for g, group in enumerate(beyond.groups[:SHOWN_GROUPS]) for t, target in enumerate(beyond.targets)
    ]
    heads = [*(["group"] if len(beyond.groups) > 1 else []), "target", *beyond.laws, "disagree by"]
    yield table(heads, rows, numbers=[*beyond.laws, "disagree by"], title=f"{TEN_TIMES:g} times beyond the data ({inputs})")
    finite = gap[np.isfinite(gap)]
    if len(beyond.laws) > 1 and gap.size > 1 and finite.size:
        yield f"The short list disagrees by {100 * float(np.median(finite)):.2g} % (median), {100 * float(finite.max()):.2g} % at most."


def _reach(report: Report) -> Iterator[str]:
    for symbol, tested in report.tested.items():
        asked = report.asked.get(symbol)
        furthest = f"the largest cut tested {ratio(tested)}" if tested > 1 else "no cut tested any extrapolation"
        wanted = "" if asked is None else f"asked {ratio(max(asked, 1.0))} beyond the data in {symbol}; "
        yield f"Reach: {wanted}{furthest}{'' if asked is not None else f' beyond the rows kept, in {symbol}'}"


def _next_steps(report: Report) -> Iterator[str]:
    run = report.outcome.summary.run
    yield f"\nArchive: {report.outcome.archive}"
    if report.choice is not None:
        yield f"Next: sldagent export {run} --format python -o law.py   (or: show {run}, front {run}, predict {run} TABLE, score {run} TABLE)"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, 116, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False)
