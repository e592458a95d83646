"""One table of operators, the grammar's and every model's, with what each cost and gained; and the choice by it.

The table is a fold over committed candidates, so it is nowhere stored: the archive is its record.  The grammar draws its
own operators by `sldagent.proposers.grammar.credit`; a slot that is dealt to language models goes to the arm (model,
operator) that Thompson sampling chooses (Thompson 1933; Agrawal and Goyal 2012 for rewards between 0 and 1), with the
sampled gain divided by the root of the arm's relative cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from sldagent.archive.records import CandidateRecord

GRAMMAR = "grammar"
HALVED = 0.7
"""A fall of X by so much (nats: half the squared error) is a reward of 1."""
FRONT = 0.25
"""Least reward of a child that changed the front."""
IMPROVED = 0.1
"""Least reward of a child that counts as an improvement."""
PRIOR = 2.0
"""Children that an arm is credited with before it has any, of its model's and operator's mean reward."""
EXPECTED = 0.2
"""Mean reward before anything is known."""
EXPLORE = 0.1
"""Chance of an arm drawn evenly."""
THRIFT = 0.5
"""Power of the relative cost: 0 would ignore cost, 1 would pay for gain alone."""


@dataclass(frozen=True)
class Tally:
    """What an arm did."""

    children: int = 0
    improvements: int = 0
    reward: float = 0.0
    evaluations: int = 0
    """Residual evaluations that its children's fits took."""
    tokens: int | None = 0
    """None: a provider did not count them."""
    usd: float | None = 0.0
    """None: a price is unknown."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.children + other.children, self.improvements + other.improvements, self.reward + other.reward,
            self.evaluations + other.evaluations, _sum(self.tokens, other.tokens), _sum(self.usd, other.usd),
        )  # fmt: skip


Number = TypeVar("Number", int, float)


def _sum(a: Number | None, b: Number | None) -> Number | None:
    return None if a is None or b is None else a + b


@dataclass(frozen=True)
class Arm:
    """Who makes a child, and how."""

    model: str
    """A model's identity, or ``grammar``."""
    operator: str


class OperatorTable:
    """Tallies by arm."""

    def __init__(self) -> None:
        self.rows: dict[Arm, Tally] = {}

    def add(self, record: CandidateRecord, reward: float, improved: bool) -> None:
        """Take one committed candidate in.

        A child that another model wrote than the one chosen (a fallback) says nothing about the arm.
        """
        asked, spent = record.asked, record.evaluation.evaluations
        if asked is None or asked.outcome == "budget":
            arm, tally = Arm(GRAMMAR, record.operator), Tally(1, int(improved), reward, spent)
        elif asked.answered_by in ("", asked.model):
            arm = Arm(asked.model, asked.operator)
            tally = Tally(1, int(improved), reward, spent, asked.tokens, asked.usd)
        else:
            return
        self.rows[arm] = self.rows.get(arm, Tally()) + tally

    @property
    def credit(self) -> dict[str, tuple[int, int]]:
        """The grammar's operators: name -> (children, improvements)."""
        return {a.operator: (t.children, t.improvements) for a, t in self.rows.items() if a.model == GRAMMAR}

    def choose(self, usable: Mapping[str, Iterable[str]], rng: np.random.Generator) -> Arm:
        """An arm of `usable` (model -> operators); every model has at least one."""
        arms = [Arm(model, operator) for model, operators in usable.items() for operator in operators]
        if rng.random() < EXPLORE:
            return arms[int(rng.integers(len(arms)))]
        cost = self._relative_costs(arms)
        scores = [self._sampled(arm, rng) / cost[arm] ** THRIFT for arm in arms]
        return arms[int(np.argmax(scores))]

    def _sampled(self, arm: Arm, rng: np.random.Generator) -> float:
        own = self.rows.get(arm, Tally())
        mean = np.sqrt(self._mean(model=arm.model) * self._mean(operator=arm.operator))
        won = PRIOR * mean + own.reward
        lost = PRIOR * (1.0 - mean) + own.children - own.reward
        return float(rng.beta(max(won, 1e-3), max(lost, 1e-3)))

    def _mean(self, model: str | None = None, operator: str | None = None) -> float:
        """Mean reward of all of a model's children, or of an operator's over models, shrunk to what is expected."""
        rows = [t for a, t in self.rows.items() if a.model != GRAMMAR and (a.model == model or a.operator == operator)]
        children, reward = sum(t.children for t in rows), sum(t.reward for t in rows)
        return (reward + PRIOR * EXPECTED) / (children + PRIOR)

    def _relative_costs(self, arms: list[Arm]) -> dict[Arm, float]:
        """Mean cost of a child by arm, relative to all of them: dollars where all are known, else tokens, else alike."""
        known = {arm: t for arm in arms if (t := self.rows.get(arm, Tally())).children}
        for unit in ("usd", "tokens"):
            spent = {arm: getattr(t, unit) for arm, t in known.items()}
            if not spent or any(s is None for s in spent.values()) or sum(spent.values()) <= 0:
                continue
            mean = sum(spent.values()) / sum(t.children for t in known.values())
            by_model = self._costs_by_model(known, spent, mean)
            return {arm: max(by_model.get(arm.model, mean), 0.01 * mean) / mean for arm in arms}
        return dict.fromkeys(arms, 1.0)

    @staticmethod
    def _costs_by_model(known: Mapping[Arm, Tally], spent: Mapping[Arm, float], mean: float) -> dict[str, float]:
        """Cost of a child is the model's price far more than the operator's length; one child of the mean is assumed."""
        totals: dict[str, tuple[float, int]] = {}
        for arm, t in known.items():
            cost, children = totals.get(arm.model, (mean, 1))
            totals[arm.model] = cost + spent[arm], children + t.children
        return {model: cost / children for model, (cost, children) in totals.items()}


def reward_of(drop: float, *, front: bool, improved: bool) -> float:
    """Reward of a child, 0 to 1; `drop`: how far its X fell below its best parent's, in nats."""
    least = FRONT if front else IMPROVED if improved else 0.0
    return float(min(1.0, max(drop / HALVED if improved else 0.0, least)))
