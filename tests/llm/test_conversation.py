"""One conversation: what is sent, the one repair turn, and every way in which it can end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from laws_told import program
from small_run import write_table

from sldagent.archive.records import AskedRecord
from sldagent.chat.base import ChatAnswer, ChatRequest, Reply, Usage, request_key
from sldagent.chat.failures import BudgetExhausted, ChatFailure, ProviderDown
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.config import RunConfig
from sldagent.laws.parse import parse_program
from sldagent.llm import make_desk
from sldagent.proposers.base import Background, Context, Parent
from sldagent.proposers.llm.conversation import Options
from sldagent.proposers.llm.proposer import LLMProposer, NoProgram
from sldagent.tasks.cuts import blind_cuts
from sldagent.tasks.load import load_task

GOOD = f"hypothesis: a floor is missing\nfixes: bias at large N\n\n```python\n{program('E + A * N**-a')}```"
BAD = "hypothesis: none yet\nfixes: complexity\n\n```python\ndef law(N, E):\n    return E + open(N)\n```"


@dataclass
class Said:
    """Answers in order: texts, answers or what is raised."""

    script: list[Any]
    identity: str = "local:told"
    asked: list[ChatRequest] = field(default_factory=list)

    def ask(self, request: ChatRequest) -> Reply:
        self.asked.append(request)
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        answer = step if isinstance(step, ChatAnswer) else ChatAnswer(step, "stop", "told", Usage(100, 20))
        return Reply(answer, request_key(self.identity, request), self.identity, False, 0.25)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_task(str(write_table(tmp_path_factory.mktemp("t") / "runs.csv")))


@pytest.fixture(scope="module")
def desk(table: Any) -> Any:
    return make_desk(table, blind_cuts(table), RunConfig(llm=("local:told@http://127.0.0.1:1/v1",)), Options(300))


@pytest.fixture(scope="module")
def parent(table: Any) -> Parent:
    law = parse_program(program("E + B * D**-b"), variables=table.symbols)
    e = Evaluator(table, blind_cuts(table)).evaluate(law)
    return Parent(3, law, e.x, e.complexity, e.mdl, e)


def context(*parents: Parent, **more: Any) -> Context:
    return Context(17, 1, 0.5, "", parents, set(), {}, state=9, **more)


def test_a_program_at_once(desk: Any, parent: Parent) -> None:
    chat = Said([GOOD])
    told = LLMProposer(chat, desk).prepare(context(parent), "extend").run()
    assert told.program is not None
    assert told.asked == AskedRecord(
        "local:told", "extend", 9, "program", told.asked.calls, "local:told", "program", "a floor is missing",
        "bias at large N", tokens=120, usd=0.25,
    )  # fmt: skip
    (request,) = chat.asked
    assert (request.draw, request.max_tokens) == (17, 300)
    assert [m.role for m in request.messages] == ["system", "user"]
    assert [m.cache for m in request.messages] == [True, False]
    assert "Your move: extend" in request.messages[1].text
    assert told.asked.calls == (request_key("local:told", request),)


def test_one_repair_with_the_exact_error(desk: Any, parent: Parent) -> None:
    chat = Said([BAD, GOOD])
    told = LLMProposer(chat, desk).prepare(context(parent), "extend").run()
    assert told.program is not None
    assert len(told.asked.calls) == 2
    assert (told.asked.tokens, told.asked.usd) == (240, 0.5)
    first, second = chat.asked
    assert second.messages[:2] == first.messages
    assert [m.role for m in second.messages[2:]] == ["assistant", "user"]
    assert second.messages[2].text == BAD
    assert "open" in second.messages[3].text
    assert "This is the only retry" in second.messages[3].text


def test_no_second_repair(desk: Any, parent: Parent) -> None:
    told = LLMProposer(Said([BAD, ""]), desk).prepare(context(parent), "extend").run()
    assert (told.program, told.reason, told.asked.outcome) == (None, "parse", "unusable")
    assert told.asked.error.startswith("the answer is empty")
    assert told.asked.hypothesis == "none yet", "what was said first stays"


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        (" + ".join(f"p{n} * N**-q{n}" for n in range(9)), "too many scalar parameters"),
        ("E + log(D - A)", ""),
    ],
)
def test_programs_that_are_not_worth_a_fit_are_told_why(desk: Any, parent: Parent, formula: str, why: str) -> None:
    chat = Said([f"fixes: complexity\n\n```\n{formula}\n```", GOOD])
    told = LLMProposer(chat, desk).prepare(context(parent), "extend").run()
    assert told.program is not None
    assert len(chat.asked) == (2 if why else 1)
    assert why in chat.asked[-1].messages[-1].text


def test_cut_off_and_withheld_answers(desk: Any, parent: Parent) -> None:
    chat = Said([ChatAnswer("```python\ndef law(N, E):\n    return E +", "length", "told"), GOOD])
    told = LLMProposer(chat, desk).prepare(context(parent), "extend").run()
    assert "cut off at 300 tokens" in chat.asked[1].messages[3].text
    assert (told.asked.outcome, told.asked.tokens) == ("program", None), "tokens that nobody counted are unknown"
    chat = Said([ChatAnswer("", "filter", "told", Usage(5, 0))])
    told = LLMProposer(chat, desk).prepare(context(parent), "extend").run()
    assert told.asked.error == "the provider withheld the answer"


@pytest.mark.parametrize(
    ("script", "outcome", "reason", "calls"),
    [
        ([BudgetExhausted("calls", "7 of 7")], "budget", "", 0),
        ([BAD, BudgetExhausted("usd", "spent")], "budget", "", 1),
        ([ChatFailure("invalid", "rejected (400)")], "none", "answer", 0),
        ([BAD, ChatFailure("timeout", "late")], "unusable", "parse", 1),
    ],
)
def test_failures(desk: Any, parent: Parent, script: list[Any], outcome: str, reason: str, calls: int) -> None:
    told = LLMProposer(Said(script), desk).prepare(context(parent), "extend").run()
    assert (told.program, told.asked.outcome, told.reason) == (None, outcome, reason)
    assert len(told.asked.calls) == calls
    assert told.asked.error


@pytest.mark.parametrize("error", [ProviderDown("down"), ChatFailure("auth", "refused"), ChatFailure("quota", "empty")])
def test_what_concerns_every_call_is_raised(desk: Any, parent: Parent, error: Exception) -> None:
    with pytest.raises(type(error)):
        LLMProposer(Said([error]), desk).prepare(context(parent), "extend").run()


def test_promises_are_measured_on_parent_and_child(desk: Any, parent: Parent, table: Any) -> None:
    law = parse_program(program("E + A * N**-a + B * D**-b"), variables=table.symbols)
    better = Evaluator(table, blind_cuts(table)).evaluate(law)
    proposer = LLMProposer(Said([]), desk)
    asked = AskedRecord("local:told", "extend", 0, "program", promise="bias at large N")
    kept = proposer.judge(asked, parent, law, better)
    assert kept.kept is True
    assert kept.before is not None
    assert kept.after is not None
    assert kept.after < 0.1 * kept.before
    broken = proposer.judge(asked, Parent(4, law, 0, 0, 0, better), parent.program, parent.evaluation or Evaluation())
    assert broken.kept is not True
    assert proposer.judge(asked, None, law, better) == asked


def test_blind_names_hide_the_table_in_every_part(table: Any, parent: Parent) -> None:
    config = RunConfig(llm=("local:told@http://127.0.0.1:1/v1",), blind_names=True)
    hidden = make_desk(table, blind_cuts(table), config, Options())
    known = Background((parent,), (parent,), (parent,), (("parse", "unknown name D"),), ("bias at large N: held",))
    answer = f"hypothesis: x1 needs a floor\nfixes: bias at large x1\n\n```\n{'E + A * x1**-a'}\n```"
    chat = Said([answer])
    told = LLMProposer(chat, hidden).prepare(context(parent, background=known), "extend").run()
    text = "".join(m.text for m in chat.asked[0].messages)
    assert "bias at large x1: held" in text
    assert "unknown name x2" in text
    assert "loss" not in text.replace("`loss` is", "").replace('loss="', "").replace("(loss, space)", "")
    assert told.asked.hypothesis == "N needs a floor"
    assert told.asked.promise == "bias at large N"
    assert told.program is not None
    assert told.program.law.variables == ("N",)


def test_as_a_proposer(desk: Any, parent: Parent) -> None:
    rng = np.random.default_rng(0)
    proposal = LLMProposer(Said([GOOD]), desk).propose(context(parent), rng)
    assert proposal.operator.startswith("llm:")
    assert proposal.asked is not None
    assert LLMProposer(Said([]), desk).seeds() == ()
    with pytest.raises(NoProgram, match="local:told proposed no law: the answer is empty"):
        LLMProposer(Said(["", ""]), desk).propose(context(), rng)
