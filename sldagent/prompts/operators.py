"""The named operators that a language model can be asked for; each has its instruction in ``prompts/operators/``."""

from __future__ import annotations

from dataclasses import dataclass

from sldagent.prompts.templates import template


@dataclass(frozen=True)
class Operator:
    """One way to make a child."""

    name: str
    """As in the archive's operator column, after the proposer's own prefix."""
    parents: int
    """Parents that it wants."""
    failed: bool = False
    """Whether it works on a parent that failed or is invalid."""

    @property
    def instruction(self) -> str:
        return template(f"operators/{self.name}")


OPERATORS: dict[str, Operator] = {
    o.name: o
    for o in (
        Operator("simplify", 1),
        Operator("extend", 1),
        Operator("couple", 1),
        Operator("asymptote", 1),
        Operator("reparameterise", 1),
        Operator("crossover", 2),
        Operator("repair", 1, failed=True),
        Operator("transplant", 1),
        Operator("rethink", 0),
    )
}


def usable_operators(parents: int, variables: int, broken: bool) -> tuple[str, ...]:
    """Operators that make sense.

    Args:
        parents: parents at hand.
        variables: variables that vary, a vector of shares counted as its members.
        broken: the first parent is invalid, has parameters that are at a bound or are not determined.
    """
    out = []
    for o in OPERATORS.values():
        if o.parents <= parents and not (o.failed and not broken) and not (o.name == "couple" and variables < 2):
            out.append(o.name)
    return tuple(out)
