"""The one interface behind which child programs are made."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sldagent.archive.records import AskedRecord
from sldagent.evaluation.result import Evaluation
from sldagent.laws.canonical import structure_hash
from sldagent.laws.program import Program


@dataclass(frozen=True)
class Parent:
    """A finished candidate as a proposer sees it."""

    candidate: int
    program: Program
    x: float
    complexity: float
    mdl: float
    evaluation: Evaluation | None = None
    """The whole evaluation, for proposers that look at where a law fails."""


@dataclass(frozen=True)
class Background:
    """What a run knows beyond a child's parents; only proposers that explain themselves to a model read it."""

    front: Sequence[Parent] = ()
    short_list: Sequence[Parent] = ()
    """A few laws of nearly the best extrapolation error."""
    tried: Sequence[Parent] = ()
    """The best forms so far."""
    failures: Sequence[tuple[str, str]] = ()
    """(reason, detail) of recent candidates that came to nothing, oldest first."""
    lessons: Sequence[str] = ()
    """What earlier promises taught, over the task's own names."""


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
    seen: Container[str]
    """Hashes of canonical forms already in the run: a child with one of these is wasted."""
    credit: dict[str, tuple[int, int]]
    """Operator name -> (children, improvements) so far."""
    emphasis: float = 0.0
    """Emphasis that fits of this run shall have (`Recipe.emphasis`)."""
    background: Background = Background()
    state: int = 0
    """Candidates committed so far."""


@dataclass(frozen=True)
class Proposal:
    """A child program and where it came from."""

    program: Program
    operator: str
    parents: tuple[int, ...] = ()
    """Candidate indices."""
    note: str = ""
    asked: AskedRecord | None = None
    """Of a child that a language model wrote."""


class Proposer(Protocol):
    """Makes child programs.  Deterministic given the context and the generator."""

    def seeds(self) -> Sequence[Proposal]:
        """Generation 0, in the order in which it shall be tried."""
        ...

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        """One child."""
        ...


def program_key(program: Program) -> str:
    """What tells candidates apart: the law's structure and all of the recipe that moves its optimum (not the starts).

    A run's `Context.seen` holds `structure_hash(law)` and this key of every candidate.
    """
    r = program.recipe
    delta = r.delta if r.loss == "huber" else 0.0
    content = f"{r.loss},{r.space},{delta!r},{sorted(w for _, w in r.ridge)},{r.emphasis!r},{program.custom_fit}"
    content += f",{sorted(w for _, w in r.shrink)}" if r.shrink else ""
    return f"{structure_hash(program.law)}-{hashlib.sha1(content.encode()).hexdigest()[:12]}"
