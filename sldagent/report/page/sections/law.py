"""The choice in mathematics, what else came into question, and its parameters and ancestry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sldagent.fitted import Fitted
from sldagent.laws.program import Law as Form
from sldagent.report.build import TEN_TIMES, source_formula
from sldagent.report.formula import exponents, filled_law
from sldagent.report.page.blocks import Block, Folded, Formula, Mono, Pairs, Paragraph, Section, grid
from sldagent.report.page.evidence import Evidence, Law
from sldagent.report.parameters import bound_notes, parameter_lines, span_text
from sldagent.report.tables import number

SHOWN_GROUPS = 6
LONG = 48
"""Longer tables are folded."""
SHOWN_ANCESTORS = 30


def the_law(evidence: Evidence) -> Section:
    """Formula, figures, why it was chosen, the rest of the short list, and predictions beyond the data."""
    choice = evidence.choice
    if choice is None:
        why = "so none is recommended" if evidence.run.status == "complete" else "so there is none to show so far"
        text = f"No valid law was found among {len(evidence.candidates)} candidates, {why}; see what was tried below."
        return Section("law", "The law", (Paragraph(text, strong=True),))
    law, evaluation = choice.fitted, choice.record.evaluation
    title = "The law" if evidence.chosen else "The law, so far"
    published = f" It is the published law '{choice.name}'." if choice.name else ""
    blocks: list[Block] = [
        Formula(left_side(law), law.program.law),
        *_with_values(law),
        Pairs(
            (
                ("Law", Mono(law.law)),
                ("X", f"{number(evaluation.x)} ± {number(evaluation.x_se, 2)}"),
                ("Complexity C", number(evaluation.complexity)),
                ("MDL", f"{number(evaluation.mdl)} nats"),
                ("Training R²", number(evaluation.train_r2, 6)),
                ("As text", Mono(source_formula(choice.record))),
            )
        ),
        Paragraph(f"Why this one: {evidence.reason}.{published}"),
    ]
    if evaluation.rank_deficient:
        blocks.append(
            Paragraph(
                f"The rows leave {evaluation.rank_deficient} direction(s) of its parameters undetermined: "
                "that does not touch predictions inside the data, but single values.",
                strong=True,
            )
        )
    return Section("law", title, (*blocks, *_shortlist(evidence), *_beyond(evidence), *_scorings(evidence)))


def left_side(law: Fitted) -> str:
    """What a law predicts, as the left side of an equation."""
    return law.targets[0] if len(law.targets) == 1 else "target i"


def _with_values(law: Fitted) -> list[Block]:
    """The formula with its values put in, where one set of values holds for all rows."""
    filled: Form = filled_law(law.program.law, law.parameters)
    if filled == law.program.law:
        return [Paragraph("Its constants differ by group or target: see the table of parameters.")]
    return [Formula(left_side(law), filled)]


def _shortlist(evidence: Evidence) -> list[Block]:
    if len(evidence.shortlist) < 2:
        return []
    rows = []
    for place, law in enumerate(evidence.shortlist):
        e = law.record.evaluation
        role = "choice" if place == 0 else f"{('second', 'third')[place - 1]}"
        rows.append((role, Mono(law.fitted.law), number(e.complexity), number(e.x), number(e.x_se, 2), number(e.mdl),
                     Mono(source_formula(law.record))))  # fmt: skip
    columns = ["", "law", "C", "X", "± se", "MDL", "formula"]
    return [Paragraph("The short list: laws that the data can hardly tell apart."), grid(columns, rows, columns[2:6])]


def _beyond(evidence: Evidence) -> list[Block]:
    beyond = evidence.beyond
    if beyond is None:
        return [Paragraph("No variable is a scale, so there is no direction in which to look ten times beyond the data.")]
    inputs = ", ".join(f"{name} = {number(value)}" for name, value in beyond.point.items())
    gap, several = beyond.disagreement, len(beyond.laws) > 1
    rows = []
    for g, group in enumerate(beyond.groups):
        for t, target in enumerate(beyond.targets):
            values = [number(float(v)) for v in beyond.values[:, g, t]]
            share = 100 * float(gap[g, t])
            rows.append([group, target, *values, *([f"{share:.2g} %" if math.isfinite(share) else "-"] if several else [])])
    roles = ["choice", "second", "third"][: len(beyond.laws)]
    columns = ["group", "target", *roles, *(["disagree by"] if several else [])]
    if len(beyond.groups) == 1:
        columns, rows = columns[1:], [row[1:] for row in rows]
    table = grid(columns, rows, [*roles, "disagree by"])
    text = Paragraph(f"Predictions {TEN_TIMES:g} times beyond the data, at {inputs}:")
    finite = gap[np.isfinite(gap)]
    if len(rows) <= SHOWN_GROUPS or not finite.size or not several:
        return [text, table] if len(rows) <= LONG else [text, Folded(f"All {len(rows)}", (table,))]
    middle, most = 100 * float(np.median(finite)), 100 * float(finite.max())
    said = Paragraph(f"The short list disagrees by {middle:.2g} % there (median), {most:.2g} % at most.")
    return [text, said, Folded(f"All {len(rows)} predictions", (table,))]


def _scorings(evidence: Evidence) -> list[Block]:
    """What the archive's log says of rows outside training; reading those rows is for ``score`` alone."""
    if not evidence.scorings:
        return []
    columns = ["law", "rows", "of", "R²", "NMSE", "when (UTC)"]
    rows = [
        (Mono(s.law), s.rows, s.split, number(s.r2), number(s.nmse), s.created.strftime("%Y-%m-%d %H:%M"))
        for s in evidence.scorings
    ]
    return [Paragraph("Scored on rows outside training:"), grid(columns, rows, ["rows", "R²", "NMSE"])]


def parameters(evidence: Evidence) -> Section | None:
    """Values with their intervals: shared ones first, then a row for each group."""
    choice = evidence.choice
    if choice is None:
        return None
    law = choice.fitted
    shared, own = [], []
    for group, label, name, index in parameter_lines(law):
        value = number(float(law.parameters[name][index]), 5)
        interval = evidence.intervals.get(name)
        span = "-" if interval is None else span_text(interval, index)
        notes = _notes(choice, name, index)
        if group:
            own.append((group, label, f"{value} ({span})" + (f", {notes}" if notes else "")))
        else:
            shared.append((Mono(label), value, span, notes))
    blocks: list[Block] = []
    if shared:
        whole = " (shared by all groups)" if len(law.groups) > 1 else ""
        blocks += _long(("parameter" + whole, "value", "90 % interval", ""), shared, ("value", "90 % interval"), "values")
    if own:
        labels = list(dict.fromkeys(label for _, label, _ in own))
        cells = {(group, label): cell for group, label, cell in own}
        groups = list(dict.fromkeys(group for group, _, _ in own))
        rows = [(group, *(cells.get((group, label), "-") for label in labels)) for group in groups]
        blocks += _long(("group", *labels), rows, labels, "groups")
    told = "Intervals: the central 90 % of refits to resampled training rows."
    if not evidence.intervals:
        told = "No intervals: they need refits to the training rows."
    return Section("parameters", "Parameters", (*blocks, Paragraph(told)))


def _notes(choice: Law, name: str, index: tuple[int, ...]) -> str:
    """What else there is to say of a value."""
    form, values = choice.fitted.program.law, choice.fitted.parameters[name]
    notes = ["exponent"] if name in exponents(form) and len(values) == 1 else []
    if name in choice.record.evaluation.at_bounds and (note := bound_notes(form.parameter(name), values)[index]):
        notes.append(str(note))
    return ", ".join(notes)


def _long(
    columns: Sequence[str], rows: Sequence[tuple[Any, ...]], numbers: Sequence[str], what: str
) -> list[Block]:
    """A table, its end folded where it is long."""
    if len(rows) <= LONG:
        return [grid(columns, rows, numbers)]
    rest = Folded(f"The other {len(rows) - LONG} {what}", (grid(columns, rows[LONG:], numbers),))
    return [grid(columns, rows[:LONG], numbers), rest]


def lineage(evidence: Evidence) -> Section | None:
    """Where the choice came from."""
    if not evidence.lineage:
        return None
    rows = [
        (a.generation, Mono(a.law), a.operator, number(a.x), number(a.complexity), Mono(a.formula)) for a in evidence.lineage
    ]
    columns = ["generations back", "law", "made by", "X", "C", "formula"]
    shown = rows[:SHOWN_ANCESTORS]
    blocks: list[Block] = [grid(columns, shown, ["generations back", "X", "C"])]
    if len(rows) > len(shown):
        blocks.append(Paragraph(f"... and {len(rows) - len(shown)} more within the same generations."))
    hypothesis = None if evidence.choice is None else evidence.choice.record.asked
    if hypothesis is not None and hypothesis.hypothesis:
        blocks.append(Paragraph(f"The model that wrote it said: {hypothesis.hypothesis}"))
    return Section("lineage", "Where the choice came from", tuple(blocks))
