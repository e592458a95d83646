"""`LLMProposer`: children written by a language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sldagent.archive.records import AskedRecord
from sldagent.chat.base import Chat
from sldagent.diagnosis.promise import kept, parse_promise
from sldagent.diagnosis.study import Study
from sldagent.errors import ChatError, FitError, LawError
from sldagent.evaluation.result import Evaluation
from sldagent.laws.program import Program
from sldagent.prompts.names import Names
from sldagent.prompts.operators import OPERATORS, usable_operators
from sldagent.prompts.render import Call, FailureNote, Family, PromptWriter, Tried
from sldagent.proposal_text.answer import Reader
from sldagent.proposers.base import Context, Parent, Proposal
from sldagent.proposers.grammar.limits import Limits, excess, undefined
from sldagent.proposers.grammar.profile import profile
from sldagent.proposers.llm.conversation import Conversation, Options

PREFIX = "llm:"
"""Begins the operator's name of a candidate that a model wrote."""
LIMITS = Limits(scalars=16, tree=80)
"""Wider than the grammar's: a model may have a reason for a long law, and C weighs it anyway."""


class NoProgram(ChatError):
    """A model's answers held no program that can be used."""


@dataclass(frozen=True)
class Desk:
    """What all models of a run share."""

    study: Study
    writer: PromptWriter
    reader: Reader
    options: Options

    @classmethod
    def of(cls, study: Study, names: Names, *, prompt_tokens: int, options: Options) -> Desk:
        """`prompt_tokens`: the longest prompt that is written."""
        limit = LIMITS.scalars if study.task.max_parameters is None else study.task.max_parameters
        writer = PromptWriter(study, names, max_tokens=prompt_tokens, max_scalars=limit)
        return cls(study, writer, Reader(study, names), options)


class LLMProposer:
    """One model of a run.  `prepare` decides everything and asks nothing; the conversation that it returns can be held in
    another thread."""

    def __init__(self, chat: Chat, desk: Desk) -> None:
        self._chat = chat
        self._desk = desk
        self._profile = profile(desk.study.task)

    @property
    def model(self) -> str:
        """Identity of the model that is asked first."""
        return self._chat.identity

    def seeds(self) -> Sequence[Proposal]:
        """None: generation 0 is the grammar's and the catalogue's."""
        return ()

    def operators(self, parents: Sequence[Parent]) -> tuple[str, ...]:
        """Operators that make sense for these parents."""
        first = parents[0].evaluation if parents else None
        broken = first is not None and (not first.valid or bool(first.at_bounds) or first.rank_deficient > 0)
        return usable_operators(len(parents), len(self._desk.study.axes.varies), broken)

    def prepare(self, context: Context, operator: str) -> Conversation:
        """The conversation about one child.  Raises ConfigError for an operator that lacks its parents."""
        desk, names, known = self._desk, self._desk.writer.names, context.background
        parents = context.parents[: max(1, OPERATORS[operator].parents)]
        call = Call(
            operator,
            parents=[_family(p) for p in parents],
            front=[_family(p) for p in known.front],
            short_list=[_family(p) for p in known.short_list],
            tried=[Tried(p.program.law, p.x) for p in known.tried],
            failures=[FailureNote(*pair) for pair in known.failures],
            lessons=[names.text(line) for line in known.lessons],
        )
        return Conversation(
            chat=self._chat, reader=desk.reader, prompt=desk.writer.write(call),
            repair=partial(desk.writer.repair, edits=bool(parents)), refuse=self._refuse,
            parent=parents[0].program if parents else None,
            asked=AskedRecord(self.model, operator, context.state, "none"), draw=context.k, options=desk.options,
        )  # fmt: skip

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        """One child, waited for; the operator is drawn evenly.

        Raises NoProgram where the model wrote none, and ChatError where it cannot be asked.
        """
        operators = self.operators(context.parents)
        operator = operators[int(rng.integers(len(operators)))]
        told = self.prepare(context, operator).run()
        if told.program is None:
            raise NoProgram(f"{self.model} proposed no law: {told.asked.error}")
        parents = tuple(p.candidate for p in context.parents[: OPERATORS[operator].parents])
        return Proposal(told.program, PREFIX + operator, parents, note=told.asked.hypothesis, asked=told.asked)

    def judge(self, asked: AskedRecord, parent: Parent | None, program: Program, evaluation: Evaluation) -> AskedRecord:
        """`asked` with whether its promise held, from the first parent to the finished child."""
        promise = parse_promise(asked.promise, self._desk.study) if asked.promise else None
        if promise is None or parent is None or parent.evaluation is None or evaluation.failure is not None:
            return asked
        try:
            before = self._desk.study.law(parent.program, parent.evaluation)
            outcome = kept(promise, before, self._desk.study.law(program, evaluation))
        except FitError as error:
            return replace(asked, why=str(error))
        return replace(
            asked, kept=outcome.kept, before=_finite(outcome.before), after=_finite(outcome.after), why=outcome.why
        )

    def _refuse(self, program: Program) -> str:
        names = self._desk.writer.names
        try:
            reason = excess(program.law, self._profile, LIMITS) or undefined(program.law, self._profile)
        except LawError as error:
            reason = str(error)
        return f"the law cannot be used on this table: {names.text(reason)}" if reason else ""


def _family(parent: Parent) -> Family:
    known = Evaluation(x=parent.x, complexity=parent.complexity, mdl=parent.mdl, valid=True)
    return Family(str(parent.candidate), parent.program, parent.evaluation or known)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
