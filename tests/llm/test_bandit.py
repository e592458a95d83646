"""The operator table and the concept library: folds over committed candidates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from sldagent.archive.records import AskedRecord, CandidateRecord
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.bandit import GRAMMAR, Arm, OperatorTable, Tally, reward_of
from sldagent.proposers.llm.concepts import LINES, Concepts

USABLE = {"a:cheap": ("extend", "simplify"), "a:dear": ("extend", "simplify")}


def record(k: int, model: str = "", operator: str = "add_term", **asked: Any) -> CandidateRecord:
    known = AskedRecord(model, operator, 0, "program", answered_by=model) if model else None
    if known is not None:
        known = AskedRecord(**{**vars(known), **asked})
    return CandidateRecord(k, 0, operator, (), "s", "f", "h", Evaluation(evaluations=7), asked=known)


def table(rewards: dict[tuple[str, str], float], children: int = 30, **asked: dict[str, Any]) -> OperatorTable:
    """Every arm with so many children of this mean reward; `asked` by model's last word."""
    found = OperatorTable()
    for n in range(children):
        for (model, operator), reward in rewards.items():
            found.add(record(n, model, operator, **asked.get(model.partition(":")[2], {})), reward, reward > 0)
    return found


def shares(found: OperatorTable, draws: int = 600) -> dict[Arm, float]:
    drawn = Counter(found.choose(USABLE, np.random.default_rng(n)) for n in range(draws))
    return {arm: count / draws for arm, count in drawn.items()}


def test_without_evidence_all_arms_are_drawn_alike() -> None:
    found = shares(OperatorTable())
    assert len(found) == 4
    assert all(0.15 < share < 0.35 for share in found.values())


def test_gain_decides_and_no_arm_is_given_up() -> None:
    arms = {(m, o): 0.1 for m in USABLE for o in ("extend", "simplify")}
    found = shares(table({**arms, ("a:dear", "extend"): 0.6}))
    assert found[Arm("a:dear", "extend")] > 0.6
    assert len(found) == 4


def test_of_equal_gain_the_cheaper_model_is_asked() -> None:
    arms = {(m, o): 0.3 for m in USABLE for o in ("extend", "simplify")}
    for cheap, dear in (({"usd": 0.001}, {"usd": 0.02}), ({"usd": None, "tokens": 900}, {"usd": None, "tokens": 18_000})):
        found = shares(table(arms, cheap=cheap, dear=dear))
        assert sum(s for arm, s in found.items() if arm.model == "a:cheap") > 0.75


def test_an_unknown_cost_is_no_cost_at_all() -> None:
    arms = {(m, o): 0.3 for m in USABLE for o in ("extend", "simplify")}
    nobody_counts = {"usd": None, "tokens": None}
    found = shares(table(arms, cheap={"usd": 0.0, "tokens": 10}, dear=nobody_counts))
    assert 0.35 < sum(s for arm, s in found.items() if arm.model == "a:cheap") < 0.65


def test_choice_depends_on_the_table_and_the_generator_alone() -> None:
    one, two = table({("a:cheap", "extend"): 0.3}), table({("a:cheap", "extend"): 0.3})
    for n in range(50):
        assert one.choose(USABLE, np.random.default_rng(n)) == two.choose(USABLE, np.random.default_rng(n))


def test_one_table_for_the_grammar_and_models() -> None:
    found = OperatorTable()
    found.add(record(0), 0.5, True)
    found.add(record(1), 0.0, False)
    found.add(record(2, "a:cheap", "extend", tokens=12, usd=0.5), 1.0, True)
    found.add(record(3, "a:cheap", "extend", tokens=None, usd=None), 0.0, False)
    assert found.rows[Arm(GRAMMAR, "add_term")] == Tally(2, 1, 0.5, 14, 0, 0.0)
    assert found.rows[Arm("a:cheap", "extend")] == Tally(2, 1, 1.0, 14, None, None)
    assert found.credit == {"add_term": (2, 1)}


def test_a_fallbacks_answer_says_nothing_about_the_model() -> None:
    found = OperatorTable()
    found.add(record(0, "a:dear", "extend", answered_by="a:spare"), 1.0, True)
    assert found.rows == {}
    found.add(record(1, "a:dear", "extend", answered_by="", outcome="none"), 0.0, False)
    assert found.rows[Arm("a:dear", "extend")].children == 1
    found.add(record(2, "a:dear", "tie", outcome="budget"), 0.3, True)
    assert Arm(GRAMMAR, "tie") in found.rows


@pytest.mark.parametrize(
    ("drop", "front", "improved", "reward"),
    [
        (0.0, False, False, 0.0), (0.35, False, True, 0.5), (9.0, True, True, 1.0), (-1.0, True, False, 0.25),
        (0.0, False, True, 0.1),
    ],
)
def test_rewards(drop: float, front: bool, improved: bool, reward: float) -> None:
    assert reward_of(drop, front=front, improved=improved) == pytest.approx(reward)


def promised(kept: bool | None, promise: str = "bias at large N", **more: Any) -> AskedRecord:
    return AskedRecord("a:m", "extend", 0, "program", promise=promise, kept=kept, **more)


def test_what_held_is_quoted_with_its_evidence() -> None:
    concepts = Concepts()
    concepts.add(promised(True, hypothesis="a floor"), 0.2)
    concepts.add(promised(True, hypothesis="a better floor"), 0.5)
    concepts.add(promised(False, hypothesis="nothing"), 0.0)
    concepts.add(promised(None), 0.9)
    assert concepts.lines() == ("bias at large N, by extend: held 2 of 3 times, best gain 0.5 in X: a better floor",)


def test_what_never_held_is_quoted_last_and_briefly() -> None:
    concepts = Concepts()
    for n in range(9):
        concepts.add(promised(True, f"curvature in v{n}"), 0.1 * n)
        for _ in range(3):
            concepts.add(promised(False, f"slope at large v{n}"), 0.0)
    lines = concepts.lines()
    assert len(lines) == LINES
    assert lines[0].startswith("curvature in v8, by extend: held 1 of 1 times")
    assert [line.endswith("tried 3 times, never held") for line in lines] == [False] * 4 + [True] * 2
    concepts = Concepts()
    concepts.add(promised(False), 0.0)
    assert concepts.lines() == (), "once is no evidence"
