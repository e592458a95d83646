"""The report of a run as text and tables for a terminal (`sldagent.report.build` computes what it says)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sldagent.report.build import TEN_TIMES, Line, Report, source_formula
from sldagent.report.formula import exponents, formula_text
from sldagent.report.parameters import bound_notes, parameter_lines
from sldagent.report.tables import number, ratio, table
from sldagent.session import Grounds

if TYPE_CHECKING:
    from sldagent.fitted import Fitted
    from sldagent.report.tables import Table

SHOWN_GROUPS = 6
"""Groups whose values are printed; the archive has all."""
SHOWN_PUBLISHED = 8
SHOWN_PARAMETERS = 40


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
        name = v.symbol if v.symbol == v.name else f"{v.symbol} ('{v.name}')"
        yield f"  {name}: {v.role}{log}, {span}{f' {v.unit}' if v.unit else ''}"
    for t, target in enumerate(task.targets):
        span = f"{number(float(train.Y[:, t].min()))} to {number(float(train.Y[:, t].max()))}"
        unit = f" {target.unit}" if target.unit else ""
        low, high = (number(end) for end in target.range)
        yield f"  {target.name}: target, {span}{unit}; a law may predict {low} to {high}"
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
    yield from _comparison(report)
    yield from _parameters(report, report.choice)
    yield "interval: 90 % of 64 refits to resampled training rows."
    yield "\nPareto front: extrapolation error against complexity"
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


def _comparison(report: Report) -> Iterator[str | Table]:
    heads = [f"{side} {v}" for v in report.cut_variables for side in ("int", "ext")]
    rows, published = [], 0
    for line in report.lines:
        published += line.role == "published"
        if line.role == "published" and published > SHOWN_PUBLISHED:
            continue
        rows.append([line.role, line.name, *_figures(line), *_errors(line, report.cut_variables)])
    columns = ["", "law", "C", "X", "± se", "MDL", *heads]
    hidden = max(0, published - SHOWN_PUBLISHED)
    yield "Laws on the cuts" + (f" ({hidden} more published laws did worse)" if hidden else "")
    yield table(columns, rows, numbers=columns[2:])
    yield (
        "int, ext: root mean square error inside the kept rows and on the held-out rows of the cuts of a variable, in\n"
        "units of the target's training spread. X: mean logarithm of the squared extrapolation error (lower is better)."
    )
    for line in report.lines:
        if line.invalid and line.role != "published":
            yield f"! {line.name} may not be chosen: {line.invalid}"


def _figures(line: Line) -> list[str]:
    mark = "!" if line.invalid else ""
    return [number(line.complexity), number(line.x, 3) + mark, number(line.x_se, 2), number(line.mdl)]


def _errors(line: Line, variables: tuple[str, ...]) -> list[str]:
    out = []
    for variable in variables:
        errors = line.errors.get(variable)
        out += ["-", "-"] if errors is None else [number(errors.interpolation, 3), number(errors.extrapolation, 3)]
    return out


def _parameters(report: Report, choice: Fitted) -> Iterator[str | Table]:
    law = choice.program.law
    powers = exponents(law)
    bounds = () if report.choice_evaluation is None else report.choice_evaluation.at_bounds
    rows = []
    for group, label, name, index in parameter_lines(choice, SHOWN_GROUPS):
        interval = report.intervals.get(name)
        notes = []
        if name in powers:
            notes.append("exponent")
        if name in bounds and (note := bound_notes(law.parameter(name), choice.parameters[name])[index]):
            notes.append(str(note).upper())
        if not group and len(choice.groups) > 1:
            notes.append("shared by all groups")
        span = "-" if interval is None else f"{number(interval.low[index])} to {number(interval.high[index])}"
        rows.append((group, label, float(choice.parameters[name][index]), span, ", ".join(notes)))
    some = f" (the first {SHOWN_GROUPS} of {len(choice.groups)} groups)" if len(choice.groups) > SHOWN_GROUPS else ""
    yield f"\nParameters of the choice{some}"
    hidden = len(rows) - SHOWN_PARAMETERS
    rows = rows[:SHOWN_PARAMETERS]
    columns = ["group", "parameter", "value", "interval", ""]
    if len(choice.groups) == 1:
        yield table(columns[1:], [row[1:] for row in rows], numbers=["value", "interval"])
    else:
        yield table(columns, rows, numbers=["value", "interval"])
    if hidden > 0:
        yield f"... and {hidden} more: sldagent show {choice.law}"


def _front(report: Report) -> Table:
    summary = report.outcome.summary
    rows = []
    for r in report.front:
        mark = "* " if r.k == summary.shortlist[0] else "  "
        e = r.evaluation
        rows.append((mark + summary.law(r.k), number(e.complexity), number(e.x), number(e.mdl), source_formula(r)))
    return table(["  law", "C", "X", "MDL", "formula (* the choice)"], rows, numbers=["C", "X", "MDL"])


def _beyond(report: Report) -> Iterator[str | Table]:
    beyond = report.beyond
    if beyond is None:
        yield "No variable is a scale, so there is no direction in which to look ten times beyond the data."
        return
    inputs = ", ".join(f"{name} = {number(value)}" for name, value in beyond.point.items())
    gap = beyond.disagreement
    several = len(beyond.laws) > 1
    rows = []
    for g, group in enumerate(beyond.groups[:SHOWN_GROUPS]):
        for t, target in enumerate(beyond.targets):
            values = [number(float(v)) for v in beyond.values[:, g, t]]
            rows.append([group, target, *values, *([f"{100 * gap[g, t]:.2g} %"] if several else [])])
    heads = ["group", "target", *beyond.laws, *(["disagree by"] if several else [])]
    if len(beyond.groups) == 1:
        heads, rows = heads[1:], [row[1:] for row in rows]
    yield f"\n{TEN_TIMES:g} times beyond the data: {inputs}"
    yield table(heads, rows, numbers=[*beyond.laws, "disagree by"])
    finite = gap[np.isfinite(gap)]
    if several and gap.size > 1 and finite.size:
        middle, most = 100 * float(np.median(finite)), 100 * float(finite.max())
        yield f"The short list disagrees by {middle:.2g} % (median), {most:.2g} % at most."


def _reach(report: Report) -> Iterator[str]:
    for symbol, tested in report.tested.items():
        asked = report.asked.get(symbol)
        furthest = f"the largest cut tested {ratio(tested)}" if tested > 1 else "no cut tested any extrapolation"
        wanted = "" if asked is None else f"asked {ratio(max(asked, 1.0))} beyond the data in {symbol}; "
        yield f"Reach: {wanted}{furthest}{'' if asked is not None else f' beyond the rows kept, in {symbol}'}"
    directed = [c.reach for c in report.outcome.grounds.cuts if c.variable in ("joint", "target")]
    if directed:
        where = "towards the wanted rows" if report.asked else "in all scale variables together"
        yield f"Reach: the largest cut tested {ratio(max(directed))} beyond the rows kept, {where}"


def _next_steps(report: Report) -> Iterator[str]:
    run = report.outcome.summary.run
    yield f"\nArchive: {report.outcome.archive}"
    if report.choice is not None:
        yield f"Next: sldagent export {run} --format python -o law.py"
        yield f"  or: sldagent show {run} | front {run} | predict {run} TABLE | score {run} TABLE"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, 116, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False)
