"""Who breeds: tournaments on a scalarisation of X and C that is drawn anew for every child."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sldagent.evolution.island import Member


def draw_weight(rng: np.random.Generator) -> float:
    """Weight of complexity against X, 0 to 1: mostly towards X, now and then wholly towards simplicity.

    The square of a uniform number has density 1 / (2 sqrt w): half of the draws lie below 1/4.
    """
    return float(rng.random() ** 2)


def scalarised(members: Sequence[Member], weight: float) -> NDArray[np.float64]:
    """Score of each member, lower is better: (1 - weight) rank of merit + weight rank of complexity.

    Ranks, so that neither the scale of X nor that of C matters; equal values rank by age.
    """
    age = np.array([m.k for m in members])
    ranks = []
    for values in ([m.merit for m in members], [m.complexity for m in members]):
        rank = np.empty(len(members))
        rank[np.lexsort((age, np.array(values)))] = np.arange(len(members))
        ranks.append(rank)
    score: NDArray[np.float64] = (1.0 - weight) * ranks[0] + weight * ranks[1]
    return score


def tournament(members: Sequence[Member], size: int, weight: float, rng: np.random.Generator) -> Member:
    """The best of `size` members drawn with replacement."""
    drawn = rng.integers(len(members), size=size)
    score = scalarised(members, weight)
    return members[int(min(drawn, key=lambda i: (score[i], members[i].k)))]


def pick_parents(
    island: Sequence[Member], front: Sequence[Member], *, size: int, front_share: float, second_parent: float,
    rng: np.random.Generator,
) -> tuple[Member, ...]:
    """One or two different parents, best first; none while the island is empty.

    Each parent comes from the run's front with chance `front_share`, else from the island.
    """
    if not island:
        return ()
    weight = draw_weight(rng)
    count = 2 if rng.random() < second_parent else 1
    chosen: dict[int, Member] = {}
    for _ in range(count):
        source = front if front and rng.random() < front_share else island
        parent = tournament(source, size, weight, rng)
        chosen.setdefault(parent.k, parent)
    return tuple(sorted(chosen.values(), key=lambda m: (m.merit, m.complexity, m.k)))
