"""Rewriting into the normal form: flatten, fold, collect, cancel, merge redundant parameters.

Each rewrite keeps the value wherever the original is finite, except that merges re-parametrise the law
without changing the set of functions it can be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sldagent.laws.expr import Expr
from sldagent.laws.merging import ParameterPool
from sldagent.laws.nodes import (
    E_BASE,
    ONE,
    Factor,
    Node,
    Pair,
    factors_of,
    function_node,
    number_node,
    over_node,
    product_node,
    scaled_node,
    sum_node,
    unscaled,
    variable_node,
)
from sldagent.laws.redundant import Merger


class Normaliser:
    """Builds normal forms of the expressions of one law.

    `signs`: also drop what a real parameter's sign or a positive one's inverse can absorb (only for the
    hash: it makes ``N**-a`` with a real ``a`` equal to ``N**a``).
    """

    def __init__(self, pool: ParameterPool, *, signs: bool = False) -> None:
        self.pool = pool
        self.signs = signs
        self.merger = Merger(pool, signs)
        self.vector_masks: dict[str, str] = {}
        self.changed = False
        """A rewrite happened that may make room for another: run once more."""
        self._variables: dict[tuple[str, tuple[str, ...]], Node] = {}
        self._heights: dict[int, int] = {}

    # Conversion -----------------------------------------------------------------------------------

    def expression(self, e: Expr) -> Pair:
        return self.convert(e, {})

    def convert(self, e: Expr, env: Mapping[str, str]) -> Pair:
        op = e.op
        if op == "par" or op == "var":
            return 1.0, self._leaf(e, env)
        if op == "num":
            return e.value + 0.0, ONE
        if op == "add":
            return self.sum([self.convert(a, env) for a in e.args])
        if op == "mul":
            return self.product([(*self.convert(a, env), 1.0) for a in e.args])
        if op == "neg":
            c, node = self.convert(e.args[0], env)
            return self._distributed(0.0 - c, node)
        if op == "div":
            return self.product([(*self.convert(e.args[0], env), 1.0), (*self.convert(e.args[1], env), -1.0)])
        if op == "sum":
            return self._over(e, env)
        args = [self.convert(a, env) for a in e.args]
        if op == "pow":
            return self.power(args[0], args[1])
        if op == "sqrt":
            return self.power(args[0], (0.5, ONE))
        if op == "exp":
            return self.exp(args[0])
        if op == "log":
            return self.log(args[0])
        return self._function(op, args)

    def _leaf(self, e: Expr, env: Mapping[str, str]) -> Node:
        index = tuple([env.get(k, k) for k in e.index]) if e.index else ()
        if e.op == "par":
            return self.merger.parameter(e.name, index)
        found = self._variables.get((e.name, index))
        if found is None:
            found = self._variables[e.name, index] = variable_node(e.name, index, self.vector_masks.get(e.name, e.name))
        return found

    def _height(self, e: Expr) -> int:
        """How many sums over vectors are nested in `e`; bound indices are named by it, inside out."""
        found = self._heights.get(id(e))
        if found is None:
            found = max((self._height(a) for a in e.args), default=0) + (e.op == "sum")
            self._heights[id(e)] = found
        return found

    def _over(self, e: Expr, env: Mapping[str, str]) -> Pair:
        """A sum over a vector; factors that do not depend on its index come out."""
        index = str(self._height(e))
        c, node = self.convert(e.args[0], {**env, e.name: index})
        mark = f"#{index}#"
        inside: list[Factor] = []
        outside: list[Factor] = []
        for f in factors_of(node):
            (inside if mark in f[0].text or mark in f[2].text else outside).append(f)
        body = product_node(inside)
        if body.height + 1 != int(index):
            self.changed = True  # the index is named by a depth that no longer holds
        over = over_node(e.over, self.vector_masks.get(e.over, e.over), index, (1.0, body))
        return self._multiply(c, [*outside, (over, 1.0, ONE)])

    # Sums -----------------------------------------------------------------------------------------

    def sum(self, items: list[Pair]) -> Pair:
        """The sum of pairs: nested sums flattened, equal terms collected, numbers added."""
        numbers: list[float] = []
        found: dict[str, tuple[Node, list[float]]] = {}

        def take(c: float, node: Node) -> None:
            if node is ONE:
                numbers.append(c)
            elif node.op == "+" and (c == 1.0 or c == -1.0):
                numbers.append(c * node.value)
                for inner, term in node.terms:
                    take(c * inner, term)
            elif node.text in found:
                found[node.text][1].append(c)
                self.changed = True
            else:
                found[node.text] = (node, [c])

        for c, node in items:
            take(c, node)
        constant = _total(numbers) + 0.0
        terms = [(cs[0] if len(cs) == 1 else math.fsum(cs), node) for node, cs in found.values()]
        kept = [(c, node) for c, node in terms if c != 0.0]
        self.changed |= len(kept) < len(terms)
        if self.pool.merge:
            constant, kept = self.merger.terms(constant, kept)
        if not kept:
            return constant, ONE
        if constant == 0.0 and len(kept) == 1:
            return self._distributed(*kept[0])
        return 1.0, sum_node(constant, kept)

    # Products -------------------------------------------------------------------------------------

    def product(self, items: list[tuple[float, Node, float]]) -> Pair:
        """Product of ``(c * node)**sign`` with sign 1 or -1."""
        numbers: list[float] = []
        factors: list[Factor] = []
        for c, node, sign in items:
            if c == 0.0 and sign < 0:
                factors.append((Node("n", "n0.0", "n0", value=0.0), -1.0, ONE))
                continue
            if sign < 0 and not math.isfinite(1.0 / c):
                factors.append((number_node(c), -1.0, ONE))
            else:
                numbers.append(c if sign > 0 else 1.0 / c)
            if node.op == "*":
                factors.extend(node.factors if sign > 0 else [(b, -e, n) for b, e, n in node.factors])
            elif node is not ONE:
                factors.append((node, sign, ONE))
        coefficient = 1.0
        for x in sorted(numbers) if len(numbers) > 2 else numbers:
            after = coefficient * x
            if not math.isfinite(after) or (after == 0.0 and x != 0.0 and coefficient != 0.0):
                factors.append((number_node(x), 1.0, ONE))
            else:
                coefficient = after
        return self._multiply(coefficient, factors)

    def _multiply(self, c: float, factors: list[Factor]) -> Pair:
        if c == 0.0:
            self.changed |= bool(factors)
            return 0.0, ONE
        found: dict[str, Factor] = {}
        again: list[Pair] = []
        for base, ec, en in factors:
            if en is ONE and base.op in ("*", "s", "n") and ec == int(ec):
                self.changed |= base.op != "n" or base.value != 0.0  # it opens up in the next round
            elif base.op == "+" and en is ONE and ec == int(ec):
                sign, base = self._oriented(base)
                c *= sign if ec % 2 else 1.0
            elif en is not ONE:
                ec, en = self._distributed(ec, en)
                ec = self.merger.absorbed(ec, self.merger.coefficient(en)[0])
            earlier = found.get(base.text)
            if earlier is None:
                found[base.text] = (base, ec, en)
                continue
            found[base.text] = (base, *self.sum([(earlier[1], earlier[2]), (ec, en)]))
            self.changed = True
            again.append((1.0, base))
        kept = list(found.values())
        if again:  # exponents were added: the powers may simplify
            texts = {base.text for _, base in again}
            parts = [
                (*self.power(unscaled(b), (ec, en)), 1.0) if b.op != "e" else (*self.exp((ec, en)), 1.0)
                for b, ec, en in kept
                if b.text in texts
            ]
            rest = product_node([f for f in kept if f[0].text not in texts])
            return self.product([(c, rest, 1.0), *parts])
        if self.pool.merge:
            c, kept = self.merger.factors(c, kept)
        return self._distributed(c, product_node(kept))

    def _oriented(self, node: Node) -> Pair:
        """A sum without its sign: most terms, or else its number or first term, become positive."""
        fixed = [c for c, n in node.terms if not (self.signs and self.merger.any_sign(n))]
        minus = sum(1 for c in fixed if c < 0) + (node.value < 0)
        plus = len(fixed) + (node.value != 0) - minus
        first = node.value or (fixed[0] if fixed else 1.0)
        if minus < plus or (minus == plus and first > 0):
            return 1.0, node
        return -1.0, self._negated(node)

    def _negated(self, node: Node) -> Node:
        """The negative of a sum; terms whose parameter takes any sign keep theirs in the form for the hash."""
        return sum_node(
            0.0 - node.value,
            [(c if self.signs and self.merger.any_sign(n) else -c, n) for c, n in node.terms],
        )

    def _distributed(self, c: float, node: Node) -> Pair:
        """A minus goes into a sum, or into a parameter that may take it, so that equal values have one form."""
        if c == -1.0 and node.op == "+":
            return 1.0, self._negated(node)
        return (abs(c) if c < 0 and self.signs and self.merger.any_sign(node) else c), node

    # Powers and functions -------------------------------------------------------------------------

    def power(self, base: Pair, exponent: Pair) -> Pair:
        cb, b = base
        k, e = exponent
        if e is ONE:
            return self._number_power(cb, b, k)
        if b is ONE and cb == 1.0:
            return base
        if b.op == "*" and len(b.factors) == 1 and cb == 1.0:
            inner, ec, en = b.factors[0]
            if inner.op == "e" or not _even(ec, en):
                ec, en = self.product([(ec, en, 1.0), (k, e, 1.0)])
                return self.exp((ec, en)) if inner.op == "e" else self._multiply(1.0, [(inner, ec, en)])
        return self._multiply(1.0, [(scaled_node(cb, b), k, e)])

    def _number_power(self, cb: float, b: Node, k: float) -> Pair:
        if k == 0.0:
            self.changed = True
            return 1.0, ONE
        if k == 1.0:
            return cb, b
        whole = k == int(k)
        scale, sign = _real_power(abs(cb), k), (-1.0 if cb < 0 and not whole else 1.0)
        if scale is None:
            return self._multiply(1.0, [(scaled_node(cb, b), k, ONE)])
        if cb < 0 and whole and k % 2:
            scale = -scale
        if b is ONE:
            return (scale, ONE) if sign > 0 else (scale, product_node([(number_node(-1.0), k, ONE)]))
        if sign < 0:
            return self._multiply(scale, [(scaled_node(-1.0, b), k, ONE)])
        if b.op == "*" and (whole or (len(b.factors) == 1 and not _even(*b.factors[0][1:]))):
            return self._multiply(scale, [(base, ec * k, en) for base, ec, en in b.factors])
        return self._multiply(scale, [(b, k, ONE)])

    def exp(self, argument: Pair) -> Pair:
        c, node = argument
        if node is ONE:
            return (math.exp(c), ONE) if abs(c) < 600 else (1.0, product_node([(E_BASE, c, ONE)]))
        if self.merger.is_free(node, "real"):  # exp of any real number is any positive number
            return 1.0, self.merger.recast(node, "positive")
        logarithm = _logarithm(node)
        if logarithm is not None:
            inside, rest = logarithm
            return self.power(inside, (c, rest))
        if (
            node.op == "+"
            and (c == 1.0 or c == -1.0)
            and any(_logarithm(n) for _, n in node.terms)
            and all(_logarithm(n) is not None or (n.op == "p" and self.pool.uses.get(n.name, 0) == 1) for _, n in node.terms)
        ):
            parts = [self.exp((c * inner, n)) for inner, n in node.terms]
            return self.product([(*p, 1.0) for p in (self.exp((c * node.value, ONE)), *parts)])
        return self._multiply(1.0, [(E_BASE, c, node)])

    def log(self, argument: Pair) -> Pair:
        c, node = argument
        if node is ONE and c > 0:
            return math.log(c), ONE
        if c == 1.0 and node.op == "*" and len(node.factors) == 1:
            base, ec, en = node.factors[0]
            if base.op == "e":
                return ec, en
            if not _even(ec, en):
                return self.product([(ec, en, 1.0), (*self.log(unscaled(base)), 1.0)])
        if self.merger.is_free(node, "positive"):
            return 1.0, self.merger.recast(node, "real")
        return 1.0, function_node("log", (argument,))

    def _function(self, name: str, args: list[Pair]) -> Pair:
        if name == "tanh":
            c, node = args[0]
            if node is ONE:
                return math.tanh(c), ONE
            sign = math.copysign(1.0, c)
            if node.op == "+":
                flip, node = self._oriented(node)
                sign *= flip
            return sign, function_node(name, ((abs(c), node),))
        if len(args) > 1:  # logaddexp, smoothmin and smoothmax are symmetric in their first two arguments
            args[:2] = sorted(args[:2], key=lambda p: (p[1].mask, p[0], p[1].text))
        return 1.0, function_node(name, tuple(args))


def _even(c: float, node: Node) -> bool:
    """Whether an exponent is an even number: then the power says nothing about its base's sign."""
    return node is ONE and c % 2 == 0


def _logarithm(node: Node) -> tuple[Pair, Node] | None:
    """``rest * log(inside)`` -> (inside, rest), where the product has exactly one logarithm."""
    if node.op == "log":
        return node.terms[0], ONE
    if node.op != "*":
        return None
    logs = [f for f in node.factors if f[0].op == "log" and f[1] == 1.0 and f[2] is ONE]
    if len(logs) != 1 or any(b.op == "log" for b, _, _ in node.factors if b is not logs[0][0]):
        return None
    return logs[0][0].terms[0], product_node([f for f in node.factors if f is not logs[0]])


def _total(numbers: list[float]) -> float:
    """The sum, whatever the order of its terms."""
    try:
        return math.fsum(numbers)
    except OverflowError:
        return sum(sorted(numbers))


def _real_power(base: float, k: float) -> float | None:
    """``base**k`` for a base of at least 0, or None where it is not a finite, normal number."""
    try:
        value = base**k
    except (OverflowError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and (value != 0.0 or base == 0.0) else None
