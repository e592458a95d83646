"""Symbolic numbers for reading a law off a program: every number knows its expression and its value on one example.

A program is followed on a few example rows and parameters.  Arithmetic builds expressions; a comparison of rows, and a
safeguard (a constant bound, an absolute value), is decided by the example's values and remembered as an assumption, which
the translation's numerical check then tests on other rows and parameters.  A choice that fitted parameters have a part in is
refused: parameters of another fit may choose otherwise, and no check near the fitted ones would see it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, power

MAX_STEPS = 400_000
"""Steps of one reading: syntax nodes followed, symbolic operations and array elements touched."""
MAX_SIZE = 1_500
"""Nodes of one expression."""
MAX_ELEMENTS = 4_000
"""Elements of one array."""
MAX_SECONDS = 20.0
"""Of one reading; what steps do not count (long texts, large operands) ends here."""


class Untranslatable(Exception):
    """The program does something that the law language cannot say, or that cannot be followed."""


@dataclass
class Trail:
    """The work done so far, and what was assumed on the way."""

    steps: int = 0
    line: int = 0
    """Line that is being followed."""
    assumptions: dict[str, None] = field(default_factory=dict)
    end: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS or time.monotonic() > self.end:
            raise Untranslatable("the function takes too many steps")

    def assume(self, what: str) -> None:
        self.assumptions[f"line {self.line}: {what}"] = None


class Symbol:
    """A number that depends on variables or parameters: `expr`, its `value` on the example, its number of nodes `size`.

    `fitted`: parameters are among what it depends on.
    """

    __slots__ = ("expr", "fitted", "size", "trail", "value")

    def __init__(self, trail: Trail, expr: Expr, value: float, size: int = 1, fitted: bool = False) -> None:
        trail.step()
        if size > MAX_SIZE:
            raise Untranslatable(f"the law has more than {MAX_SIZE} nodes")
        self.trail = trail
        self.expr = expr
        self.value = value
        self.size = size
        self.fitted = fitted

    def __add__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else plus(self, other)

    def __radd__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else plus(other, self)

    def __sub__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else minus(self, other)

    def __rsub__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else minus(other, self)

    def __mul__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else times(self, other)

    def __rmul__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else times(other, self)

    def __truediv__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else over(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else over(other, self)

    def __pow__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else raised(self, other)

    def __rpow__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else raised(other, self)

    def __neg__(self) -> Any:
        return negative(self)

    def __pos__(self) -> Any:
        return self

    def __bool__(self) -> bool:
        return chosen((self,), self.value != 0.0, "a number that is not zero")


def value_of(x: Any) -> float:
    """The number's value on the example."""
    if isinstance(x, Symbol):
        return x.value
    if isinstance(x, (bool, int, float, np.generic)):
        return float(x)
    raise Untranslatable(f"a number is needed where there is {describe(x)}")


def describe(x: Any) -> str:
    return "nothing" if x is None else f"a {type(x).__name__}"


def is_number(x: Any) -> bool:
    return isinstance(x, (bool, int, float, np.integer, np.floating, np.bool_))


def _expr(x: Any) -> tuple[Expr, int]:
    if isinstance(x, Symbol):
        return x.expr, x.size
    value = value_of(x)
    if not math.isfinite(value):
        raise Untranslatable("a number that is not finite stands in the formula")
    return num(value), 1


def _trail(*parts: Any) -> Trail:
    found: Trail = next(p.trail for p in parts if isinstance(p, Symbol))
    return found


def _symbolic(*parts: Any) -> bool:
    return any(isinstance(p, Symbol) for p in parts)


def _fitted(*parts: Any) -> bool:
    return any(isinstance(p, Symbol) and p.fitted for p in parts)


def _made(build: Callable[..., Expr], value: Callable[..., float], *parts: Any) -> Symbol:
    pairs = [_expr(p) for p in parts]
    example = guarded(value, *(value_of(p) for p in parts))
    size = 1 + sum(s for _, s in pairs)
    return Symbol(_trail(*parts), build(*(e for e, _ in pairs)), example, size, _fitted(*parts))


def guarded(f: Callable[..., Any], *values: float) -> float:
    """f(values) as numpy would give it: infinities and NaN instead of exceptions."""
    with np.errstate(all="ignore"):
        try:
            return float(f(*(np.float64(v) for v in values)))
        except (ArithmeticError, ValueError, TypeError):
            return math.nan


def _whole(a: Any, b: Any, f: Callable[[Any, Any], Any]) -> Any:
    """f of two plain numbers; whole numbers (indices, counts) stay whole, and small."""
    value = guarded(f, value_of(a), value_of(b))
    if isinstance(a, int) and isinstance(b, int) and abs(value) < 2**53:
        return int(value)
    return value


def plus(a: Any, b: Any) -> Any:
    if not _symbolic(a, b):
        return _whole(a, b, lambda x, y: x + y)
    if not isinstance(a, Symbol) and value_of(a) == 0.0:
        return b
    if not isinstance(b, Symbol) and value_of(b) == 0.0:
        return a
    return _made(add, lambda x, y: x + y, a, b)


def minus(a: Any, b: Any) -> Any:
    if not _symbolic(a, b):
        return _whole(a, b, lambda x, y: x - y)
    return plus(a, negative(b))


def negative(a: Any) -> Any:
    if not isinstance(a, Symbol):
        return _whole(0, a, lambda x, y: x - y)
    return _made(neg, lambda x: -x, a)


def times(a: Any, b: Any) -> Any:
    if not _symbolic(a, b):
        return _whole(a, b, lambda x, y: x * y)
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, Symbol):
            if value_of(one) == 1.0:
                return other
            if value_of(one) == 0.0:
                return 0.0
    return _made(mul, lambda x, y: x * y, a, b)


def over(a: Any, b: Any) -> Any:
    if not _symbolic(a, b):
        return guarded(lambda x, y: x / y, value_of(a), value_of(b))
    if not isinstance(b, Symbol) and value_of(b) == 1.0:
        return a
    return _made(div, lambda x, y: x / y, a, b)


def raised(a: Any, b: Any) -> Any:
    if not _symbolic(a, b):
        return guarded(np.power, value_of(a), value_of(b))
    if not isinstance(b, Symbol) and value_of(b) == 1.0:
        return a
    if not isinstance(b, Symbol) and value_of(b) == 0.0:
        return 1.0
    return _made(power, np.power, a, b)


def function(name: str, value: Callable[..., Any]) -> Callable[..., Any]:
    """The law language's function `name` on numbers and symbols."""

    def apply(*parts: Any) -> Any:
        if not _symbolic(*parts):
            return guarded(value, *(value_of(p) for p in parts))
        return _made(lambda *e: call(name, *e), value, *parts)

    return apply


def decide(witness: Any, outcome: bool, what: str) -> bool:
    """A decision by the example's values; an assumption where a symbol is involved."""
    if isinstance(witness, Symbol):
        witness.trail.assume(what)
    return outcome


def chosen(witnesses: tuple[Any, ...], outcome: bool, what: str) -> bool:
    """A choice between forms by the example's values; an assumption where only rows have a part in it.

    Raises `Untranslatable` where a parameter has: a law has one form for all parameters.
    """
    if _fitted(*witnesses):
        raise Untranslatable("a choice depends on fitted parameters")
    if _symbolic(*witnesses):
        _trail(*witnesses).assume(what)
    return outcome


def magnitude(a: Any) -> Any:
    """|a|: kept where a is a bare parameter (it may become a positive one), else decided by the example."""
    if not isinstance(a, Symbol):
        return abs(a)
    if a.expr.op == "par":
        return Symbol(a.trail, Expr("abs", (a.expr,)), abs(a.value), a.size + 1, a.fitted)
    if a.expr.op in ("abs", "exp"):
        return a
    a.trail.assume("an absolute value keeps its sign")
    return a if a.value >= 0 else negative(a)


def larger(a: Any, b: Any) -> Any:
    return _bounded(a, b, lower=True)


def smaller(a: Any, b: Any) -> Any:
    return _bounded(a, b, lower=False)


def _bounded(a: Any, b: Any, *, lower: bool) -> Any:
    if not _symbolic(a, b):
        x, y = value_of(a), value_of(b)
        return max(x, y) if lower else min(x, y)
    for bare, bound in ((a, b), (b, a)):
        if isinstance(bare, Symbol) and not isinstance(bound, Symbol) and bare.expr.op in ("par", "clip"):
            return _clipped(bare, value_of(bound), lower)
    said = "a maximum or minimum is taken by the same side"
    first = (value_of(a) >= value_of(b)) == lower
    if isinstance(a, Symbol) and isinstance(b, Symbol):
        return a if chosen((a, b), first, said) else b
    _trail(a, b).assume(said)
    return a if first else b


def _clipped(bare: Symbol, bound: float, lower: bool) -> Any:
    """A parameter kept within constant bounds: ``clip(p, low, high)``."""
    inner, low, high = (bare.expr, -math.inf, math.inf)
    if bare.expr.op == "clip":
        inner, low, high = bare.expr.args[0], bare.expr.args[1].value, bare.expr.args[2].value
    if math.isnan(bound):
        raise Untranslatable("a bound is not a number")
    low, high = (max(low, bound), high) if lower else (low, min(high, bound))
    value = max(bare.value, bound) if lower else min(bare.value, bound)
    if low >= high:
        return bound
    return Symbol(bare.trail, Expr("clip", (inner, num(low), num(high))), value, bare.size, bare.fitted)


def compare(op: str, a: Any, b: Any) -> bool:
    """A comparison of two numbers, decided by the example."""
    x, y = value_of(a), value_of(b)
    outcome = {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y}[op]
    return chosen((a, b), outcome, f"a comparison ({op}) has the same outcome everywhere")
