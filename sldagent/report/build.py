"""What `discover` reports, as values: computed once, printed as text or JSON by `text` and the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import LawError
from sldagent.evaluation.baseline import persistence, power_law
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import CutScore, Evaluation
from sldagent.fitted import Fitted, from_candidate, named_parameters
from sldagent.jsonable import jsonable
from sldagent.laws.canonical import structure_hash
from sldagent.laws.catalogue import bind, catalogue
from sldagent.laws.parse import parse_program
from sldagent.report.beyond import Beyond, predict_beyond
from sldagent.report.formula import formula_text
from sldagent.session import Outcome
from sldagent.tasks.cuts import asked_reach, tested_reach
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import Interval, parameter_intervals

TEN_TIMES = 10.0


@dataclass(frozen=True)
class Errors:
    """Errors of a law on the cuts of one variable, as root mean squares in units of the target's training spread."""

    interpolation: float
    extrapolation: float


@dataclass(frozen=True)
class Line:
    """One line of the table that compares laws."""

    role: str
    """choice, short list, published, program (a file that the run was given, with its own fit), baseline."""
    name: str
    """Law id, or what the baseline is."""
    complexity: float | None
    x: float
    x_se: float | None
    mdl: float | None
    errors: Mapping[str, Errors]
    """By the cut's variable."""
    formula: str = ""
    invalid: str = ""
    """Why the law cannot be chosen, or ''."""


@dataclass(frozen=True)
class Report:
    """See the module's docstring; `choice` and what follows from it are empty when no law could be fitted."""

    outcome: Outcome
    lines: tuple[Line, ...]
    cut_variables: tuple[str, ...]
    choice: Fitted | None
    choice_evaluation: Evaluation | None
    shortlist: tuple[Fitted, ...]
    front: tuple[CandidateRecord, ...]
    intervals: Mapping[str, Interval]
    beyond: Beyond | None
    asked: Mapping[str, float]
    """Scale variable -> how far beyond the training rows predictions are wanted, as a ratio; empty in blind mode."""
    tested: Mapping[str, float]
    """Scale variable -> the furthest that any cut tests, as a ratio."""

    def document(self) -> dict[str, Any]:
        """The run as JSON: choice, short list and front, each law with its figures."""
        summary = self.outcome.summary
        laws = {k: law_summary(summary.law(k), r, self.outcome.grounds.task.groups) for k, r in summary.records.items()}
        return {
            "run": summary.run,
            "task": self.outcome.grounds.task.name,
            "mode": self.outcome.grounds.mode,
            "status": summary.status,
            "choice": laws[summary.shortlist[0]] if summary.shortlist else None,
            "shortlist": [laws[k] for k in summary.shortlist],
            "front": [laws[k] for k in summary.front],
            "reason": "" if summary.choice is None else summary.choice.reason,
            "comparison": [jsonable(line) for line in self.lines],
            "beyond": self.beyond,
            "reach": {"asked": self.asked, "tested": self.tested},
            "candidates": summary.candidates,
            "failures": dict(summary.failures),
            "seconds": summary.seconds,
            "programs": [jsonable(r) for r in self.outcome.references],
            "archive": self.outcome.archive,
        }


def build_report(outcome: Outcome, archive: Archive) -> Report:
    """Gather the report of a finished run; refits only the baselines and the choice's intervals."""
    summary, grounds = outcome.summary, outcome.grounds
    evaluator = Evaluator(grounds.train, grounds.cuts)
    run = archive.run(summary.run)
    shortlist = tuple(from_candidate(run, summary.records[k]) for k in summary.shortlist)
    choice = shortlist[0] if shortlist else None
    intervals: Mapping[str, Interval] = {}
    evaluation = None
    if choice is not None:
        evaluation = summary.records[summary.shortlist[0]].evaluation
        intervals = parameter_intervals(evaluator, choice.program)
    train = grounds.train
    return Report(
        outcome=outcome,
        lines=tuple(_lines(outcome, evaluator)),
        cut_variables=tuple(dict.fromkeys(c.variable for c in grounds.cuts)),
        choice=choice,
        choice_evaluation=evaluation,
        shortlist=shortlist,
        front=tuple(summary.records[k] for k in summary.front),
        intervals=intervals,
        beyond=predict_beyond(shortlist, TEN_TIMES) if shortlist else None,
        asked={} if train.at is None else asked_reach(train, train.at),
        tested=tested_reach(grounds.cuts, train),
    )


def errors_by_variable(cuts: Sequence[CutScore]) -> dict[str, Errors]:
    """Mean over a variable's cuts and targets of the logarithmic errors, as root mean squares."""
    out = {}
    for variable in dict.fromkeys(c.variable for c in cuts):
        mine = [c for c in cuts if c.variable == variable]
        out[variable] = Errors(_rms([c.kept_log_mse for c in mine]), _rms([c.log_mse for c in mine]))
    return out


def _rms(log_mse: Sequence[float]) -> float:
    mean = float(np.mean(log_mse))
    return math.exp(0.5 * mean) if mean < 700 else math.inf


def _lines(outcome: Outcome, evaluator: Evaluator) -> list[Line]:
    """Choice, short list, published laws from the best to the worst, baselines."""
    summary = outcome.summary
    titles = published_names(evaluator.grounds.task)
    lines = []

    def add(role: str, k: int) -> None:
        record = summary.records[k]
        title = titles.get(record.structure)
        name = summary.law(k) + (f" ({title})" if title else "")
        lines.append(line_of(role, name, record.evaluation, record.formula))

    for place, k in enumerate(summary.shortlist):
        add("choice" if place == 0 else "short list", k)
    published = [k for k in summary.catalogue if k not in summary.shortlist]
    published = [k for k in published if summary.records[k].evaluation.failure is None]
    for k in sorted(published, key=lambda k: (summary.records[k].evaluation.x, k)):
        add("published", k)
    for r in outcome.references:
        if r.failure is None:
            lines.append(Line("program", r.name, None, r.x, r.x_se, None, errors_by_variable(r.cuts)))
    return lines + baselines(evaluator)


def baselines(evaluator: Evaluator) -> list[Line]:
    """What any law must beat, on the evaluator's cuts."""
    lines = []
    program = power_law(evaluator.grounds.task)
    if program is not None:
        plain = evaluator.evaluate(program)
        if plain.failure is None:
            lines.append(line_of("baseline", "plain power law", plain))
    last = persistence(evaluator)
    if last is not None:
        lines.append(Line("baseline", "persistence", None, last.x, None, None, errors_by_variable(last.cuts)))
    return lines


def published_names(task: Task) -> dict[str, str]:
    """Structure hash -> name of the published law that has this structure over the task's variables."""
    names: dict[str, str] = {}
    for entry in catalogue():
        for program in bind(entry, task):
            names.setdefault(structure_hash(program.law), entry.name)
    return names


def line_of(role: str, name: str, evaluation: Evaluation, formula: str = "") -> Line:
    return Line(
        role,
        name,
        evaluation.complexity,
        evaluation.x,
        evaluation.x_se,
        evaluation.mdl,
        errors_by_variable(evaluation.cuts),
        formula,
        "" if evaluation.valid else evaluation.invalid_reason,
    )


def law_summary(law: str, record: CandidateRecord, groups: tuple[str, ...]) -> dict[str, object]:
    """One law as JSON: id, formula, parameters and figures."""
    evaluation = record.evaluation
    return {
        "law": law,
        "formula": source_formula(record),
        "x": evaluation.x,
        "x_se": evaluation.x_se,
        "complexity": evaluation.complexity,
        "mdl": evaluation.mdl,
        "valid": evaluation.valid,
        "parameters": named_parameters(evaluation.parameters, groups),
    }


def source_formula(record: CandidateRecord) -> str:
    """The formula in the parameters that were fitted (the canonical one in the record may have merged some); that one where
    the text is not in the language; '' where a model wrote none."""
    if not record.source:
        return ""
    try:
        return formula_text(parse_program(record.source).law)
    except LawError:
        return record.formula
