"""Program files that a discovery is given as parents: read, judged in the jail, translated where that is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sldagent.archive.records import ReferenceRecord
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Failure
from sldagent.foreign.evaluate import Judged, candidate_program, judge
from sldagent.foreign.guard import over_limit
from sldagent.foreign.jails import ProgramJails, absent
from sldagent.foreign.lint import lint_custom_fit
from sldagent.foreign.program import ForeignProgram, is_foreign, read_program
from sldagent.laws.parse import parse_file
from sldagent.proposers.base import Context, Proposal, Proposer
from sldagent.tasks.task import Task

OPERATOR = "seed program"
"""Operator of the candidates that were given as program files."""


@dataclass(frozen=True)
class Seeds:
    """What the program files became."""

    proposals: tuple[Proposal, ...] = ()
    """Laws: those of the law language, and those read off foreign programs."""
    references: tuple[ReferenceRecord, ...] = ()
    """Every foreign program with its own figures, translated or not."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """Layers of the jail that they ran in; empty where none was needed."""


class SeededProposer:
    """A proposer whose generation 0 begins with given laws."""

    def __init__(self, inner: Proposer, proposals: Sequence[Proposal]) -> None:
        self._inner = inner
        self._proposals = tuple(proposals)

    def seeds(self) -> Sequence[Proposal]:
        return (*self._proposals, *self._inner.seeds())

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        return self._inner.propose(context, rng)


def read_seeds(paths: Sequence[Path], task: Task, evaluator: Evaluator, jails: ProgramJails) -> Seeds:
    """Read, judge and translate program files.

    Raises LawError for a file that is not there or a law that is not in the language, and JailUnavailable where foreign
    code cannot be run safely; whatever else is wrong with a foreign program is its recorded failure.
    """
    proposals: list[Proposal] = []
    references: list[ReferenceRecord] = []
    layers: Mapping[str, Any] = {}
    for path in paths:
        if path.is_file() and not is_foreign(path):
            program = parse_file(path, variables={*task.symbols, *task.vectors})
            note = f"from {path.name}"
            if program.custom_fit is not None:
                layers = jails.jail_for(program.custom_fit).layers.as_json()
                note += "".join(f"; lint of custom_fit: {f}" for f in lint_custom_fit(program.custom_fit).findings)
            proposals.append(Proposal(program, OPERATOR, note=note))
            continue
        judged, layers = _judged(read_program(path), evaluator, jails)
        references.append(_record(judged, layers, over_limit(task, judged.scalars)))
        translated = candidate_program(judged)
        if translated is not None:
            proposals.append(Proposal(translated, OPERATOR, note=_note(judged)))
    return Seeds(tuple(proposals), tuple(references), layers)


def _judged(program: ForeignProgram, evaluator: Evaluator, jails: ProgramJails) -> tuple[Judged, Mapping[str, Any]]:
    missing = absent(program.lint)
    if program.lint.refusal or missing:
        reason = "parse" if program.lint.refusal else "program"
        return Judged(program, failure=Failure(reason, program.lint.refusal or missing)), {}
    jail = jails.jail_of(program.lint)
    return judge(program, jail, evaluator), jail.layers.as_json()


def _record(judged: Judged, layers: Mapping[str, Any], limit: str) -> ReferenceRecord:
    program, translation = judged.program, judged.translation
    reason = "" if translation.program is not None else translation.reason or "not tried"
    findings = [str(f) for f in program.lint.findings] + ([limit] if limit else [])
    return ReferenceRecord(
        name=program.name, source=program.source, x=judged.x, x_se=judged.x_se, train_r2=judged.train_r2,
        scalars=judged.scalars, cuts=judged.cuts, translation=reason, checks=judged.checks,
        findings=tuple(findings), layers=layers, failure=judged.failure, feedback=judged.feedback, seconds=judged.seconds,
    )  # fmt: skip


def _note(judged: Judged) -> str:
    note = f"translated from {judged.program.name}"
    if judged.translation.assumptions:
        note += "; safeguards left out, which never acted: " + "; ".join(judged.translation.assumptions)
    return note


def seed_lines(seeds: Seeds) -> list[str]:
    """What to tell the user before the search."""
    lines = []
    for proposal in seeds.proposals:
        said, *more = proposal.note.split("; ")
        lines += [f"  {said}: a candidate of the run", *(f"    {part}" for part in more)]
    for r in seeds.references:
        if r.failure is not None:
            lines.append(f"  {r.name}: not used ({r.failure.detail})")
        else:
            became = "" if not r.translation else f"; no candidate: {r.translation}"
            lines.append(f"  {r.name}: X {r.x:.4g} ± {r.x_se:.2g} with its own fit{became}")
        lines += [f"    lint: {finding}" for finding in r.findings]
        lines += [f"    | {line}" for line in r.feedback.splitlines()[:6]]
    return lines
