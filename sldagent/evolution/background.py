"""What a prompt says about the run beyond a child's parents, read off the state."""

from __future__ import annotations

from collections.abc import Iterable

from sldagent.evolution.contenders import BAND
from sldagent.evolution.island import Member
from sldagent.evolution.state import SearchState
from sldagent.proposers.base import Background, Parent

TRIED = 16
"""Forms named as tried."""
SHORT_LIST = 3
"""Laws compared beyond the data."""


def as_parent(member: Member) -> Parent:
    """The member as a proposer sees it."""
    return Parent(member.k, member.program, member.x, member.complexity, member.mdl, member.evaluation)


def background(state: SearchState) -> Background:
    """Front, short list, forms tried, recent failures and lessons."""
    front = state.front_members
    members = {m.k: m for m in (*front, *(m for island in state.islands for m in island.members))}
    ordered = sorted(members.values(), key=lambda m: (m.merit, m.k))
    return Background(
        front=_parents(front), short_list=_parents(_short_list(front)), tried=_parents(ordered[:TRIED]),
        failures=tuple(state.recent_failures), lessons=state.concepts.lines(),
    )  # fmt: skip


def _parents(members: Iterable[Member]) -> tuple[Parent, ...]:
    return tuple(as_parent(m) for m in members)


def _short_list(front: tuple[Member, ...]) -> list[Member]:
    """Laws of the front within reach of its best X, by description length."""
    if not front:
        return []
    best = min(m.x for m in front)
    near = [m for m in front if m.x <= best + BAND]
    return sorted(near, key=lambda m: (m.mdl, m.k))[:SHORT_LIST]
