"""One island: a bounded sub-population that keeps good laws at every complexity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.result import Evaluation
from sldagent.laws.program import Program

INVALID_PENALTY = 1.0
"""Added to the X of laws that are invalid for the choice (nats of MSE): they breed, behind valid ones."""


@dataclass(frozen=True, slots=True)
class Member:
    """A finished candidate as a possible parent."""

    k: int
    program: Program
    x: float
    complexity: float
    mdl: float
    valid: bool
    evaluation: Evaluation | None = field(default=None, compare=False, repr=False)
    """All that is known of it, for prompts."""

    @property
    def merit(self) -> float:
        """X, with the penalty of an invalid law; lower is better."""
        return self.x if self.valid else self.x + INVALID_PENALTY


class Island:
    """Members in the order in which they came; at most `size` of them."""

    def __init__(self, size: int, complexity_bin: int) -> None:
        self._size = size
        self._bin = complexity_bin
        self.members: list[Member] = []

    def add(self, member: Member) -> bool:
        """Take `member` in, dropping the least useful when full; False if it is there already or not kept."""
        if any(m.k == member.k for m in self.members):
            return False
        self.members.append(member)
        if len(self.members) > self._size:
            kept = survivors(self.members, self._size, self._bin)
            self.members = [self.members[i] for i in kept]
        return self.members[-1] is member

    def improves(self, member: Member) -> bool:
        """True when no present member is at least as good in both merit and complexity."""
        return not any(m.merit <= member.merit and m.complexity <= member.complexity for m in self.members)

    def strength(self, count: int = 10) -> float:
        """Median merit of the `count` best members, inf for an empty island; lower is stronger.

        The median, because after a migration all islands may share the very best.
        """
        best = sorted(m.merit for m in self.members)[:count]
        return float(np.median(best)) if best else np.inf

    def clear(self) -> None:
        self.members = []


def nondominated_ranks(merit: NDArray[np.float64], complexity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank of each of n points: 0 on the front, 1 on the front of the rest, and so on.

    Non-dominated sorting, Deb, Pratap, Agarwal and Meyarivan 2002 (NSGA-II), section III A.
    """
    no_worse = (merit[:, None] <= merit) & (complexity[:, None] <= complexity)
    better = no_worse & ~no_worse.T  # better[i, j]: i dominates j
    ranks = np.full(len(merit), -1, dtype=np.int64)
    rank = 0
    while (left := ranks < 0).any():
        ranks[left & ~better[left].any(axis=0)] = rank
        rank += 1
    return ranks


def survivors(members: Sequence[Member], size: int, complexity_bin: int) -> list[int]:
    """Positions of the `size` members to keep, in their present order.

    First the best of each complexity bin, best bins first, up to half of `size`; then by non-dominated rank,
    merit and age.
    """
    merit = np.array([m.merit for m in members])
    complexity = np.array([m.complexity for m in members])
    age = np.array([m.k for m in members])
    best_of_bin: dict[int, int] = {}
    for i in np.lexsort((age, complexity, merit)):
        best_of_bin.setdefault(int(complexity[i] // complexity_bin), int(i))
    kept = list(best_of_bin.values())[: max(1, size // 2)]
    order = np.lexsort((age, merit, nondominated_ranks(merit, complexity)))
    kept.extend([int(i) for i in order if i not in set(kept)][: size - len(kept)])
    return sorted(kept)
