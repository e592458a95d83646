"""Building blocks of laws: fresh parameters with sensible starts, and the typed atoms log x, x^-a, x^b.

Everything that depends on a variable's role is decided here, so that motifs and operators cannot take the logarithm
of a proportion or the negative power of something that may be zero.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from sldagent.laws.expr import FUNCTIONS, TARGET_INDEX, Expr, add, call, div, mul, neg, num, par, power, sub, var
from sldagent.laws.program import Kind, Parameter
from sldagent.proposers.grammar.profile import Profile, View

T = TypeVar("T")

AMPLITUDES = ("A", "B", "C", "F", "G", "H", "K", "P", "Q")
EXPONENTS = ("a", "b", "c", "d", "f", "g", "h")
SLOPES = ("u", "v", "o")
LOCATIONS = ("m", "n")
SHIFTS = ("s", "t")
ARRAYS = ("w", "q", "r")
RESERVED = frozenset(FUNCTIONS) | frozenset(keyword.kwlist) | {
    TARGET_INDEX, "j", "k", "fit", "law", "parameters", "positive", "real", "interval", "recipe", "sum",
    "custom_fit", "pi", "e", "shared",
}
"""Names that a law's parameters must not or should not have."""


class Dice:
    """The draws that the grammar makes from its generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One item, uniformly or by weight."""
        if weights is None:
            return items[int(self.rng.random() * len(items))]
        left = self.rng.random() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        result = list(items)
        return [result[int(k)] for k in self.rng.permutation(len(result))]


class Builder:
    """Declares fresh parameters while a law is built.

    `parameters` and `vectors` are what the expressions built so far declare.
    """

    def __init__(self, profile: Profile, rng: np.random.Generator, taken: Iterable[str] = ()) -> None:
        self.profile = profile
        self.dice = Dice(rng)
        self.parameters: list[Parameter] = []
        self.vectors: list[tuple[str, tuple[Expr, ...]]] = []
        self.penalised: list[str] = []
        """Array parameters over named vectors: a fit may penalise them."""
        self.taken = set(taken) | profile.reserved | RESERVED
        self.target = (TARGET_INDEX,) if profile.targets > 1 else ()

    def fresh(self, stems: Sequence[str]) -> str:
        """An unused readable name."""
        suffix = 1
        while True:
            for stem in stems:
                name = stem if suffix == 1 else f"{stem}{suffix}"
                if name not in self.taken:
                    self.taken.add(name)
                    return name
            suffix += 1

    def parameter(
        self, stems: Sequence[str], kind: Kind, start: tuple[float, float] | None = None,
        bounds: tuple[float, float] = (-math.inf, math.inf), over: tuple[str, ...] = (),
    ) -> Expr:
        """A fresh parameter with one value per target (and per element of the indices `over`)."""
        name = self.fresh(stems)
        if start is not None:
            start = (rounded(min(start)), rounded(max(start)))
        self.parameters.append(Parameter(name, kind, bounds[0], bounds[1], start))
        return par(name, *self.target, *over)

    def floor(self) -> Expr:
        return self.parameter(("E", "L"), "positive" if self.profile.loss_like else "real")

    def amplitude(self, signed: bool = False) -> Expr:
        """A linear coefficient; positive where the targets are loss-like, unless `signed`."""
        return self.parameter(AMPLITUDES, "positive" if self.profile.loss_like and not signed else "real")

    def exponent(
        self, view: View | None = None, upper: float = 3.0, start: tuple[float, float] = (0.05, 1.0),
    ) -> Expr:
        """An exponent in [0, upper]; for a column that already is a logarithm, in units of its base."""
        unit = math.log(view.base) if view is not None and view.log else 1.0
        return self.parameter(EXPONENTS, "interval", (start[0] * unit, start[1] * unit), (0.0, rounded(upper * unit)))

    def slope(self, view: View | None = None, size: float = 0.5) -> Expr:
        """A coefficient of log x, of either sign."""
        unit = size * (math.log(view.base) if view is not None and view.log else 1.0)
        return self.parameter(SLOPES, "real", (-unit, unit))

    def location(self, view: View) -> Expr:
        """A place on the axis of log x: starts within the data's range widened by one."""
        low, high = view.log_range
        return self.parameter(LOCATIONS, "real", (low - 1.0, high + 1.0))

    def sharpness(self, view: View) -> Expr:
        """How fast something happens along log x: over the whole range to about a twentieth of it."""
        width = max(view.log_range[1] - view.log_range[0], 1e-6)
        return self.parameter(("l", "p"), "positive", (1.0 / width, 20.0 / width))

    def shift(self, view: View) -> Expr:
        """A positive amount in the variable's own units."""
        high = max(abs(view.low), abs(view.high), 1e-12)
        low = view.low if view.low > 0 else high * 1e-3
        return self.parameter(SHIFTS, "positive", (low * 0.1, high))

    def scale(self, view: View) -> Expr:
        """A positive quantity in the variable's units, within half a decade of the data."""
        return self.parameter(("S", "M", "R"), "positive", (view.low * 0.3, view.high * 3.0))

    def centred(self, view: View) -> Expr:
        """log x - m."""
        return sub(log_of(view), self.location(view))

    def powered(self, view: View) -> Expr:
        """x^-a, or x^a where a positive amplitude has to rise as the data does (seldom against the trend)."""
        up = self.profile.loss_like and view.trend > 0.15
        if view.role == "setting":
            up = self.dice.chance(0.5)
        elif self.dice.chance(0.08):
            up = not up
        return (rising if up else falling)(view, self.exponent(view))

    def array(
        self, vector: str, kind: Kind = "real", start: tuple[float, float] = (-1.0, 1.0), index: str = "j",
    ) -> tuple[Expr, Expr]:
        """A fresh array parameter over a vector, and the vector's element, both at `index`."""
        parameter = self.parameter(ARRAYS, kind, start, over=(index,))
        if any(name == vector for name, _ in self.vectors):
            self.penalised.append(parameter.name)
        return parameter, var(vector, index)

    def vector(self, elements: Iterable[Expr]) -> str:
        """Declare a named vector of expressions; returns its name."""
        name = self.fresh(("z",))
        self.vectors.append((name, tuple(elements)))
        return name


def rounded(x: float) -> float:
    """Three significant digits: start ranges need no more, and programs read better."""
    return float(f"{x:.3g}")


# -- atoms ------------------------------------------------------------------------------------------------------------


def log_of(view: View) -> Expr:
    """log x: the column itself where it already is a logarithm."""
    return var(view.symbol) if view.log else call("log", var(view.symbol))


def falling(view: View, exponent: Expr) -> Expr:
    """x^-a."""
    if view.log:
        return call("exp", neg(mul(exponent, var(view.symbol))))
    return power(var(view.symbol), neg(exponent))


def rising(view: View, exponent: Expr) -> Expr:
    """x^a."""
    if view.log:
        return call("exp", mul(exponent, var(view.symbol)))
    return power(var(view.symbol), exponent)


def square(x: Expr) -> Expr:
    return power(x, num(2))


def one_minus_exp(x: Expr) -> Expr:
    """1 - exp(-x)."""
    return sub(num(1), call("exp", neg(x)))


def reciprocal(x: Expr) -> Expr:
    return div(num(1), x)


def one_plus(x: Expr) -> Expr:
    return add(num(1), x)
