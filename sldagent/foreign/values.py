"""What an interpreted program's names stand for, and its operators on them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sldagent.foreign import symbols, words
from sldagent.foreign.natives import extended
from sldagent.foreign.symbols import Symbol, Untranslatable, is_number
from sldagent.foreign.words import elementwise

MAX_INDEX = 256
"""Positions that one index may hold."""


@dataclass(frozen=True)
class Module:
    """A module, or a name in one that is not followed."""

    path: str


@dataclass(frozen=True)
class Function:
    """A function of the program, with the names around its definition."""

    node: ast.FunctionDef | ast.Lambda
    around: Scope


@dataclass
class Scope:
    """Names of one function call, and the scope around it."""

    names: dict[str, Any] = field(default_factory=dict)
    outer: Scope | None = None


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: symbols.plus, ast.Sub: symbols.minus, ast.Mult: symbols.times, ast.Div: symbols.over, ast.Pow: symbols.raised,
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def binary(op: type[ast.operator], left: Any, right: Any) -> Any:
    """``left op right`` for numbers, arrays, lists and tuples."""
    if op is ast.MatMult:
        return words.matmul(left, right)
    sequences = isinstance(left, (list, tuple)), isinstance(right, (list, tuple))
    if op is ast.Add and all(sequences):
        joined = list(left)
        extended(joined, list(right))
        return joined if isinstance(left, list) else tuple(joined)
    if op is ast.Mult and any(sequences) and not isinstance(left if sequences[1] else right, np.ndarray):
        items, count = (left, right) if sequences[0] else (right, left)
        words.check_shape((len(items) * int(count),))
        return items * int(count)
    if op in (ast.FloorDiv, ast.Mod) and is_number(left) and is_number(right):
        return left // right if op is ast.FloorDiv else left % right
    f = _BINARY.get(op)
    if f is None:
        raise Untranslatable(f"uses the operator {op.__name__}")
    return elementwise(f)(left, right)


def compared(op: ast.cmpop, left: Any, right: Any) -> Any:
    """``left op right``; comparisons of symbols are decided by the example."""
    if isinstance(op, (ast.Is, ast.IsNot)):
        return (left is right) == isinstance(op, ast.Is)
    if isinstance(op, (ast.In, ast.NotIn)):
        if not (_settled(left) and isinstance(right, (list, tuple)) and _settled(right)):
            raise Untranslatable("looks for something other than a plain number or text")
        return (left in right) == isinstance(op, ast.In)
    sign = _COMPARE[type(op)]
    others = (str, tuple, list, type(None))
    if isinstance(left, others) or isinstance(right, others):
        if sign in ("==", "!=") and _settled(left) and _settled(right):
            return (left == right) == (sign == "==")
        raise Untranslatable("compares something other than numbers")
    return elementwise(lambda a, b: symbols.compare(sign, a, b))(left, right)


def _settled(value: Any) -> bool:
    """No symbol, and nothing nested: comparing it ends at once and depends on no example."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return all(part is None or isinstance(part, str) or is_number(part) for part in parts)


def truth(value: Any) -> bool:
    """Whether a number, or the only element of an array, counts as true."""
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise Untranslatable("the truth of a whole array")
        value = value.ravel()[0]
    return bool(value)


def position(value: Any) -> Any:
    """A value as an index: whole numbers, lists of them, masks, None, an ellipsis or a key."""
    if isinstance(value, (np.ndarray, list)):
        flat = value.ravel().tolist() if isinstance(value, np.ndarray) else value
        if len(flat) > MAX_INDEX:
            raise Untranslatable("an index is too long to follow")
        if all(isinstance(v, bool) for v in flat):
            return np.array(flat, dtype=bool)
        return np.array([position(v) for v in flat])
    if value is None or value is Ellipsis or isinstance(value, (str, tuple)):
        return value
    if isinstance(value, Symbol) or not is_number(value) or int(value) != value:
        raise Untranslatable("an index depends on the data")
    return int(value)


def is_kind(value: Any, kinds: str) -> bool:
    """``isinstance(value, kinds)``, with the kinds as text."""
    if isinstance(value, np.ndarray):
        return "ndarray" in kinds
    if isinstance(value, (list, tuple)):
        return type(value).__name__ in kinds
    return "float" in kinds or ("int" in kinds and isinstance(value, int))
