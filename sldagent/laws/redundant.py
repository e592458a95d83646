"""Merging parameters inside sums and products of the normal form (`merging` says which merges lose
nothing).
"""

from __future__ import annotations

import math

from sldagent.laws.merging import ParameterPool
from sldagent.laws.nodes import (
    ONE,
    Factor,
    Node,
    Pair,
    factors_of,
    order,
    parameter_node,
    product_node,
    scaled_node,
    unscaled,
)

Term = tuple[float, Node, Node | None]
"""Coefficient, node, and the parameter among its factors that is used nowhere else."""


class Merger:
    """Merges the parameters of one law.

    `signs`: also drop what a real parameter's sign or a positive one's inverse can take over.
    """

    def __init__(self, pool: ParameterPool, signs: bool) -> None:
        self.pool = pool
        self.signs = signs
        self.changed = False
        """A merge happened that may make room for another."""
        self._nodes: dict[tuple[str, tuple[str, ...]], Node] = {}

    def parameter(self, name: str, index: tuple[str, ...]) -> Node:
        found = self._nodes.get((name, index))
        return found if found is not None else self.refreshed(name, index)

    def refreshed(self, name: str, index: tuple[str, ...]) -> Node:
        """The parameter's node after its declaration changed."""
        node = self._nodes[name, index] = parameter_node(name, index, self.pool.mask(name))
        return node

    def is_free(self, node: Node, kind: str) -> bool:
        """Whether the node is a parameter of that kind that is used nowhere else."""
        return node.op == "p" and self.pool.free(node.name) and self.pool.kind(node.name) == kind

    def recast(self, node: Node, kind: str) -> Node:
        """The parameter, now of another kind."""
        self.pool.become(node.name, kind)
        self.changed = True
        return self.refreshed(node.name, node.index)

    def coefficient(self, node: Node) -> tuple[Node | None, Node]:
        """A parameter that multiplies the term and is used nowhere else, and the rest of the term."""
        if node.op == "p" and self.pool.free(node.name):
            return node, ONE
        if node.op == "*":
            for k, (base, c, n) in enumerate(node.factors):
                if base.op == "p" and c == 1.0 and n is ONE and self.pool.free(base.name):
                    return base, product_node([*node.factors[:k], *node.factors[k + 1 :]])
        return None, node

    def any_sign(self, term: Node) -> bool:
        """Whether a real parameter used nowhere else takes the term's sign over."""
        parameter, _ = self.coefficient(term)
        return parameter is not None and self.pool.kind(parameter.name) == "real"

    def absorbed(self, c: float, parameter: Node | None) -> float:
        """The number times a parameter that is used nowhere else: its magnitude goes into the parameter."""
        if parameter is None or self.pool.kind(parameter.name) == "interval":
            return c
        if abs(c) != 1.0:
            self.pool.scale(parameter.name, abs(c))
        return 1.0 if self.signs and self.pool.kind(parameter.name) == "real" else math.copysign(1.0, c)

    # Sums -----------------------------------------------------------------------------------------

    def terms(self, constant: float, terms: list[Pair]) -> tuple[float, list[Pair]]:
        """Merge terms that differ only by a parameter used nowhere else: ``c1 + c2``, ``a*x + b*x``, ``c +
        2``.
        """
        groups: dict[str, list[Term]] = {}
        rests: dict[str, Node] = {}
        for c, node in sorted(terms, key=lambda t: order(t[1])):
            parameter, rest = self.coefficient(node)
            rests.setdefault(rest.text, rest)
            groups.setdefault(rest.text, []).append((self.absorbed(c, parameter), node, parameter))
        if constant != 0.0 and ONE.text in groups:
            groups[ONE.text].append((constant, ONE, None))
            constant = 0.0
        result: list[Pair] = []
        for text, group in groups.items():
            for c, node in self._group(group, rests[text]):
                if node is ONE:
                    constant = c
                else:
                    result.append((c, node))
        return constant, result

    def _group(self, group: list[Term], rest: Node) -> list[Pair]:
        """Terms ``c * parameter * rest``: parameters that cover others take them in, real ones first."""
        if len(group) == 1:
            return [group[0][:2]]
        free = [(c, p) for c, _, p in group if p is not None]
        fixed = [(c, node) for c, node, p in group if p is None]
        free.sort(key=lambda f: self.pool.kind(f[1].name) != "real")
        k = 0
        while k < len(free):
            c, p = free[k]
            for other in free[k + 1 :] + free[:k]:
                if self.pool.plus(p.name, c, p.index, other[1].name, other[0], other[1].index):
                    free.remove(other)
                    k = -1
                    break
            k += 1
        real = next((p for _, p in free if self.pool.kind(p.name) == "real"), None)
        if real is not None and fixed:  # a number plus any real number is any real number
            self.pool.become(real.name, "real")
            fixed = []
        if len(free) + len(fixed) == len(group):
            return [(c, node) for c, node, _ in group]
        self.changed = True
        return fixed + [
            (
                self.absorbed(c, p),
                product_node([(self.refreshed(p.name, p.index), 1.0, ONE), *factors_of(rest)]),
            )
            for c, p in free
        ]

    # Products -------------------------------------------------------------------------------------

    def factors(self, c: float, factors: list[Factor]) -> tuple[float, list[Factor]]:
        """Merge the parameters among the factors that are used nowhere else, and let one take in the
        number.
        """
        pool = self.pool
        free = [f for f in factors if f[0].op == "p" and f[2] is ONE and pool.free(f[0].name)]
        if not free:
            return c, factors
        if len(free) == 1 and abs(c) == 1.0 and abs(free[0][1]) == 1.0 and not self.signs:
            return c, self._scales(factors)
        result = [f for f in factors if f not in free]
        free.sort(key=lambda f: (f[0].mask, -f[1], f[0].text))
        merged, k = [self._plain(b, e) for b, e, _ in free], 0
        while k < len(merged):
            p, e = merged[k]
            for other in merged[k + 1 :] + merged[:k]:
                if pool.times(p.name, e, p.index, other[0].name, other[1], other[0].index):
                    merged[k] = (p, 1.0 if e > 0 or other[1] > 0 else -1.0)
                    merged.remove(other)
                    self.changed = True
                    k = -1
                    break
            k += 1
        for p, e in merged:
            kind = pool.kind(p.name)
            if kind != "interval" and abs(e) == 1.0:
                if abs(c) != 1.0:
                    pool.scale(p.name, abs(c) if e > 0 else 1.0 / abs(c))
                    c = math.copysign(1.0, c)
                if self.signs:
                    c, e = (abs(c) if kind == "real" else c), 1.0
            result.append((self.refreshed(p.name, p.index), e, ONE))
        return c, self._scales(result)

    def _plain(self, p: Node, e: float) -> tuple[Node, float]:
        """``c**3`` -> c, ``c**2`` -> a positive c: the power of a parameter is another one, whose exponent is 1 or -1."""
        kind = self.pool.kind(p.name)
        if kind == "interval" or abs(e) == 1.0:
            return p, e
        odd = e == int(e) and e % 2 == 1
        return self.recast(p, "real" if kind == "real" and odd else "positive"), math.copysign(1.0, e)

    def _scales(self, factors: list[Factor]) -> list[Factor]:
        """``A*(N/d)**-a`` -> ``A*N**-a``: a free coefficient takes in a positive scale, or number, of a
        power's base.
        """
        if not any(b.op == "*" or b.op == "s" for b, _, _ in factors):
            return factors
        pool = self.pool
        taker = next(
            (
                b
                for b, e, n in factors
                if b.op == "p" and abs(e) == 1.0 and n is ONE and pool.free(b.name) and pool.kind(b.name) != "interval"
            ),
            None,
        )
        if taker is None or len(factors) == 1:
            return factors

        def taken(p: Node) -> bool:
            return pool.covers(taker.name, taker.index, p.name, p.index)

        result: list[Factor] = []
        found = False
        for base, ec, en in factors:
            inside = parameters_only(en) if base.op == "*" or base.op == "s" else None
            if inside is None or not all(map(taken, inside)):
                result.append((base, ec, en))
                continue
            number, body = unscaled(base)
            kept = [f for f in factors_of(body) if not (f[2] is ONE and self.is_free(f[0], "positive") and taken(f[0]))]
            simpler = scaled_node(1.0 if number > 0 else number, product_node(kept))
            found |= simpler.text != base.text
            if simpler is not ONE:
                result.append((simpler, ec, en))
        if found:
            self.recast(taker, pool.kind(taker.name))
        return result


def parameters_only(node: Node) -> list[Node] | None:
    """The parameters in a node without variables; None when it has any."""
    if node.op == "v" or node.op == "S":
        return None
    found = [node] if node.op == "p" else []
    children = [n for _, n in node.terms] + [n for b, _, e in node.factors for n in (b, e)]
    for child in children:
        inside = parameters_only(child)
        if inside is None:
            return None
        found += inside
    return found
