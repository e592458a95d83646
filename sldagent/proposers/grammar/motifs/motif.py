"""The motif: one shape that recurs in published or plausible scaling laws, with the variables that it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sldagent.laws.expr import Expr
from sldagent.proposers.grammar.build import Builder
from sldagent.proposers.grammar.profile import Profile, Slot

Form = Literal["term", "law", "effective", "exponent"]
"""``term``: added to others; ``law``: whole right-hand side; ``effective``: a positive quantity that takes the place of
a variable; ``exponent``: a summand inside an exponential, a logistic function or another function of a sum of logs."""

Build = Callable[[Builder, Sequence[Slot]], Expr]

FAMILIES = (
    "power", "log", "shifted", "joint", "running", "broken", "saturation", "ramp", "dip", "regime", "mean", "data",
    "effective", "moe", "mixture", "optimum", "polynomial",
)
"""Families of motifs; an island may be biased to one."""


@dataclass(frozen=True)
class Motif:
    """One shape."""

    name: str
    family: str
    form: Form
    slots: str
    """Slot codes of its variables, see `Profile.assignments`."""
    build: Build
    weight: float = 1.0
    """How often it is drawn, relative to the others of its form."""


@dataclass(frozen=True)
class Choice:
    """A motif with variables of the task."""

    motif: Motif
    variables: tuple[Slot, ...]

    def build(self, b: Builder) -> Expr:
        return self.motif.build(b, self.variables)


def applicable(motifs: Sequence[Motif], profile: Profile) -> tuple[Choice, ...]:
    """Every motif with every choice of the task's variables that fits its slots."""
    return tuple(Choice(m, variables) for m in motifs for variables in profile.assignments(m.slots))
