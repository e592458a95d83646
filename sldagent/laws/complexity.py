"""Complexity C of a law, on its canonical tree.

* n-ary + and x cost (arguments - 1); division 1; a minus and the sign of an exponent are free; power 1,
  sqrt 1; exp and log 2; any other function 3 x max(1, arguments - 1); ``sum(... for j in r)`` 2 and its
  body once; each leaf 1, indexed or not.
* A repeated sub-tree (more than a leaf) is charged once, plus 1 per later reference.  The elements of a
  named vector are charged once, however often sums run over it.
* C = tree + 2 x fitted scalars (array parameters by element over vectors, not over targets) + 2 x numeric
  literals outside {0, 1, -1, 2, 1/2, -1/2}.

Examples: ``E + A/D**a`` 13; ``A/(D**a + B) + C`` 17; Chinchilla's form 23.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sldagent.errors import LawError
from sldagent.laws.canonical import canonical
from sldagent.laws.expr import TARGET_INDEX, Expr
from sldagent.laws.inspect import expressions, parameter_axes, vector_lengths
from sldagent.laws.program import Law

_FREE = frozenset((0.0, 1.0, 2.0, 0.5))
"""Magnitudes of literals that cost no more than a leaf (-2 is free as an exponent, whose sign does not
count).
"""
_NO_SIZES: Mapping[str, int] = {}


@dataclass(frozen=True)
class Complexity:
    """The parts of C and their sum."""

    tree: int
    scalars: int
    """Distinct fitted scalars per group and target."""
    literals: int
    """Numeric literals that had to be chosen."""
    total: int


def complexity(law: Law, sizes: Mapping[str, int] = _NO_SIZES) -> Complexity:
    """Complexity of the law's canonical form; `sizes`: length of each of the task's vectors.

    Raises `LawError` where an array parameter runs over a vector whose length is not given.
    """
    form = canonical(law)
    counter = _Counter()
    tree = sum(counter.charge(e) for e in expressions(form))
    lengths = vector_lengths(form, sizes)
    scalars = 0
    for name, axes in parameter_axes(form).items():
        elements = 1
        for axis in axes:
            if axis == TARGET_INDEX:
                continue
            if axis not in lengths:
                raise LawError(f"parameter {name!r} runs over {axis!r}, whose length is not given")
            elements *= lengths[axis]
        scalars += elements
    return Complexity(tree, scalars, counter.literals, tree + 2 * scalars + 2 * counter.literals)


class _Counter:
    """Charges trees, remembering the sub-trees charged before."""

    def __init__(self) -> None:
        self._ids: dict[tuple[object, ...], int] = {}
        self._charged: set[int] = set()
        self._identity: dict[int, int] = {}
        self.literals = 0

    def charge(self, e: Expr, exponent: bool = False) -> int:
        """Cost of `e`; `exponent`: its sign is free."""
        if e.op == "neg":
            return self.charge(e.args[0], exponent)
        if not e.args:
            if e.op == "num":
                value = abs(e.value) if exponent else e.value
                self.literals += abs(value) not in _FREE or value == -2.0
            return 1
        identity = self._identify(e)
        if identity in self._charged:
            return 1
        self._charged.add(identity)
        if e.op == "pow":
            return 1 + self.charge(e.args[0]) + self.charge(e.args[1], exponent=True)
        return _own_cost(e) + sum(self.charge(a) for a in e.args)

    def _identify(self, e: Expr) -> int:
        """A number that equal sub-trees share; linear in the tree's size."""
        known = self._identity.get(id(e))
        if known is None:
            key = (e.op, e.name, e.value, e.index, e.over, *(self._identify(a) for a in e.args))
            known = self._identity[id(e)] = self._ids.setdefault(key, len(self._ids))
        return known


def _own_cost(e: Expr) -> int:
    if e.op in ("add", "mul"):
        return len(e.args) - 1
    if e.op in ("div", "sqrt"):
        return 1
    if e.op in ("exp", "log", "sum"):
        return 2
    return 3 * max(1, len(e.args) - 1)
