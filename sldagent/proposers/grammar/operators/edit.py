"""What an operator works on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sldagent.laws.expr import Expr, add, mul, walk
from sldagent.proposers.grammar.build import Builder, Dice
from sldagent.proposers.grammar.compose import Library
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.profile import Profile, View
from sldagent.proposers.grammar.tree import Level, Place, places, put


@dataclass(frozen=True)
class Edit:
    """One parent (or what an earlier operator made of it), the means to change it, and perhaps a second parent."""

    draft: Draft
    b: Builder
    library: Library
    bias: str = ""
    other: Draft | None = None

    @property
    def dice(self) -> Dice:
        return self.b.dice

    @property
    def profile(self) -> Profile:
        return self.b.profile

    @property
    def expr(self) -> Expr:
        return self.draft.expr

    @property
    def budget(self) -> float:
        """Parameters that may be added, one more than allowed since forms may merge."""
        lengths = {**self.profile.sizes, **{name: len(x) for name, x in self.draft.vectors.items()}}
        count = 0
        scalars: set[str] = set()
        for p in places(self.expr):
            if p.node.op == "sum":
                arrays = {n.name for n in walk(p.node) if n.op == "par" and p.node.name in n.index}
                count += lengths.get(p.node.over, 1) * len(arrays)
                scalars -= arrays
            elif p.node.op == "par" and not p.bound:
                scalars.add(p.node.name)
        return self.library.cap - count - len(scalars) + 1

    def done(self, expr: Expr) -> Draft:
        """The draft with a new expression and what the builder declared."""
        return self.draft.with_expr(expr).declared(self.b)

    def replaced(self, place: Place, new: Expr) -> Draft:
        return self.done(put(self.expr, place.path, new))

    def places(
        self, ops: Iterable[str] = (), levels: Iterable[Level] = (), varies: bool | None = None, bound: bool = False,
    ) -> list[Place]:
        """Places whose node has one of the operations and levels (all if empty); bound ones only if asked for."""
        wanted, at = set(ops), set(levels)
        return [
            p for p in places(self.expr)
            if (not wanted or p.node.op in wanted) and (not at or p.level in at)
            and (varies is None or p.varies == varies) and (bound or not p.bound)
        ]

    def view(self, symbol: str) -> View | None:
        """The scalar variable of that name; None for vectors and for names that vary in no row."""
        return next((v for v in self.profile.views if v.symbol == symbol), None)

    def another(self, symbols: Iterable[str], loggable: bool = True) -> View | None:
        """A random scalar variable that is not among `symbols`."""
        used = set(symbols)
        free = [v for v in self.profile.views if v.symbol not in used and (v.loggable or not loggable)]
        return self.dice.pick(free) if free else None

    def redeclared(self, name: str, **changes: object) -> Edit:
        """The edit with one declaration changed."""
        parameters = dict(self.draft.parameters)
        parameters[name] = replace(parameters[name], **changes)  # type: ignore[arg-type]
        return replace(self, draft=replace(self.draft, parameters=parameters))


Operator = Callable[[Edit], Draft | None]
"""Returns the changed law, or None where the operator does not apply."""


def without(parts: Sequence[Expr], k: int) -> tuple[Expr, ...]:
    return (*parts[:k], *parts[k + 1 :])


def plus(*parts: Expr) -> Expr:
    """A flat sum."""
    return add(*(q for p in parts for q in (p.args if p.op == "add" else (p,))))


def times(*parts: Expr) -> Expr:
    """A flat product."""
    return mul(*(q for p in parts for q in (p.args if p.op == "mul" else (p,))))
