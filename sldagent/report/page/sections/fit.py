"""How the choice fits and extrapolates: along every variable, residuals by regime, errors on the cuts."""

from __future__ import annotations

import math
from dataclasses import replace

from sldagent.diagnosis.bias import Regime
from sldagent.diagnosis.study import Study
from sldagent.errors import FitError
from sldagent.report.build import Line, errors_by_variable
from sldagent.report.figures import (
    Curve,
    CutErrors,
    Plot,
    cut_errors,
    cuts_plot,
    drawable,
    fit_plot,
    residual_plot,
    residuals_of,
    scatter_plot,
)
from sldagent.report.figures.fit import BEYOND, LEVEL
from sldagent.report.figures.style import Role
from sldagent.report.page.blocks import Block, Folded, Mono, Paragraph, Picture, Section, grid
from sldagent.report.page.evidence import Evidence, Law
from sldagent.report.tables import number

SHORTLIST: tuple[Role, ...] = ("choice", "second", "third")
PUBLISHED: tuple[Role, ...] = ("published", "next")
ALONG = 4
"""Variables drawn."""
SHOWN_PUBLISHED = 8
SHOWN_REGIMES = 24
SURE = 3.0
"""Means this many standard errors from zero are said to differ from it."""


def curves_of(evidence: Evidence) -> list[Curve]:
    """The short list, the choice with its interval, and the best published laws beside it."""
    curves = []
    for role, law in zip(SHORTLIST, evidence.shortlist, strict=False):
        curves.append(Curve(role, _label(role, law), law.fitted, level=LEVEL if role == "choice" else None))
    for role, law in zip(PUBLISHED, evidence.published, strict=False):
        curves.append(Curve(role, _label(role, law), law.fitted))
    return curves


def _label(role: Role, law: Law) -> str:
    published = f"published law {law.name or law.record.formula}"
    if role in PUBLISHED:
        return published
    label = "choice" if role == "choice" else f"{role} of short list"
    return f"{label} ({published})" if law.name else label


def extrapolation(evidence: Evidence) -> Section | None:
    """The laws along every variable, and predictions against measurements."""
    task = evidence.train
    if task is None or evidence.choice is None:
        return None
    curves = curves_of(evidence)
    blocks: list[Block] = []
    flat = []
    for symbol in drawable(task)[:ALONG]:
        variable = task.variables[task.symbols.index(symbol)]
        plot = fit_plot(task, curves, symbol, title=f"Laws along {variable.name}")
        if plot.square:  # no two rows differ in it alone
            flat.append(variable.name)
            continue
        reach = f"to {BEYOND:g} times the largest value" if variable.role == "scale" else "over its range"
        alt = f"Measured {_targets(evidence)} and laws along {variable.name}, {reach}"
        text = f"Along {variable.name}, {reach}." + (
            " The dotted line is where training rows end." if variable.role == "scale" else "")  # fmt: skip
        blocks.append(Picture(f"along-{len(blocks) + 1}", _described(plot, alt), text))
    if flat:
        names = ", ".join(flat)
        blocks.append(Paragraph(f"No two rows differ in {names} alone, so no line is drawn along it; see below."))
    alt = f"Predicted against measured {_targets(evidence)}"
    scatter = scatter_plot(task, curves[:1], "Predicted against measured")
    text = "The choice's fit to all training rows; on the line is exact."
    blocks.append(Picture("scatter", _described(scatter, alt), text))
    text = (
        f"The shaded band holds {LEVEL:.0%} of new measurements if the choice is right: noise, uncertain constants, the "
        "short list's disagreement, and how errors grew beyond the kept rows of the cuts."
    )
    return Section("extrapolation", "Extrapolation", (Paragraph(text), *blocks))


def _described(plot: Plot, alt: str) -> Plot:
    return replace(plot, alt=alt)


def _targets(evidence: Evidence) -> str:
    return ", ".join(str(t["name"]) for t in evidence.run.card["targets"][:3])


def residuals(evidence: Evidence) -> Section | None:
    """Residuals of the fit to all rows."""
    task, choice, evaluator = evidence.train, evidence.choice, evidence.evaluator
    if task is None or choice is None or evaluator is None:
        return None
    plot = residual_plot(task, residuals_of(task, choice.fitted), "Residuals of the choice")
    blocks: list[Block] = [
        Paragraph("Prediction less measurement, in units of the target's training spread within its group."),
        Picture("residuals", _described(plot, "Residuals of the choice along every variable")),
    ]
    try:
        regimes = Study(evaluator).law(choice.fitted.program, choice.record.evaluation).regimes
    except FitError:
        return Section("residuals", "Residuals by regime", tuple(blocks))
    ranked = sorted(regimes, key=lambda r: -abs(r.z))
    sure = [r for r in ranked if abs(r.z) >= SURE]
    if sure:
        worst = "; ".join(f"{_where(r)}: {r.mean:+.2g} (z = {r.z:+.1f})" for r in sure[:3])
        blocks.append(Paragraph(f"The law is off, by more than chance, where {worst}.", strong=True))
    else:
        blocks.append(Paragraph("In no regime does the mean residual differ from zero by more than chance would explain."))
    several = len(task.targets) > 1
    rows = [((r.target, _where(r)) if several else (_where(r),)) + (r.rows, number(r.mean, 2), f"{r.z:+.1f}")
            for r in ranked[:SHOWN_REGIMES]]  # fmt: skip
    columns = [*(["target"] if several else []), "regime", "rows", "mean residual", "z"]
    table = grid(columns, rows, columns[-3:])
    blocks.append(Folded(f"Mean residual in {len(rows)} regimes, the surest first", (table,)))
    return Section("residuals", "Residuals by regime", tuple(blocks))


def _where(regime: Regime) -> str:
    return ", ".join(f"{symbol} {size}" for symbol, size in regime.where)


def cuts(evidence: Evidence) -> Section | None:
    """Errors on every cut, and laws compared by their errors along each variable."""
    choice = evidence.choice
    if choice is None:
        return None
    laws: list[CutErrors] = []
    for role, law in zip((*SHORTLIST[: len(evidence.shortlist)], *PUBLISHED[:1]),
                         (*evidence.shortlist, *evidence.published[:1]), strict=False):  # fmt: skip
        laws.append(cut_errors(role, _label(role, law), law.record.evaluation.cuts))
    blocks: list[Block] = []
    if laws[0].errors:
        alt = "Root mean square error on every cut, of the short list and the best published law"
        plot = _described(cuts_plot(laws, "Errors on the cuts"), alt)
        text = "Marks: error on the rows held out. Short bars: error on the rows kept, which fitted the law."
        blocks.append(Picture("cuts", plot, text))
        rows = [(name, number(inside, 3), number(beyond, 3)) for name, (inside, beyond) in laws[0].errors.items()]
        columns = ["cut", "inside", "beyond"]
        blocks.append(Folded("The choice's errors as numbers", (grid(columns, rows, columns[1:]),)))
    blocks += _comparison(evidence)
    return Section("cuts", "Errors on the cuts", tuple(blocks))


def _comparison(evidence: Evidence) -> list[Block]:
    """Choice, short list, published laws and baselines."""
    entries = [("choice" if k == 0 else "short list", law) for k, law in enumerate(evidence.shortlist)]
    entries += [("published", law) for law in evidence.published[:SHOWN_PUBLISHED]]
    variables = tuple(dict.fromkeys(c.variable for _, law in entries for c in law.record.evaluation.cuts))
    rows = []
    for role, law in entries:
        e = law.record.evaluation
        errors = errors_by_variable(e.cuts)
        beyond = [number(errors[v].extrapolation, 3) if v in errors else "-" for v in variables]
        mark = "" if e.valid else " (may not be chosen)"
        name = law.name or law.fitted.law
        figures = (number(e.complexity), number(e.x, 3) + mark, number(e.x_se, 2), number(e.mdl))
        rows.append((role, Mono(name), *figures, *beyond))
    rows += [_baseline(line, variables) for line in evidence.baselines]
    columns = ["", "law", "C", "X", "± se", "MDL", *(f"error beyond, {v}" for v in variables)]
    hidden = len(evidence.published) - SHOWN_PUBLISHED
    more = f" {hidden} more published laws did worse." if hidden > 0 else ""
    text = "Root mean square errors on the rows held out, in units of the target's training spread, by the cut's variable."
    return [Paragraph(text + more), grid(columns, rows, columns[2:])]


def _baseline(line: Line, variables: tuple[str, ...]) -> tuple[str, ...]:
    beyond = [number(line.errors[v].extrapolation, 3) if v in line.errors else "-" for v in variables]
    x = number(line.x, 3) if math.isfinite(line.x) else "inf"
    return (line.role, line.name, number(line.complexity), x, number(line.x_se, 2), number(line.mdl), *beyond)
