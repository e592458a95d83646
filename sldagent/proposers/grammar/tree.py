"""Places in a law's tree: paths, and what kind of thing stands at each place.

Operators are typed by *level*, what a place means for the law: a summand of the response, a summand of a sum of
logarithms, a positive quantity that a power or a logarithm is taken of, or an exponent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sldagent.laws.expr import Expr

Level = Literal["response", "logs", "quantity", "exponent"]
Path = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """One node with its surroundings."""

    path: Path
    node: Expr
    level: Level
    parent: Expr | None
    bound: bool
    """Inside a ``sum``: its pieces may refer to the bound index, so they cannot move elsewhere."""

    @property
    def varies(self) -> bool:
        return varies(self.node)


def varies(e: Expr) -> bool:
    """True if the expression contains a variable (sums run over vectors of them)."""
    return e.op == "var" or any(varies(a) for a in e.args)


def scalars_in(e: Expr) -> tuple[str, ...]:
    """Distinct names of variables (vectors included) below this node, in order."""
    if e.op == "var":
        return (e.name,)
    return tuple(dict.fromkeys(name for a in e.args for name in scalars_in(a)))


def places(root: Expr) -> Iterator[Place]:
    """Every node with its level, parents before children."""
    stack = [Place((), root, "response", None, False)]
    while stack:
        place = stack.pop()
        yield place
        node = place.node
        for k in range(len(node.args) - 1, -1, -1):
            stack.append(Place(
                (*place.path, k), node.args[k], _level(place.level, node, k), node, place.bound or node.op == "sum",
            ))


def _level(level: Level, parent: Expr, k: int) -> Level:
    match parent.op:
        case "add" | "neg" | "mul" | "sum":
            return level
        case "div":
            return level if k == 0 or level == "quantity" else "quantity"
        case "pow":
            if k == 1:
                return "exponent"
            return "logs" if parent.args[1].op == "num" and parent.args[1].value == 2 else "quantity"
        case "log" | "sqrt":
            return "quantity"
        case "logaddexp":
            return "logs" if level == "logs" else level
        case "smoothmin" | "smoothmax":
            return level if k < 2 else "quantity"
        case _:
            return "logs"


def at(root: Expr, path: Path) -> Expr:
    for k in path:
        root = root.args[k]
    return root


def put(root: Expr, path: Path, new: Expr) -> Expr:
    """The tree with the node at `path` replaced."""
    if not path:
        return new
    k = path[0]
    return replace(root, args=(*root.args[:k], put(root.args[k], path[1:], new), *root.args[k + 1 :]))


def summands(e: Expr) -> tuple[Expr, ...]:
    """Arguments of a sum; (e,) for anything else."""
    return e.args if e.op == "add" else (e,)


def factors(e: Expr) -> tuple[Expr, ...]:
    """Arguments of a product; (e,) for anything else."""
    return e.args if e.op == "mul" else (e,)


def split(e: Expr) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """(floor, terms): the summands without and with variables."""
    parts = summands(e)
    return tuple(p for p in parts if not varies(p)), tuple(p for p in parts if varies(p))


def parameters_in(e: Expr) -> tuple[str, ...]:
    """Distinct parameter names, in order."""
    if e.op == "par":
        return (e.name,)
    return tuple(dict.fromkeys(name for a in e.args for name in parameters_in(a)))
