"""The state of a search: a fold over committed candidates, in order, and nothing else.

Two searches that committed the same records are in the same state, whoever evaluated them and whenever.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sldagent.archive.records import CandidateRecord
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.evolution.bandit import OperatorTable, reward_of
from sldagent.evolution.compact import Figures, TextIndex
from sldagent.evolution.config import RunConfig
from sldagent.evolution.emphasis import OPERATOR, Trial
from sldagent.evolution.front import ParetoFront, Point
from sldagent.evolution.island import Island, Member
from sldagent.evolution.rng import generator
from sldagent.evolution.selection import draw_weight, scalarised
from sldagent.laws.program import Program
from sldagent.proposers.llm.concepts import Concepts

RECENT = 30
"""Failures remembered for prompts."""
CREDIT_SLACK = 4.0
"""A child that beats its parents in X by being up to so much more complex still counts as an improvement."""


@dataclass(frozen=True)
class Change:
    """What a commit did to the state."""

    front: bool
    """The front changed."""
    improved: bool
    """The operator's child counts as an improvement."""
    migrated: bool
    """Islands exchanged members after this commit."""
    reset: int | None
    """The island that was reset after this commit."""
    decided: bool = False
    """The run's emphasis is now decided."""


class SearchState:
    """Islands, front, operator credit and counters after some number of commits.

    Attributes:
        committed: number of candidates committed; the next one to commit has this index.
        islands: the sub-populations.
        front: non-dominated valid candidates in (X, C).
        table: what each operator of the grammar and of each model cost and gained.
        concepts: which promises of models held.
        recent_failures: (reason, detail) of the last candidates that came to nothing, oldest first.
        models_spent: the budget for language models is used up, so no further slot is dealt to one.
        failures: reason -> number of candidates.
        trial: whether fits shall weigh larger scale more.
        last_change: candidate that last changed the front, -1 at the start.
        reset_at: for each island the commit after which it was last reset, or None.
        figures: X and complexity of every usable candidate.
        fingerprints: predictions that candidates made, and the last that made them.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.committed = 0
        self.islands = [Island(config.population, config.complexity_bin) for _ in range(config.islands)]
        self.front = ParetoFront()
        self.table = OperatorTable()
        self.concepts = Concepts()
        self.recent_failures: deque[tuple[str, str]] = deque(maxlen=RECENT)
        self.models_spent = False
        self.failures: Counter[str] = Counter()
        self.trial = Trial()
        self.last_change = -1
        self.reset_at: list[int | None] = [None] * config.islands
        self.figures = Figures()
        self.fingerprints = TextIndex()
        self._front_members: dict[int, Member] = {}

    @property
    def credit(self) -> dict[str, tuple[int, int]]:
        """The grammar's operators: name -> (children, improvements)."""
        return self.table.credit

    @property
    def front_members(self) -> tuple[Member, ...]:
        """The front as possible parents, by rising complexity."""
        return tuple(self._front_members[k] for k in self.front.indices)

    @property
    def best(self) -> Point | None:
        """The front's point of lowest X."""
        return self.front.points[-1] if len(self.front) else None

    def settle(self, evaluation: Evaluation) -> Evaluation:
        """The evaluation to commit next: a failure if an earlier law, no more complex, predicts the same."""
        k = self.fingerprints.get(evaluation.fingerprint)
        if evaluation.failure is None and k is not None:
            _, complexity = self.figures[k]
            if complexity <= evaluation.complexity:
                detail = f"predicts the same as candidate {k}, which is no more complex"
                return dataclasses.replace(evaluation, failure=Failure("same-predictions", detail))
        return evaluation

    def apply(self, record: CandidateRecord, program: Program | None) -> Change:
        """Commit the next candidate; `program` is None where a model wrote none.

        Raises:
            ValueError: `record` is not the next one in order.
        """
        if record.k != self.committed:
            raise ValueError(f"candidate {record.k} cannot be committed before candidate {self.committed}")
        self.committed += 1
        front = improved = False
        evaluation, drop = record.evaluation, 0.0
        if evaluation.failure is not None:
            self.failures[evaluation.failure.reason] += 1
            self.recent_failures.append((evaluation.failure.reason, evaluation.failure.detail))
        elif program is not None and np.isfinite(evaluation.x) and np.isfinite(evaluation.complexity):
            member = Member(
                record.k, program, evaluation.x, evaluation.complexity, evaluation.mdl, evaluation.valid, evaluation
            )
            improved, drop = self._improves(member, record), self._drop(member, record)
            front = self._take(member, record.island, evaluation.fingerprint)
        decided = record.operator == OPERATOR and self.trial.add(evaluation, self.figures[record.parents[0]][0])
        self.table.add(record, reward_of(drop, front=front, improved=improved), improved)
        if record.asked is not None:
            self.concepts.add(record.asked, drop)
            self.models_spent |= record.asked.outcome == "budget"
        migrated = self._due(self.config.migration_every) and len(self.islands) > 1
        if migrated:
            self._migrate(record.k)
        reset = None
        if self._due(self.config.reset_every) and len(self.islands) > 1:
            reset = self._reset(record.k)
        return Change(front, improved, migrated, reset, decided)

    def wants_fresh(self, island: int, k: int) -> bool:
        """True when candidate `k` shall be made without parents: its island was reset shortly before."""
        reset = self.reset_at[island]
        if reset is None:
            return False
        first = reset + self.config.look_back  # the first candidate that could know of the reset
        return first <= k < first + self.config.fresh_after_reset * self.config.islands

    def settle_down(self, islands: Sequence[Sequence[Member]], front: Sequence[Member]) -> None:
        """Take in these members of the islands, and of the front by rising complexity, as a search before left them."""
        for island, members in zip(self.islands, islands, strict=True):
            island.members = list(members)
        for member in front:
            self.front.add(Point(member.k, member.x, member.complexity))
        self._front_members = {member.k: member for member in front}

    def _improves(self, member: Member, record: CandidateRecord) -> bool:
        parents = [self.figures[p] for p in record.parents if p in self.figures]
        beats = bool(parents) and all(
            member.x < x and member.complexity <= c + CREDIT_SLACK for x, c in parents
        )
        return beats or self.islands[record.island].improves(member)

    def _drop(self, member: Member, record: CandidateRecord) -> float:
        """How far its X lies below that of its best parent, or of its island's best where it has none."""
        before = [self.figures[p][0] for p in record.parents if p in self.figures]
        before = before or [m.x for m in self.islands[record.island].members]
        return min(before) - member.x if before and member.valid else 0.0

    def _take(self, member: Member, island: int, fingerprint: str) -> bool:
        """File a usable candidate; True when the front changed."""
        self.figures[member.k] = (member.x, member.complexity)
        if fingerprint:
            self.fingerprints[fingerprint] = member.k
        self.islands[island].add(member)
        if not (member.valid and self.front.add(Point(member.k, member.x, member.complexity))):
            return False
        self._front_members[member.k] = member
        self._front_members = {k: self._front_members[k] for k in self.front.indices}
        self.last_change = member.k
        return True

    def _due(self, every: int) -> bool:
        return every > 0 and self.committed % every == 0

    def _migrate(self, k: int) -> None:
        """Copy one good member of each island to the next around the ring, all at the same time."""
        weight = draw_weight(generator(self.config.seed, k, "migration"))
        travellers = [
            island.members[int(np.argmin(scalarised(island.members, weight)))] if island.members else None
            for island in self.islands
        ]
        for i, traveller in enumerate(travellers):
            if traveller is not None:
                self.islands[(i + 1) % len(self.islands)].add(traveller)

    def _reset(self, k: int) -> int:
        """Empty the weakest island and let it start again from members of the front."""
        weakest = max(range(len(self.islands)), key=lambda i: (self.islands[i].strength(), i))
        self.islands[weakest].clear()
        members = self.front_members
        rng = generator(self.config.seed, k, "reset")
        for i in rng.permutation(len(members))[: self.config.founders]:
            self.islands[weakest].add(members[int(i)])
        self.reset_at[weakest] = k
        return weakest
