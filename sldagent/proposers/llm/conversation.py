"""One child from a language model: ask, read the answer, and once more with the exact error where it cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sldagent.archive.records import AskedRecord
from sldagent.chat.base import Chat, ChatRequest, Message, Reply
from sldagent.chat.failures import BudgetExhausted, ChatFailure
from sldagent.evaluation.feedback import one_line
from sldagent.laws.program import Program
from sldagent.prompts.render import Prompt
from sldagent.proposal_text.answer import Answer, Reader

QUOTED = 6_000
"""Characters of an answer that the repair turn repeats."""
DETAIL = 300


@dataclass(frozen=True)
class Told:
    """How a conversation ended."""

    program: Program | None
    asked: AskedRecord
    reason: str = ""
    """Without a program: ``parse`` (what was answered is none) or ``answer`` (nothing was answered)."""


@dataclass(frozen=True)
class Options:
    """What every request of a run has; stored with the run."""

    max_tokens: int = 4096
    """Of one answer, reasoning included."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the provider's own request."""


@dataclass(frozen=True)
class Conversation:
    """A prompt, ready to be sent.  Everything that decides it was read when it was made; `run` may be called from any
    thread, and the same recorded answers give the same end."""

    chat: Chat
    reader: Reader
    prompt: Prompt
    repair: Callable[[str], str]
    """From an error to the text of the repair turn."""
    refuse: Callable[[Program], str]
    """Why a program that could be read is not worth a fit; '' if it is."""
    parent: Program | None
    """The first parent, over the task's names."""
    asked: AskedRecord
    """Model, operator and state; the rest is filled in."""
    draw: int
    """Number of the candidate: equal prompts of different candidates are different draws."""
    options: Options

    def run(self) -> Told:
        """Ask, and repair once.

        Raises ProviderDown, MissingAnswer, ArchiveError, and ChatFailure where every call would fail alike.
        """
        messages: tuple[Message, ...] = (
            Message("system", self.prompt.prefix, cache=True), Message("user", self.prompt.call),
        )  # fmt: skip
        asked, error = self.asked, ""
        most, extra = self.options.max_tokens, self.options.extra
        for last in (False, True):
            try:
                reply = self.chat.ask(ChatRequest(messages, most, draw=self.draw, extra=extra))
            except BudgetExhausted:
                return Told(None, replace(asked, outcome="budget", error="the budget for language models is used up"))
            except ChatFailure as failure:
                if failure.every_call:
                    raise
                if error:  # the first answer's error says more
                    return self._failed(asked, error)
                return Told(None, replace(asked, outcome="none", error=one_line(str(failure), DETAIL)), "answer")
            answer = self._read(reply)
            asked = self._noted(asked, reply, answer)
            if answer.program is not None:
                return Told(answer.program, replace(asked, outcome="program"))
            error = answer.error
            if last or (reply.answer.finish == "filter" and not reply.answer.text):
                break
            said = reply.answer.text.strip()[:QUOTED] or "(no answer)"
            messages = (*messages, Message("assistant", said), Message("user", self.repair(error)))
        return self._failed(asked, error)

    def _failed(self, asked: AskedRecord, error: str) -> Told:
        return Told(None, replace(asked, outcome="unusable", error=one_line(error, DETAIL)), "parse")

    def _read(self, reply: Reply) -> Answer:
        """The answer, with an error in place of a program that is not worth a fit."""
        finish = reply.answer.finish
        answer = self.reader.read(reply.answer.text, self.prompt.shown, self.parent)
        if answer.program is not None:
            refusal = self.refuse(answer.program)
            return replace(answer, program=None, error=refusal) if refusal else answer
        if finish == "filter":
            return replace(answer, error="the provider withheld the answer")
        cut = f" (the answer was cut off at {self.options.max_tokens} tokens)" if finish == "length" else ""
        return replace(answer, error=answer.error + cut)

    @staticmethod
    def _noted(asked: AskedRecord, reply: Reply, answer: Answer) -> AskedRecord:
        usage = reply.answer.usage
        spent = None if usage.tokens_in is None or usage.tokens_out is None else usage.tokens_in + usage.tokens_out
        return replace(
            asked, calls=(*asked.calls, reply.key), answered_by=reply.identity, form=answer.form,
            hypothesis=answer.hypothesis or asked.hypothesis,
            promise=str(answer.promise) if answer.promise is not None else asked.promise,
            tokens=None if asked.tokens is None or spent is None else asked.tokens + spent,
            usd=None if asked.usd is None or reply.cost is None else asked.usd + reply.cost,
        )  # fmt: skip
