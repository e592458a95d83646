"""Should the fits of a run weigh larger scale more?  Decided once, by the extrapolation error of laws that are good already.

A law that is only nearly right must err somewhere.  Fitted with equal weights it errs where few rows are, often at the end
that matters; weights that grow with scale (`Recipe.emphasis`) move the error to the small end.  On some tables (many short
curves) this lowers the extrapolation error of nearly every law, on others it wastes rows.  One decision for the whole run is
safer than one per law: the best of thousands of (law, emphasis) pairs would mostly be luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sldagent.evaluation.result import Evaluation
from sldagent.evolution.island import Member
from sldagent.laws.canonical import structure_hash
from sldagent.laws.program import Program

OPERATOR = "emphasise"
"""Operator of candidates that repeat their parent with the emphasis."""
EMPHASIS = 1.0
"""The emphasis that is tried: a factor e on the weight for one standard deviation of the log scale."""
WORTH = math.log(1.15)
"""Least fall of the median extrapolation error that justifies giving up equal weights."""
VOTERS = 8
"""Good laws that are refitted with the emphasis."""
REPEATED = 24
"""Further laws that are refitted where the emphasis is adopted."""


@dataclass
class Trial:
    """A fold over the commits of candidates made by `OPERATOR`."""

    changes: list[float] = field(default_factory=list)
    """X with the emphasis less X without, for every voter that could be fitted."""
    votes: int = 0

    def add(self, evaluation: Evaluation, parent: float) -> bool:
        """Take one result (`parent`: X of the law without emphasis); True when the decision is now made."""
        if self.votes == VOTERS:
            return False
        self.votes += 1
        if evaluation.failure is None and math.isfinite(evaluation.x):
            self.changes.append(evaluation.x - parent)
        return self.votes == VOTERS

    @property
    def ratio(self) -> float:
        """Median factor on the mean squared extrapolation error; 1 without votes."""
        return math.exp(float(np.median(self.changes))) if self.changes else 1.0

    @property
    def emphasis(self) -> float:
        """What the run's fits shall have: 0 until the decision is made."""
        decided = self.votes == VOTERS and len(self.changes) >= VOTERS // 2
        return EMPHASIS if decided and self.ratio <= math.exp(-WORTH) else 0.0


def repeats(k: int, start: int, look_back: int, emphasis: float) -> bool:
    """Whether candidate `k` repeats a good law with the emphasis: voters first, more once it is adopted."""
    if not start:
        return False
    adopted = start + VOTERS + look_back
    return start <= k < start + VOTERS or (emphasis > 0.0 and adopted <= k < adopted + REPEATED)


def reserved(k: int, start: int, look_back: int) -> bool:
    """Whether candidate `k` may have to repeat a good law, whatever is decided: such a slot is dealt to no model."""
    return repeats(k, start, look_back, EMPHASIS)


def best_without(members: Sequence[Member], known: Callable[[Program], bool]) -> tuple[Member, Program] | None:
    """The valid law of lowest X without emphasis whose emphasised twin is not known yet, and the twin."""
    structures = set()
    for member in sorted(members, key=lambda m: (m.x, m.k)):
        if not member.valid or member.program.recipe.emphasis or structure_hash(member.program.law) in structures:
            continue
        structures.add(structure_hash(member.program.law))
        twin = emphasised(member.program, EMPHASIS)
        if not known(twin):
            return member, twin
    return None


def emphasised(program: Program, emphasis: float) -> Program:
    """The program with another emphasis."""
    return replace(program, recipe=replace(program.recipe, emphasis=emphasis))
