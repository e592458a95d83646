"""Nodes of the normal form that `canonical` works in: sums of products of powers, each with its identity as
a string.

A value is a pair ``(c, node)``: a number times a node.  Every node carries two strings: `text` names it
exactly (equal texts, equal values), `mask` says the same with parameters reduced to what they are (kind,
scope, index), so that an order by mask does not depend on what parameters are called.
"""

from __future__ import annotations

import math

from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, par, power, sum_over, var

Pair = tuple[float, "Node"]
Factor = tuple["Node", float, "Node"]
"""``(base, c, node)``: base to the power c * node."""


class Node:
    """One node of the normal form; `op` is one of

    ``1`` the number one, ``n`` another number, ``v`` variable, ``p`` parameter, ``e`` the base of
    exponentials, ``s`` a scaled node (only where a node is needed for a pair), ``+`` sum (`value` is its
    constant, `terms` its pairs), ``*`` product (`factors`), ``S`` sum over a vector (`name`) of `terms[0]`,
    else a function of `terms`.
    """

    __slots__ = ("factors", "height", "index", "mask", "name", "op", "terms", "text", "value")

    def __init__(
        self,
        op: str,
        text: str,
        mask: str,
        *,
        name: str = "",
        value: float = 0.0,
        index: tuple[str, ...] = (),
        terms: tuple[Pair, ...] = (),
        factors: tuple[Factor, ...] = (),
        height: int = 0,
    ) -> None:
        self.op = op
        self.text = text
        self.mask = mask
        self.name = name
        self.value = value
        self.index = index
        self.terms = terms
        self.factors = factors
        self.height = height
        """Largest number of sums over vectors nested in it."""


ONE = Node("1", "1", "1")
E_BASE = Node("e", "e", "de")


def order(node: Node) -> tuple[str, str]:
    return node.mask, node.text


def pair_text(c: float, node: Node) -> str:
    return node.text if c == 1.0 else f"{c!r}*{node.text}"


def pair_mask(c: float, node: Node) -> str:
    return node.mask if c == 1.0 else f"{c:.12g}*{node.mask}"


def number_node(value: float) -> Node:
    return ONE if value == 1.0 else Node("n", f"n{value!r}", f"n{value:.12g}", value=value)


def variable_node(name: str, index: tuple[str, ...], mask: str) -> Node:
    suffix = "".join(f"#{k}#" for k in index)
    return Node("v", f"{name}{suffix}", f"b{mask}{suffix}", name=name, index=index)


def parameter_node(name: str, index: tuple[str, ...], mask: str) -> Node:
    suffix = "".join(f"#{k}#" for k in index)
    return Node("p", f"?{name}{suffix}", f"a{mask}{suffix}", name=name, index=index)


def scaled_node(c: float, node: Node) -> Node:
    """A pair as one node."""
    if c == 1.0:
        return node
    if node is ONE:
        return number_node(c)
    if c == -1.0 and node.op == "+":
        return negated_sum(node)
    return Node(
        "s",
        f"({c!r}*{node.text})",
        f"g({c:.12g}*{node.mask})",
        value=c,
        terms=((1.0, node),),
        height=node.height,
    )


def unscaled(node: Node) -> Pair:
    """The pair that `scaled_node` made a node of."""
    if node.op == "s":
        return node.value, node.terms[0][1]
    return (node.value, ONE) if node.op == "n" else (1.0, node)


def sum_node(constant: float, terms: list[Pair]) -> Node:
    """``constant + terms``, ordered; at least two summands."""
    terms.sort(key=lambda t: (t[1].mask, t[1].text))
    text = "+".join([pair_text(c, n) for c, n in terms])
    mask = "+".join([pair_mask(c, n) for c, n in terms])
    height = max([n.height for _, n in terms])
    return Node(
        "+",
        f"({constant!r}+{text})",
        f"e({constant:.12g}+{mask})",
        value=constant,
        terms=tuple(terms),
        height=height,
    )


def negated_sum(node: Node) -> Node:
    return sum_node(0.0 - node.value, [(-c, n) for c, n in node.terms])


def product_node(factors: list[Factor]) -> Node:
    """The product of the factors, ordered; a lone factor with exponent 1 is its base."""
    if not factors:
        return ONE
    if len(factors) == 1 and factors[0][1] == 1.0 and factors[0][2] is ONE:
        return factors[0][0]
    factors.sort(key=lambda f: (f[0].mask, f[1], f[2].mask, f[0].text, f[2].text))
    text = "*".join([b.text if n is ONE and c == 1.0 else f"{b.text}^{pair_text(c, n)}" for b, c, n in factors])
    mask = "*".join([b.mask if n is ONE and c == 1.0 else f"{b.mask}^{pair_mask(c, n)}" for b, c, n in factors])
    height = max([max(b.height, n.height) for b, _, n in factors])
    return Node("*", f"({text})", f"c({mask})", factors=tuple(factors), height=height)


def factors_of(node: Node) -> tuple[Factor, ...]:
    """The factors whose product the node is."""
    if node.op == "*":
        return node.factors
    return () if node is ONE else ((node, 1.0, ONE),)


def function_node(name: str, terms: tuple[Pair, ...]) -> Node:
    text = ",".join([pair_text(c, n) for c, n in terms])
    mask = ",".join([pair_mask(c, n) for c, n in terms])
    return Node(name, f"{name}({text})", f"d{name}({mask})", terms=terms, height=max(n.height for _, n in terms))


def over_node(vector: str, vector_mask: str, index: str, body: Pair) -> Node:
    """``sum(body for index in vector)``."""
    return Node(
        "S",
        f"S{vector}#{index}#({pair_text(*body)})",
        f"fS{vector_mask}#{index}#({pair_mask(*body)})",
        name=vector,
        index=(index,),
        terms=(body,),
        height=body[1].height + 1,
    )


# Back to expressions ------------------------------------------------------------------------------


class Emitter:
    """Turns nodes into expressions; `indices` maps internal index names to the ones to print."""

    def __init__(self, indices: dict[str, str]) -> None:
        self.indices = indices

    def pair(self, c: float, node: Node) -> Expr:
        if node is ONE:
            return num(c)
        if node.op == "*":
            return self._product(c, node.factors)
        if node.op == "+" and c == -1.0:
            return self.node(negated_sum(node))
        if c == 1.0:
            return self.node(node)
        if c == -1.0:
            return neg(self.node(node))
        return self._product(c, ((node, 1.0, ONE),))

    def node(self, node: Node) -> Expr:
        op = node.op
        if op == "p" or op == "v":
            index = tuple([self.indices.get(k, k) for k in node.index])
            return par(node.name, *index) if op == "p" else var(node.name, *index)
        if op == "+":
            return self._sum(node)
        if op == "*":
            return self._product(1.0, node.factors)
        if op == "1" or op == "n":
            return num(1.0 if op == "1" else node.value)
        if op == "s":
            return self.pair(node.value, node.terms[0][1])
        if op == "e":
            return num(math.e)
        if op == "S":
            return sum_over(self.pair(*node.terms[0]), self.indices.get(node.index[0], node.index[0]), node.name)
        return call(op, *[self.pair(c, n) for c, n in node.terms])

    def _sum(self, node: Node) -> Expr:
        """Terms with a plus before those with a minus; a positive number first, a negative one last."""
        plus = [self.pair(c, n) for c, n in node.terms if c > 0]
        minus = [self.pair(c, n) for c, n in node.terms if c <= 0]
        if node.value > 0:
            plus.insert(0, num(node.value))
        elif node.value < 0:
            minus.append(num(node.value))
        return add(*plus, *minus)

    def _product(self, c: float, factors: tuple[Factor, ...]) -> Expr:
        """``c * product``: powers and exponentials carry the sign of their exponent, other bases divide."""
        sign, c = (-1.0 if c < 0 else 1.0), abs(c)
        above: list[Expr] = []
        below: list[Expr] = []
        whole: dict[float, list[Expr]] = {}
        places: dict[float, int] = {}
        for base, ec, en in factors:
            if en is ONE and base.op != "e":
                if ec == 1.0 or ec == -1.0 or ec == 0.5 or ec == -0.5:
                    text = self.node(base)
                    (above if ec > 0 else below).append(text if ec in (1.0, -1.0) else call("sqrt", text))
                    continue
                if ec == int(ec):  # (x*y)**2 rather than x**2 * y**2
                    if ec not in whole:
                        places[ec] = len(above)
                        above.append(num(ec))
                    whole.setdefault(ec, []).append(self.node(base))
                    continue
            exponent = self.pair(ec, en)
            above.append(call("exp", exponent) if base.op == "e" else power(self.node(base), exponent))
        for ec, bases in whole.items():
            above[places[ec]] = power(mul(*bases), num(ec))
        if c != 1.0 or not above:
            inverse = round(1.0 / c) if above and 1e-6 <= c < 1.0 else 0
            if inverse and 1.0 / inverse == c:
                below.insert(0, num(float(inverse)))
            else:
                above.insert(0, num(c))
        result = mul(*above) if not below else div(mul(*above), mul(*below))
        if sign > 0:
            return result
        return num(-result.value) if result.op == "num" else neg(result)
