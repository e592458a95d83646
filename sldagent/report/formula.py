"""A law's formula for people: with its values put in, and which parameters are exponents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sldagent.laws.expr import Expr, neg, num, transform, walk
from sldagent.laws.program import Law
from sldagent.laws.render import render_expr

FloatArray = NDArray[np.float64]
DIGITS = 4


def formula_text(law: Law, parameters: Mapping[str, FloatArray] | None = None) -> str:
    """``E + A*N**-alpha``; with `parameters`, every value that holds for all groups is put in, rounded."""
    shown = filled_law(law, parameters or {})
    text = render_expr(shown.expr)
    for name, elements in shown.vectors:
        inside = ", ".join(render_expr(e) for e in elements)
        text += f"  where {name} = [{inside}]"
    return text


def filled_law(law: Law, parameters: Mapping[str, FloatArray]) -> Law:
    """The law with every value that holds for all groups put in, rounded; it still declares all its parameters."""
    values = _single_values(parameters)
    vectors = tuple((name, tuple(_filled(e, values) for e in elements)) for name, elements in law.vectors)
    return replace(law, expr=_filled(law.expr, values), vectors=vectors)


def exponents(law: Law) -> tuple[str, ...]:
    """Parameters that stand in an exponent of a power, in order of appearance."""
    found: dict[str, None] = {}
    for root in (law.expr, *(e for _, elements in law.vectors for e in elements)):
        for node in walk(root):
            if node.op == "pow":
                found.update((n.name, None) for n in walk(node.args[1]) if n.op == "par")
    return tuple(found)


def _single_values(parameters: Mapping[str, FloatArray]) -> dict[str, float]:
    return {name: float(v[0]) for name, v in parameters.items() if np.shape(v) == (1,)}


def _filled(e: Expr, values: Mapping[str, float]) -> Expr:
    def put(node: Expr) -> Expr:
        if node.op == "par" and node.name in values and np.isfinite(values[node.name]):
            value = float(f"{values[node.name]:.{DIGITS}g}")
            return neg(num(-value)) if value < 0 else num(value)
        if node.op == "neg" and node.args[0].op == "neg":
            return node.args[0].args[0]
        if node.op == "mul" and any(a.op == "neg" and a.args[0].op == "num" for a in node.args):
            return _sign_out(node)
        if node.op == "div" and node.args[0].op == "neg":
            return neg(replace(node, args=(node.args[0].args[0], node.args[1])))
        return node

    return transform(e, put)


def _sign_out(product: Expr) -> Expr:
    """A product of signed numbers with its sign in front, so that it reads ``- 2*x`` and not ``+ -2*x``."""
    odd = False
    args = []
    for a in product.args:
        if a.op == "neg" and a.args[0].op == "num":
            odd = not odd
            a = a.args[0]
        args.append(a)
    bare = replace(product, args=tuple(args))
    return neg(bare) if odd else bare
