"""The expression tree of the law language: immutable nodes, and the few functions every pass over a tree needs.

Nodes (`op`):

* leaves: ``num`` (value), ``var`` (a task variable, or an element of a vector when `index` is set), ``par`` (a fitted
  parameter, an element of an array parameter when `index` is set);
* n-ary: ``add``, ``mul``; binary: ``div``, ``pow``; unary: ``neg``;
* functions (`FUNCTIONS` gives their arity): exp log sqrt tanh sigmoid softplus logaddexp smoothmin smoothmax;
* ``sum``: ``sum(body for name in over)``; `name` is the bound index, `over` the vector.

Subtraction is ``add(x, neg(y))``.  An index is a tuple of names: ``i`` is the target's index, any other name is bound by an
enclosing ``sum``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

TARGET_INDEX = "i"
"""The index name that stands for the target in laws over several targets."""

FUNCTIONS: dict[str, int] = {
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "tanh": 1,
    "sigmoid": 1,
    "softplus": 1,
    "logaddexp": 2,
    "smoothmin": 3,
    "smoothmax": 3,
}
"""Function name -> arity.  ``smoothmin(x, y, s)`` = -log(exp(-x s) + exp(-y s)) / s; ``smoothmax`` mirrors it; s > 0."""


@dataclass(frozen=True, slots=True)
class Expr:
    """One node of a law's tree (see the module's docstring for the operations)."""

    op: str
    args: tuple[Expr, ...] = ()
    name: str = ""
    value: float = 0.0
    index: tuple[str, ...] = ()
    over: str = ""


def num(value: float) -> Expr:
    return Expr("num", value=float(value))


def var(name: str, *index: str) -> Expr:
    return Expr("var", name=name, index=index)


def par(name: str, *index: str) -> Expr:
    return Expr("par", name=name, index=index)


def add(*args: Expr) -> Expr:
    return args[0] if len(args) == 1 else Expr("add", args)


def mul(*args: Expr) -> Expr:
    return args[0] if len(args) == 1 else Expr("mul", args)


def neg(x: Expr) -> Expr:
    return Expr("neg", (x,))


def sub(x: Expr, y: Expr) -> Expr:
    return add(x, neg(y))


def div(x: Expr, y: Expr) -> Expr:
    return Expr("div", (x, y))


def power(x: Expr, y: Expr) -> Expr:
    return Expr("pow", (x, y))


def call(name: str, *args: Expr) -> Expr:
    """A function node; `name` is a key of `FUNCTIONS`."""
    return Expr(name, args)


def sum_over(body: Expr, index: str, vector: str) -> Expr:
    """``sum(body for index in vector)``."""
    return Expr("sum", (body,), name=index, over=vector)


def walk(e: Expr) -> Iterator[Expr]:
    """Every node, parents before children, left to right."""
    stack = [e]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.args))


def transform(e: Expr, f: Callable[[Expr], Expr]) -> Expr:
    """Rebuild the tree bottom-up, replacing every node by ``f(node)`` (children first)."""
    if e.args:
        args = tuple(transform(a, f) for a in e.args)
        if any(a is not b for a, b in zip(args, e.args, strict=True)):
            e = replace(e, args=args)
    return f(e)


def names(e: Expr, op: str) -> tuple[str, ...]:
    """Distinct names of the ``var`` or ``par`` leaves, in order of first appearance."""
    return tuple(dict.fromkeys(n.name for n in walk(e) if n.op == op))
