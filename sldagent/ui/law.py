"""What the page of one law shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sldagent.archive.chat import CallRecord
from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.archive.watch import LawLine
from sldagent.errors import SldagentError
from sldagent.fitted import Fitted, from_candidate
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Law
from sldagent.report.figures import drawable
from sldagent.report.formula import filled_law, formula_text
from sldagent.report.lineage import Ancestor, ancestry
from sldagent.report.page.html import formula_html
from sldagent.report.page.sections.law import left_side
from sldagent.report.parameters import bound_notes, parameter_lines
from sldagent.ui.rows import TrainingRows
from sldagent.ui.source import Opened

SHOWN_PARAMETERS = 200
SHOWN_CHILDREN = 20
LARGEST_FORMULA = 4000
"""Characters of a formula that is set as mathematics; a longer one is shown as text."""


@dataclass(frozen=True)
class Formula:
    """A law's right-hand side for people."""

    text: str
    math: Markup | None
    """None: too long to be read as mathematics."""
    filled: str
    """With the values that hold for all groups put in; '' where there are none."""
    filled_math: Markup | None


@dataclass(frozen=True)
class ParameterLine:
    """One fitted number."""

    group: str
    label: str
    value: float
    note: str
    """Whether it stands on a bound, or has left for 0 or infinity; '' where it does not."""


@dataclass(frozen=True)
class Talk:
    """One request to a language model and its answer."""

    call: CallRecord
    messages: tuple[tuple[str, str], ...]
    """(role, text); empty where the archive was pruned."""
    answer: str | None


@dataclass(frozen=True)
class LawPage:
    """See the module's docstring."""

    run: RunRecord
    law: CandidateRecord
    formula: Formula | None
    """None: the program's text is not a law of the language."""
    parameters: tuple[ParameterLine, ...]
    hidden: int
    """Parameters beyond those shown."""
    family: tuple[Ancestor, ...]
    children: tuple[LawLine, ...]
    talks: tuple[Talk, ...]
    plots: tuple[str, ...]
    """Names of the figures that can be drawn: ``fit-SYMBOL``, ``scatter``, ``residuals``."""
    no_plots: str
    """Why there are none, one sentence."""

    @property
    def id(self) -> str:
        return f"{self.run.run}-{self.law.k}"


def law_page(opened: Opened, tables: TrainingRows, run_id: str, k: int) -> LawPage:
    """Gather the page of candidate `k` of a run.  Raises ArchiveError where there is none."""
    archive = opened.archive
    run, law = archive.law(f"{run_id}-{k}")
    program = _law_of(law)
    fitted = _fitted(run, law)
    lines = () if fitted is None else _parameters(fitted, law)
    plots, why = _plots(opened, tables, run, fitted)
    return LawPage(
        run=run,
        law=law,
        formula=None if program is None else formula_of(program, fitted),
        parameters=lines[:SHOWN_PARAMETERS],
        hidden=max(0, len(lines) - SHOWN_PARAMETERS),
        family=tuple(ancestry(archive, run.run, law)),
        children=tuple(opened.watcher.children(run.run, k, SHOWN_CHILDREN)),
        talks=_talks(opened, law),
        plots=plots,
        no_plots=why,
    )


def _law_of(record: CandidateRecord) -> Law | None:
    try:
        return parse_program(record.source).law
    except SldagentError:
        return None


def _fitted(run: RunRecord, record: CandidateRecord) -> Fitted | None:
    if record.evaluation.failure is not None or not record.evaluation.parameters:
        return None
    try:
        return from_candidate(run, record)
    except SldagentError:
        return None


def formula_of(law: Law, fitted: Fitted | None) -> Formula:
    """The formula of a law, with its values where it has been fitted."""
    left = "target" if fitted is None else left_side(fitted)
    text = formula_text(law)
    small = len(text) <= LARGEST_FORMULA
    math = Markup(formula_html(left, law)) if small else None
    filled = text if fitted is None else formula_text(law, fitted.parameters)
    if fitted is None or filled == text:
        return Formula(text, math, "", None)
    return Formula(text, math, filled, Markup(formula_html(left, filled_law(law, fitted.parameters))) if small else None)


def _parameters(fitted: Fitted, record: CandidateRecord) -> tuple[ParameterLine, ...]:
    notes: Mapping[str, Any] = {
        name: bound_notes(fitted.program.law.parameter(name), fitted.parameters[name])
        for name in record.evaluation.at_bounds
        if name in fitted.parameters
    }
    return tuple(
        ParameterLine(group, label, float(fitted.parameters[name][index]), str(notes[name][index]) if name in notes else "")
        for group, label, name, index in parameter_lines(fitted)
    )


def _plots(opened: Opened, tables: TrainingRows, run: RunRecord, fitted: Fitted | None) -> tuple[tuple[str, ...], str]:
    if fitted is None:
        return (), "This candidate has no fitted values, so there is no fit to show."
    try:
        task = tables.of(opened.archive, run)
    except SldagentError as error:
        return (), f"No fit can be drawn: {error}."
    return (*(f"fit-{symbol}" for symbol in drawable(task)), "scatter", "residuals"), ""


def _talks(opened: Opened, record: CandidateRecord) -> tuple[Talk, ...]:
    if record.asked is None:
        return ()
    chats = opened.archive.chats()
    calls = [call for key in record.asked.calls if (call := chats.call(key)) is not None]
    return tuple(_talk(call) for call in calls)


def _talk(call: CallRecord) -> Talk:
    messages = call.request.get("messages")
    told = [m for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
    answer = None if call.response is None else str(call.response.get("text", ""))
    return Talk(call, tuple((str(m.get("role", "")), str(m.get("text", ""))) for m in told), answer)
