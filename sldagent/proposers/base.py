"""The one interface behind which child programs are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sldagent.laws.program import Program


@dataclass(frozen=True)
class Parent:
    """A finished candidate as a proposer sees it."""

    candidate: int
    program: Program
    x: float
    complexity: float
    mdl: float


@dataclass(frozen=True)
class Context:
    """What a proposer may know when it makes child `k`."""

    k: int
    island: int
    temperature: float
    """0 (small, safe steps) to 1 (bold): the island's own."""
    bias: str
    """The island's motif bias: a motif family's name, or '' for none."""
    parents: Sequence[Parent]
    """One or two parents, best first; empty while the island is empty."""
    seen: frozenset[str] | set[str]
    """Hashes of canonical forms already in the run: a child with one of these is wasted."""
    credit: dict[str, tuple[int, int]]
    """Operator name -> (children, improvements) so far."""


@dataclass(frozen=True)
class Proposal:
    """A child program and where it came from."""

    program: Program
    operator: str
    parents: tuple[int, ...] = ()
    """Candidate indices."""
    note: str = ""


class Proposer(Protocol):
    """Makes child programs.  Deterministic given the context and the generator."""

    def seeds(self) -> Sequence[Proposal]:
        """Generation 0, in the order in which it shall be tried."""
        ...

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        """One child."""
        ...
