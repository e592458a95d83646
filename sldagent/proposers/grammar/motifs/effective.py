"""Effective quantities: positive expressions that take the place of a variable inside a power or a logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, power, sub, sum_over, var
from sldagent.proposers.grammar.build import (
    EXPONENTS,
    SLOPES,
    Builder,
    falling,
    log_of,
    one_minus_exp,
    one_plus,
    reciprocal,
    rising,
)
from sldagent.proposers.grammar.motifs.mixture import positive_sum
from sldagent.proposers.grammar.motifs.motif import Build, Motif
from sldagent.proposers.grammar.motifs.terms import scalars
from sldagent.proposers.grammar.profile import Slot, VectorView, View

Slots = Sequence[Slot]


def repeated(b: Builder, s: Slots) -> Expr:
    """U (1 + R (1 - exp(-(D / U - 1) / R))): repeated data loses value (arXiv 2305.16264)."""
    unique, total = (var(v.symbol) for v in scalars(s[:2]))
    halving = b.parameter(("R", "R1"), "positive", (1.0, 100.0))
    excess = sub(div(total, unique), num(1))
    return mul(unique, one_plus(mul(halving, one_minus_exp(div(excess, halving)))))


def repeated_hill(b: Builder, s: Slots) -> Expr:
    """U (1 + e / (1 + e / R)), e = D / U - 1: the same with a slow saturation."""
    unique, total = (var(v.symbol) for v in scalars(s[:2]))
    excess = sub(div(total, unique), num(1))
    halving = b.parameter(("R", "R1"), "positive", (1.0, 100.0))
    return mul(unique, one_plus(div(excess, one_plus(div(excess, halving)))))


def discounted(b: Builder, s: Slots) -> Expr:
    """D (U / D)^a: repeats count less, as a power."""
    unique, total = (var(v.symbol) for v in scalars(s[:2]))
    return mul(total, power(div(unique, total), b.exponent(start=(0.05, 0.9))))


def capped(b: Builder, s: Slots) -> Expr:
    """1 / (1 / x + 1 / M): saturates at M."""
    (x,) = scalars(s)
    return reciprocal(add(reciprocal(var(x.symbol)), reciprocal(b.scale(x))))


def capped_shifted(b: Builder, s: Slots) -> Expr:
    """1 / (1 / (x + s) + 1 / M): saturating count that starts at s (experts, arXiv 2202.01169)."""
    (x,) = scalars(s)
    return reciprocal(add(reciprocal(add(var(x.symbol), b.shift(x))), reciprocal(b.scale(x))))


def saturating_amount(b: Builder, s: Slots) -> Expr:
    """R y (1 - exp(-x / (R y))): x counts fully while it is far below R y and saturates there; any order of x and y."""
    x, y = scalars(s)
    size = x.high / y.high
    most = mul(b.parameter(("R", "R1"), "positive", (0.3 * size, 30.0 * size)), var(y.symbol))
    return mul(most, one_minus_exp(div(var(x.symbol), most)))


def capped_by(b: Builder, s: Slots) -> Expr:
    """1 / (1 / x + C y^-a): x is useful only up to a power of y (excess parameters or data)."""
    x, y = scalars(s)
    rate = b.parameter(("C", "F", "G"), "positive")
    return reciprocal(add(reciprocal(var(x.symbol)), mul(rate, falling(y, b.exponent(y, start=(0.3, 1.2))))))


def boosted_log(b: Builder, s: Slots) -> Expr:
    """x (1 + c log y), y >= 1 (parallel streams, arXiv 2505.10475)."""
    x, y = scalars(s)
    return mul(var(x.symbol), one_plus(mul(b.parameter(EXPONENTS, "positive", (0.05, 2.0)), log_of(y))))


def boosted_power(b: Builder, s: Slots) -> Expr:
    """x y^u."""
    x, y = scalars(s)
    exponent = b.parameter(SLOPES, "real", (-1.0, 1.0))
    return mul(var(x.symbol), rising(y, exponent))


def boosted_saturating(b: Builder, s: Slots) -> Expr:
    """x (1 - exp(-y / S)) (precision, arXiv 2411.04330)."""
    x, y = scalars(s)
    return mul(var(x.symbol), one_minus_exp(div(var(y.symbol), b.scale(y))))


def boosted_hill(b: Builder, s: Slots) -> Expr:
    """x / (1 + (S / y)^a)."""
    x, y = scalars(s)
    return div(var(x.symbol), one_plus(power(div(b.scale(y), var(y.symbol)), b.exponent(start=(0.3, 2.0)))))


def summed(b: Builder, s: Slots) -> Expr:
    """x + c y: two kinds of the same thing (vocabulary parameters, transferred data)."""
    x, y = scalars(s)
    size = x.high / y.high
    return add(var(x.symbol), mul(b.parameter(EXPONENTS, "positive", (0.01 * size, 10.0 * size)), var(y.symbol)))


def summed_power(b: Builder, s: Slots) -> Expr:
    """x + C y^a: data transferred from y (arXiv 2102.01293)."""
    x, y = scalars(s)
    return add(var(x.symbol), mul(b.parameter(("C", "F"), "positive"), rising(y, b.exponent(y, start=(0.2, 1.0)))))


def moved(b: Builder, s: Slots) -> Expr:
    """x + s."""
    (x,) = scalars(s)
    return add(var(x.symbol), b.shift(x))


def per(b: Builder, s: Slots) -> Expr:
    """x / y."""
    x, y = scalars(s)
    return div(var(x.symbol), var(y.symbol))


def times(b: Builder, s: Slots) -> Expr:
    """x y (compute from parameters and tokens)."""
    x, y = scalars(s)
    return mul(var(x.symbol), var(y.symbol))


def damped(b: Builder, s: Slots) -> Expr:
    """x exp(-u z), z a variable without logarithm (sparsity, noise)."""
    x, z = scalars(s)
    rate = 2.0 / max(z.high - z.low, 1e-12)
    return mul(var(x.symbol), call("exp", mul(b.parameter(SLOPES, "real", (-rate, rate)), var(z.symbol))))


def diluted(b: Builder, s: Slots) -> Expr:
    """x / (1 + u z), z >= 0 without logarithm."""
    x, z = scalars(s)
    if z.low < 0:
        return damped(b, s)
    size = max(z.high, 1e-12)
    rate = b.parameter(("u", "v"), "positive", (0.1 / size, 10.0 / size))
    return div(var(x.symbol), one_plus(mul(rate, var(z.symbol))))


def mixed(b: Builder, s: Slots) -> Expr:
    """x sum_j w_j r_j."""
    return mul(var(cast(View, s[0]).symbol), positive_sum(b, cast(VectorView, s[1])))


def mixed_exponential(b: Builder, s: Slots) -> Expr:
    """x exp(sum_j w_j r_j)."""
    x, r = cast(View, s[0]), cast(VectorView, s[1])
    w, share = b.array(r.symbol)
    return mul(var(x.symbol), call("exp", sum_over(mul(w, share), "j", r.symbol)))


EFFECTIVE = (
    Motif("repeated data", "data", "effective", "ud", repeated, 4.0),
    Motif("repeated data, slow saturation", "data", "effective", "ud", repeated_hill, 1.5),
    Motif("discounted repeats", "data", "effective", "ud", discounted, 1.0),
    Motif("cap", "saturation", "effective", "p", capped, 0.5),
    Motif("cap above a shift", "moe", "effective", "p", capped_shifted, 0.5),
    Motif("saturating amount", "data", "effective", "pp", saturating_amount, 1.0),
    Motif("cap by another", "data", "effective", "pp", capped_by, 1.0),
    Motif("boost by a logarithm", "effective", "effective", "p1", boosted_log, 1.5),
    Motif("boost by a power", "effective", "effective", "px", boosted_power, 1.0),
    Motif("saturating boost", "effective", "effective", "pp", boosted_saturating, 1.0),
    Motif("hill boost", "effective", "effective", "pp", boosted_hill, 0.6),
    Motif("sum of two", "effective", "effective", "pp", summed, 0.7),
    Motif("sum with a power", "effective", "effective", "pp", summed_power, 0.6),
    Motif("shift", "shifted", "effective", "p", moved, 0.7),
    Motif("per", "effective", "effective", "pp", per, 0.5),
    Motif("times", "effective", "effective", "pp", times, 0.5),
    Motif("damped", "effective", "effective", "pz", damped, 1.5),
    Motif("diluted", "effective", "effective", "pz", diluted, 1.0),
    Motif("amount in a mixture", "mixture", "effective", "pv", mixed, 2.0),
    Motif("amount scaled by a mixture", "mixture", "effective", "pv", mixed_exponential, 2.0),
)


def _as_term(build: Build) -> Build:
    """A x_eff^-a, x_eff an effective quantity."""

    def term(b: Builder, s: Slots) -> Expr:
        return mul(b.amplitude(), power(build(b, s), neg(b.exponent())))

    return term


EFFECTIVE_TERMS = tuple(
    Motif(f"power of {m.name}", m.family, "term", m.slots, _as_term(m.build), 0.5 * m.weight)
    for m in EFFECTIVE if m.name not in ("times", "shift")
)
