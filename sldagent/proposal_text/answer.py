"""A model's answer as a value: a program and what it promises, or the exact error for one repair turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sldagent.diagnosis.promise import Promise, parse_promise
from sldagent.diagnosis.study import Study
from sldagent.errors import FitError, LawError
from sldagent.evaluation.feedback import one_line
from sldagent.fitting.tape import compile_law
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program
from sldagent.prompts.names import Names
from sldagent.proposal_text.blocks import candidates, formula_in, from_json
from sldagent.proposal_text.clean import clean_answer
from sldagent.proposal_text.edits import Edit, EditError, apply_edits, edits_in

Form = Literal["program", "edit", "formula", "none"]
MAX_HYPOTHESIS = 400
_FIELD_END = re.compile(r"\s*(```|~~~|<{5}|def\s|[\s>*_#`\-]*(?:fixes|hypothesis)[*_`]*\s*:)", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What an answer holds.  Exactly one of `program` and `error` is given."""

    program: Program | None
    """Over the task's own names."""
    error: str = ""
    """One sentence for the repair turn, over the names that the prompt showed; it may quote the answer."""
    form: Form = "none"
    hypothesis: str = ""
    """One line, stripped and capped; written by a model, so untrusted."""
    promise: Promise | None = None
    """None where the answer made none of the vocabulary."""
    promised: str = ""
    """What it wrote after ``fixes:``, as one line."""


class Reader:
    """Reads answers to prompts of one run."""

    def __init__(self, study: Study, names: Names) -> None:
        self._study = study
        self._names = names

    def read(self, text: str, shown: Sequence[str] = (), parent: Program | None = None) -> Answer:
        """The answer to one prompt.

        Args:
            text: what the model said.
            shown: `Prompt.shown`, whose first text edits refer to.
            parent: the first parent (over the task's names): a program without recipe or declarations takes its.

        Never raises for what an answer holds.
        """
        said, thinking = clean_answer(text)
        said = from_json(said) or said
        hypothesis = self._names.reveal_text(one_line(_field(said, "hypothesis"), MAX_HYPOTHESIS))
        promised = self._names.reveal_text(one_line(_field(said, "fixes"), 120))
        promise = parse_promise(promised, self._study) if promised else None
        blank = Answer(None, "", "none", hypothesis, promise, promised)
        if not said.strip():
            why = "it stopped while it was thinking" if thinking else "nothing was said"
            return replace(blank, error=f"the answer is empty: {why}")
        shown_parent = None if parent is None else self._names.program(parent)
        whole = candidates(_without_edits(said))
        try:
            edits = edits_in(said)
        except EditError as error:
            if not whole:
                return replace(blank, error=str(error), form="edit")
            edits = []
        if edits and not (whole and said.rfind("def law") > said.upper().rfind("REPLACE")):
            return self._edited(blank, shown, edits, shown_parent)
        if whole:
            return self._whole(blank, whole, shown_parent)
        formula = formula_in(said)
        if formula is not None:
            return self._formula(blank, formula, shown_parent)
        cut = " (it stopped while it was thinking)" if thinking else ""
        wanted = "write one ```python block with def law(...): ... return ..., or SEARCH/REPLACE edits"
        return replace(blank, error=f"the answer holds no program{cut}: {wanted}")

    def _edited(self, blank: Answer, shown: Sequence[str], edits: list[Edit], parent: Program | None) -> Answer:
        if not shown:
            return replace(blank, error="there is no parent to edit: write the whole program", form="edit")
        try:
            text = apply_edits(shown[0], edits)
        except EditError as error:
            return replace(blank, error=str(error), form="edit")
        found = self._parsed(text, parent)
        if isinstance(found, str):
            return replace(blank, error=f"the edited program cannot be used: {found}", form="edit")
        return replace(blank, program=found, form="edit")

    def _whole(self, blank: Answer, found: list[tuple[str, bool]], parent: Program | None) -> Answer:
        first = ""
        for text, closed in found:
            if not closed and not re.search(r"^parameters\s*=", text, re.MULTILINE):
                first = first or "the answer ends in the middle of the program (it was cut off): there is no closing fence"
                continue
            program = self._parsed(text, parent)
            if not isinstance(program, str):
                return replace(blank, program=program, form="program")
            cut = "" if closed else "the answer ends in the middle of the program (it was cut off); "
            first = first or f"{cut}{program}"
        return replace(blank, error=first, form="program")

    def _formula(self, blank: Answer, text: str, parent: Program | None) -> Answer:
        names = self._names
        vectors = names.shown_vectors
        try:
            law = parse_formula(text, [s for s in names.shown if s not in vectors], vectors)
        except LawError as error:
            return replace(blank, error=f"the formula cannot be used: {error}", form="formula")
        found = self._checked(_inherited(Program(law), parent, recipe=False, parameters=False))
        if isinstance(found, str):
            return replace(blank, error=found, form="formula")
        return replace(blank, program=found, form="formula")

    def _parsed(self, text: str, parent: Program | None) -> Program | str:
        """The program over the task's names, or the error over those shown."""
        names = self._names
        try:
            program = parse_program(text, variables=names.shown, vectors=names.shown_vectors)
        except LawError as error:
            line = text.split("\n")[error.line - 1].strip() if error.line and error.line <= text.count("\n") + 1 else ""
            return f"{error}" + (f": {line[:160]}" if line else "")
        has_recipe = re.search(r"^recipe\s*=", text, re.MULTILINE) is not None
        declared = re.search(r"^parameters\s*=", text, re.MULTILINE) is not None
        return self._checked(_inherited(program, parent, recipe=has_recipe, parameters=declared))

    def _checked(self, program: Program) -> Program | str:
        """The program over the task's names, if it belongs to the task."""
        if not program.law.variables:
            return f"the law uses none of the task's variables ({', '.join(self._names.shown)})"
        own = self._names.reveal(program)
        try:
            compile_law(own.law, self._study.evaluator.layout)
        except (FitError, LawError) as error:
            return self._names.text(str(error))
        return own


def _inherited(program: Program, parent: Program | None, *, recipe: bool, parameters: bool) -> Program:
    """The program with the parent's recipe and declarations where it wrote none of its own."""
    if parent is None:
        return program
    law = program.law
    if not parameters:
        known = {p.name: p for p in parent.law.parameters}
        law = replace(law, parameters=tuple(known.get(p.name, p) for p in law.parameters))
    if recipe:
        return replace(program, law=law)
    used = {p.name for p in law.parameters}
    return replace(program, law=law, recipe=parent.recipe.only(used))


def _field(text: str, name: str) -> str:
    """What follows ``name:`` up to an empty line, a fence, an edit or the next field."""
    found = re.search(rf"^[\s>*_#`\-]*{name}[*_`]*\s*[:=]\s*[*_`]*[ \t]*(.*)", text, re.IGNORECASE | re.MULTILINE)
    if found is None:
        return ""
    lines = [found[1]]
    for line in text[found.end() :].split("\n")[1:]:
        if not line.strip() or _FIELD_END.match(line):
            break
        lines.append(line)
    return " ".join(lines).strip().strip("*_`")


def _without_edits(text: str) -> str:
    return re.sub(r"^\s*<{5,9}\s*(?:SEARCH|ORIGINAL|OLD)\b.*?(?:^\s*>{5,9}[^\n]*$|\Z)", "", text, flags=re.I | re.M | re.S)
