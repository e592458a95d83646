"""A prompt: the stable prefix, then one call's parents, numbers and operator, within a budget of tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sldagent.diagnosis.study import LawStudy, Study
from sldagent.errors import ConfigError, FitError
from sldagent.evaluation.feedback import one_line
from sldagent.evaluation.result import Evaluation
from sldagent.laws.program import Law, Program
from sldagent.laws.render import render_law, render_program
from sldagent.prompts.card import prefix_text
from sldagent.prompts.names import Names
from sldagent.prompts.numbers import clipped, short
from sldagent.prompts.operators import OPERATORS
from sldagent.prompts.quoting import fenced, untrusted
from sldagent.prompts.sections import SECTIONS, disagreement
from sldagent.prompts.templates import fill

CHARACTERS_PER_TOKEN = 3.5
MAX_TOKENS = 6_000
PREFIX_SHARE = 0.4
"""Least share of a prompt that is its stable prefix, so that caching it pays."""
MAX_FRONT = 8
MAX_TRIED = 12
MAX_FORMULA = 220


def estimate_tokens(text: str) -> int:
    """A safe guess of a text's tokens, at 3.5 characters each."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class Family:
    """A candidate that a prompt shows."""

    label: str
    """How it is called, such as its number."""
    program: Program
    evaluation: Evaluation


@dataclass(frozen=True)
class Tried:
    """A form that the run has had, and how well it did."""

    law: Law
    x: float


@dataclass(frozen=True)
class FailureNote:
    """A recent candidate that came to nothing."""

    reason: str
    """One of `sldagent.evaluation.result.REASONS`, or the proposer's own word."""
    detail: str
    """Taken for untrusted: it may quote an answer or what a program printed."""


@dataclass(frozen=True)
class Call:
    """What one call is about; everything comes from the caller."""

    operator: str
    parents: Sequence[Family] = ()
    """Best first; the numbers of the first are given in full."""
    front: Sequence[Family] = ()
    short_list: Sequence[Family] = ()
    tried: Sequence[Tried] = ()
    failures: Sequence[FailureNote] = ()
    """Oldest first."""
    lessons: Sequence[str] = ()
    """What earlier promises taught; taken for untrusted, models wrote it."""


@dataclass(frozen=True)
class Prompt:
    """One request's text."""

    prefix: str
    """The same for all calls of a run: the part to mark for prompt caching."""
    call: str
    shown: tuple[str, ...]
    """Parents' program texts exactly as shown, which edits refer to."""
    left_out: tuple[str, ...] = ()
    """Sections dropped to keep to the budget."""

    @property
    def text(self) -> str:
        return f"{self.prefix}\n\n{self.call}"

    @property
    def tokens(self) -> int:
        return estimate_tokens(self.text)

    @property
    def prefix_share(self) -> float:
        return len(self.prefix) / len(self.text)


@dataclass
class _Block:
    """A part of the call that can be left out."""

    slot: str
    title: str
    rank: int
    """Blocks of the highest rank go first; the first parent's cuts have rank 0 and stay."""
    text: str


class PromptWriter:
    """Writes prompts of one run: same study, names and rules for all of them."""

    def __init__(self, study: Study, names: Names, *, max_tokens: int = MAX_TOKENS, max_scalars: int | None = None) -> None:
        """`max_scalars`: fitted constants per group and target that the run allows; None: the task's own limit."""
        self.study = study
        self.names = names
        self.max_tokens = max_tokens
        limit = study.task.max_parameters if max_scalars is None else max_scalars
        self.prefix = prefix_text(study, names, limit)

    def write(self, call: Call) -> Prompt:
        """The prompt of one call.

        Raises ConfigError for an operator that does not exist or lacks its parents.  A prompt is longer than the budget only
        where the parents' programs alone are.
        """
        operator = OPERATORS.get(call.operator)
        if operator is None:
            raise ConfigError(f"there is no operator '{call.operator}'; known are {', '.join(OPERATORS)}")
        if len(call.parents) < operator.parents:
            raise ConfigError(f"the operator '{call.operator}' needs {operator.parents} parents, not {len(call.parents)}")
        shown = tuple(render_program(self.names.program(p.program)) for p in call.parents)
        blocks = self._blocks(call)
        dropped: list[str] = []
        text = self._call(call, shown, blocks, dropped)
        budget = self._budget()
        while len(text) > budget and any(b.rank > 0 for b in blocks):
            last = max(range(len(blocks)), key=lambda j: (blocks[j].rank, j))
            dropped.append(blocks.pop(last).title)
            text = self._call(call, shown, blocks, dropped)
        return Prompt(self.prefix, text, shown, tuple(dropped))

    def repair(self, error: str, *, edits: bool) -> str:
        """The one further turn after an answer that could not be used.

        Args:
            error: the parser's own sentence; it may quote the answer, so it is marked.
            edits: there is a parent to edit.
        """
        tail = " or SEARCH/REPLACE edits" if edits else ""
        return fill("repair", error=untrusted(self.names.text(error), 1200), edits=tail)

    def _budget(self) -> int:
        """Characters that the call may have."""
        whole = int(self.max_tokens * CHARACTERS_PER_TOKEN) - len(self.prefix) - 2
        return min(whole, int(len(self.prefix) * (1.0 - PREFIX_SHARE) / PREFIX_SHARE) - 2)

    def _blocks(self, call: Call) -> list[_Block]:
        blocks = []
        for n, parent in enumerate(call.parents):
            law = self._study_of(parent)
            if law is None:
                continue
            for title, rank, further, section in SECTIONS:
                text = section(law, self.names)
                if text:
                    name = f"{title} of parent {_letter(n)}"
                    blocks.append(_Block(f"parent{n}", name, rank if n == 0 else further, text))
        laws = [(f, self._study_of(f)) for f in call.short_list]
        known = [(f.label, law) for f, law in laws if law is not None]
        found = self.study.disagreements([law for _, law in known])
        parted = disagreement(found, tuple(label for label, _ in known), self.names, self.study.targets)
        sections = (
            ("disagreement", "where good laws part", 7, parted),
            ("front", "the front", 6, self._front(call.front)),
            ("tried", "forms already tried", 5, self._tried(call.tried)),
            ("failures", "recent failures", 7, self._failures(call.failures)),
            ("lessons", "what promises taught", 7, _lessons(call.lessons)),
        )
        return blocks + [_Block(slot, title, rank, text) for slot, title, rank, text in sections if text]

    def _study_of(self, parent: Family) -> LawStudy | None:
        if parent.evaluation.failure is not None:
            return None
        try:
            return self.study.law(parent.program, parent.evaluation)
        except FitError:
            return None

    def _call(self, call: Call, shown: tuple[str, ...], blocks: list[_Block], dropped: list[str]) -> str:
        parents = []
        for n, parent in enumerate(call.parents):
            sections = [b.text for b in blocks if b.slot == f"parent{n}"]
            parents.append(self._parent(n, parent, shown[n], sections))
        by_slot = {b.slot: b.text for b in blocks}
        left = f"(Left out for length: {', '.join(dropped)}.)" if dropped else ""
        return fill(
            "call",
            parents="\n\n".join(parents),
            left_out=left,
            operator=call.operator,
            instruction=OPERATORS[call.operator].instruction,
            **{slot: by_slot.get(slot, "") for slot in ("disagreement", "front", "tried", "lessons", "failures")},
        )

    def _parent(self, n: int, parent: Family, program: str, sections: list[str]) -> str:
        e = parent.evaluation
        if e.failure is not None:
            detail = untrusted(self.names.text(f"{e.failure.detail}\n{e.feedback}"))
            validity = f"; it FAILED ({e.failure.reason}):\n{detail}"
        elif e.valid:
            validity = "; valid: within range, orders and limits beyond the data"
        else:
            validity = f"; INVALID: {self.names.text(e.invalid_reason)}"
        return fill(
            "parent",
            letter=_letter(n),
            law=one_line(parent.label, 60),
            program=fenced(program),
            x=_x(e),
            complexity=short(e.complexity),
            scalars=f"{e.scalars} fitted constants per group",
            validity=validity,
            sections="".join(f"\n{s}\n" for s in sections),
        )

    def _formula(self, law: Law) -> str:
        text = render_law(self.names.program(Program(law)).law)
        return text if len(text) <= MAX_FORMULA else text[: MAX_FORMULA - 3] + "..."

    def _front(self, front: Sequence[Family]) -> str:
        """Laws spread evenly over the front, by rising complexity."""
        ordered = sorted(front, key=lambda f: f.evaluation.complexity)
        if len(ordered) > MAX_FRONT:
            ordered = [ordered[round(j * (len(ordered) - 1) / (MAX_FRONT - 1))] for j in range(MAX_FRONT)]
        lines = [
            f"- {f.label}: C {short(f.evaluation.complexity)}, X {short(f.evaluation.x)}: {self._formula(f.program.law)}"
            for f in ordered
        ]
        return "\n".join(["# The front so far (law, complexity, held-out error)", "", *lines]) if lines else ""

    def _tried(self, tried: Sequence[Tried]) -> str:
        ordered = sorted(tried, key=lambda t: t.x)
        lines = [f"- X {short(t.x)}: {self._formula(t.law)}" for t in ordered]
        lines = clipped(list(dict.fromkeys(lines)), MAX_TRIED, "forms")
        return "\n".join(["# Forms already tried (do not repeat them)", "", *lines]) if lines else ""

    def _failures(self, failures: Sequence[FailureNote]) -> str:
        """Recent failures, those that differ only in numbers and names counted together, most frequent first."""
        counts: dict[tuple[str, str], list[str]] = {}
        for f in failures:
            detail = one_line(self.names.text(f.detail), 160)
            key = (f.reason, re.sub(r"'[^']*'|[-+0-9.e]*\d[-+0-9.e]*", "#", detail))
            counts.setdefault(key, []).append(detail)
        ordered = sorted(counts.items(), key=lambda item: -len(item[1]))[:6]
        lines = [f"{len(details)} x {reason}: {details[-1]}" for (reason, _), details in ordered]
        return "\n".join(["# Recent failures", "", untrusted("\n".join(lines), 1200)]) if lines else ""


def _lessons(lessons: Sequence[str]) -> str:
    lines = [one_line(text, 240) for text in lessons[:6]]
    quoted = untrusted("\n".join(line for line in lines if line), 1500)
    return f"# What earlier promises taught\n\n{quoted}" if quoted else ""


def _letter(n: int) -> str:
    return chr(ord("A") + n)


def _x(e: Evaluation) -> str:
    """X with its standard error, and the error that it means."""
    if not math.isfinite(e.x):
        return short(e.x)
    se = f" +- {short(e.x_se, 2)}" if math.isfinite(e.x_se) else ""
    return f"{short(e.x, 4)}{se} (typical held-out error {short(math.exp(0.5 * e.x), 2)} SDs)"
