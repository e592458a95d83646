"""Terms: amplitude times a function of one or two variables, to be added above a floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sldagent.laws.expr import Expr, add, call, div, mul, neg, power, sub, var
from sldagent.proposers.grammar.build import (
    EXPONENTS,
    SLOPES,
    Builder,
    falling,
    log_of,
    one_minus_exp,
    one_plus,
    rising,
    square,
)
from sldagent.proposers.grammar.motifs.motif import Motif
from sldagent.proposers.grammar.profile import Slot, View

Slots = Sequence[Slot]


def scalars(s: Slots) -> list[View]:
    """The slots as scalar variables (the codes that yield vectors are not used here)."""
    return [cast(View, v) for v in s]


def power_term(b: Builder, s: Slots) -> Expr:
    """A x^-a."""
    (x,) = scalars(s)
    return mul(b.amplitude(), b.powered(x))


def joint(b: Builder, s: Slots) -> Expr:
    """A x^-a y^-b."""
    x, y = scalars(s)
    return mul(b.amplitude(), b.powered(x), b.powered(y))


def ratio(b: Builder, s: Slots) -> Expr:
    """A (x / y)^a: tied exponents."""
    x, y = scalars(s)
    return mul(b.amplitude(), power(div(var(x.symbol), var(y.symbol)), b.exponent()))


def log_term(b: Builder, s: Slots) -> Expr:
    """B log x."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), log_of(x))


def log_log(b: Builder, s: Slots) -> Expr:
    """C log x log y."""
    x, y = scalars(s)
    return mul(b.amplitude(signed=True), log_of(x), log_of(y))


def log_square(b: Builder, s: Slots) -> Expr:
    """C (log x)^2."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), square(log_of(x)))


def shifted(b: Builder, s: Slots) -> Expr:
    """A (x + s)^-a."""
    (x,) = scalars(s)
    return mul(b.amplitude(), power(add(var(x.symbol), b.shift(x)), neg(b.exponent())))


def rectified(b: Builder, s: Slots) -> Expr:
    """A / (x^a + B) (arXiv 2402.02314): a plateau before the power law."""
    (x,) = scalars(s)
    low, high = max(x.low, 1e-300), max(x.high, 1e-300)
    plateau = b.parameter(("B", "G"), "positive", (low**0.3, high**0.7))
    return div(b.amplitude(), add(power(var(x.symbol), b.exponent()), plateau))


def running(b: Builder, s: Slots) -> Expr:
    """A exp(-a log x - u (log x)^2): an exponent that runs with its own variable."""
    (x,) = scalars(s)
    bend = b.parameter(SLOPES, "real", (-0.05, 0.05))
    return mul(b.amplitude(), call("exp", neg(add(mul(b.exponent(x), log_of(x)), mul(bend, square(log_of(x)))))))


def running_other(b: Builder, s: Slots) -> Expr:
    """A x^-(a + u log y): an exponent that runs with another variable."""
    x, y = scalars(s)
    exponent = add(b.exponent(x), mul(b.parameter(SLOPES, "real", (-0.05, 0.05)), log_of(y)))
    return mul(b.amplitude(), falling(x, exponent))


def broken(b: Builder, s: Slots) -> Expr:
    """A x^-a exp(-b softplus(l (log x - m))): one smooth break (arXiv 2210.14891), bent by b l."""
    (x,) = scalars(s)
    return mul(b.amplitude(), falling(x, b.exponent(x)), call("exp", neg(_bend(b, x))))


def broken_twice(b: Builder, s: Slots) -> Expr:
    """The same with two breaks."""
    (x,) = scalars(s)
    return mul(b.amplitude(), falling(x, b.exponent(x)), call("exp", neg(add(_bend(b, x), _bend(b, x)))))


def _bend(b: Builder, x: View) -> Expr:
    return mul(b.parameter(EXPONENTS, "real", (-0.5, 1.0)), call("softplus", mul(b.sharpness(x), b.centred(x))))


def exponential(b: Builder, s: Slots) -> Expr:
    """A exp(-(x / S)^a)."""
    (x,) = scalars(s)
    return mul(b.amplitude(), call("exp", neg(power(div(var(x.symbol), b.scale(x)), b.exponent(start=(0.2, 1.5))))))


def hill(b: Builder, s: Slots) -> Expr:
    """A / (1 + (x / S)^a)."""
    (x,) = scalars(s)
    return div(b.amplitude(), one_plus(power(div(var(x.symbol), b.scale(x)), b.exponent(start=(0.2, 2.0)))))


def logistic(b: Builder, s: Slots) -> Expr:
    """A sigmoid(l (log x - m)), of either direction."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), call("sigmoid", mul(b.sharpness(x), b.centred(x))))


def gompertz(b: Builder, s: Slots) -> Expr:
    """A exp(-exp(l (m - log x))): a step that starts late and ends slowly."""
    (x,) = scalars(s)
    inner = mul(b.sharpness(x), sub(b.location(x), log_of(x)))
    return mul(b.amplitude(signed=True), call("exp", neg(call("exp", inner))))


def ramp(b: Builder, s: Slots) -> Expr:
    """B softplus(l (log x - m)): flat, then linear in the logarithm."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), call("softplus", mul(b.sharpness(x), b.centred(x))))


def dip(b: Builder, s: Slots) -> Expr:
    """C exp(-(l (log x - m))^2): a dip or a bump."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), call("exp", neg(square(mul(b.sharpness(x), b.centred(x))))))


def lorentz(b: Builder, s: Slots) -> Expr:
    """C / (1 + (l (log x - m))^2): a dip with long tails."""
    (x,) = scalars(s)
    return div(b.amplitude(signed=True), one_plus(square(mul(b.sharpness(x), b.centred(x)))))


def step_dip(b: Builder, s: Slots) -> Expr:
    """A sigmoid(u) + C exp(-u^2), u = l (log x - m): a step with a dip at its foot, at one place."""
    (x,) = scalars(s)
    u = mul(b.sharpness(x), b.centred(x))
    foot = mul(b.amplitude(signed=True), call("exp", neg(square(u))))
    return add(mul(b.amplitude(signed=True), call("sigmoid", u)), foot)


def tanh_dip(b: Builder, s: Slots) -> Expr:
    """A tanh(u) + C tanh(u)^2, u = l (log x - m): U-shaped, flat on both far sides."""
    (x,) = scalars(s)
    t = call("tanh", mul(b.sharpness(x), b.centred(x)))
    return add(mul(b.amplitude(signed=True), t), mul(b.amplitude(signed=True), square(t)))


def two_steps(b: Builder, s: Slots) -> Expr:
    """A sigmoid(l (log x - m)) - B sigmoid(l (log x - n)): down and up again, equally steep."""
    (x,) = scalars(s)
    steep = b.sharpness(x)
    up = mul(b.amplitude(signed=True), call("sigmoid", mul(steep, b.centred(x))))
    return sub(up, mul(b.amplitude(signed=True), call("sigmoid", mul(steep, b.centred(x)))))


def two_powers(b: Builder, s: Slots) -> Expr:
    """A x^-a - B x^-b: two rates of opposite sign."""
    (x,) = scalars(s)
    first = mul(b.amplitude(), falling(x, b.exponent(x)))
    return sub(first, mul(b.amplitude(), falling(x, b.exponent(x, start=(0.3, 1.5)))))


def sloped_power(b: Builder, s: Slots) -> Expr:
    """(A + B log x) x^-a: U-shaped, then a power law."""
    (x,) = scalars(s)
    return mul(add(b.amplitude(signed=True), mul(b.amplitude(signed=True), log_of(x))), falling(x, b.exponent(x)))


def sigmoid_quadratic(b: Builder, s: Slots) -> Expr:
    """A sigmoid(C (log x - m)^2 + d): U-shaped and saturating."""
    (x,) = scalars(s)
    inner = add(square(mul(b.sharpness(x), b.centred(x))), b.parameter(EXPONENTS, "real", (-3.0, 1.0)))
    return mul(b.amplitude(signed=True), call("sigmoid", inner))


def bump_ratio(b: Builder, s: Slots) -> Expr:
    """C u / (1 + u^2), u = l (log x - m): up on one side, down on the other, zero far away."""
    (x,) = scalars(s)
    u = mul(b.sharpness(x), b.centred(x))
    return div(mul(b.amplitude(signed=True), u), one_plus(square(u)))


def ridge_term(b: Builder, s: Slots) -> Expr:
    """C exp(-(l (log x - m - u log y))^2): a dip that moves with a second variable (double descent)."""
    x, y = scalars(s)
    u = mul(b.sharpness(x), sub(b.centred(x), mul(b.slope(y), log_of(y))))
    return mul(b.amplitude(signed=True), call("exp", neg(square(u))))


def over_ratio(b: Builder, s: Slots) -> Expr:
    """B x^a y^-b: a penalty that grows with one variable and falls with another (overfitting)."""
    x, y = scalars(s)
    return mul(b.amplitude(), rising(x, b.exponent(x)), falling(y, b.exponent(y)))


def raw_linear(b: Builder, s: Slots) -> Expr:
    """B x, for a variable without a logarithm."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), var(x.symbol))


def raw_bowl(b: Builder, s: Slots) -> Expr:
    """C (x - m)^2."""
    (x,) = scalars(s)
    centre = b.parameter(("m", "n"), "real", (x.low, x.high))
    return mul(b.amplitude(), square(sub(var(x.symbol), centre)))


def raw_exponential(b: Builder, s: Slots) -> Expr:
    """A exp(u x), for a variable without a logarithm."""
    (x,) = scalars(s)
    rate = 2.0 / max(x.high - x.low, 1e-12)
    return mul(b.amplitude(), call("exp", mul(b.parameter(SLOPES, "real", (-rate, rate)), var(x.symbol))))


def raw_shifted(b: Builder, s: Slots) -> Expr:
    """A (x + s)^-a for a variable that may be zero; a square where it may be negative."""
    (x,) = scalars(s)
    if x.low < 0:
        return mul(b.amplitude(signed=True), square(var(x.symbol)))
    return mul(b.amplitude(), power(add(var(x.symbol), b.shift(x)), neg(b.exponent())))


def raw_saturating(b: Builder, s: Slots) -> Expr:
    """A (1 - exp(-x / s))."""
    (x,) = scalars(s)
    return mul(b.amplitude(signed=True), one_minus_exp(div(var(x.symbol), b.shift(x))))


def raw_times_power(b: Builder, s: Slots) -> Expr:
    """A x^-a (1 + B z): a variable without logarithm scales a power law."""
    x, z = scalars(s)
    rate = 1.0 / max(abs(z.low), abs(z.high), 1e-12)
    slope = b.parameter(SLOPES, "positive", (0.1 * rate, 3.0 * rate))
    factor = one_plus(mul(slope, var(z.symbol))) if z.low >= 0 else call("exp", mul(slope, var(z.symbol)))
    return mul(b.amplitude(), b.powered(x), factor)


def share_product(b: Builder, s: Slots) -> Expr:
    """B r_1 r_2: two domains help or hinder each other."""
    x, y = scalars(s)
    return mul(b.amplitude(signed=True), var(x.symbol), var(y.symbol))


def half_power(b: Builder, s: Slots) -> Expr:
    """A / sqrt(x)."""
    (x,) = scalars(s)
    return div(b.amplitude(), call("sqrt", var(x.symbol)))


def inverse(b: Builder, s: Slots) -> Expr:
    """A / x."""
    (x,) = scalars(s)
    return div(b.amplitude(), var(x.symbol))


def log_power(b: Builder, s: Slots) -> Expr:
    """A log(1 + x / S)^-a: slower than any power law."""
    (x,) = scalars(s)
    logarithm = call("log", one_plus(div(var(x.symbol), b.scale(x))))
    return mul(b.amplitude(), power(logarithm, neg(b.exponent(start=(0.2, 2.0)))))


TERMS = (
    Motif("power", "power", "term", "x", power_term, 6.0),
    Motif("half power", "power", "term", "p", half_power, 0.3),
    Motif("inverse", "power", "term", "p", inverse, 0.3),
    Motif("joint power", "joint", "term", "xx", joint, 3.0),
    Motif("ratio", "joint", "term", "pp", ratio, 0.6),
    Motif("power over power", "joint", "term", "nn", over_ratio, 0.8),
    Motif("logarithm", "log", "term", "x", log_term, 1.5),
    Motif("log times log", "log", "term", "xx", log_log, 0.8),
    Motif("squared logarithm", "log", "term", "x", log_square, 0.8),
    Motif("power of a logarithm", "log", "term", "p", log_power, 0.3),
    Motif("shifted power", "shifted", "term", "p", shifted, 1.5),
    Motif("rectified", "shifted", "term", "p", rectified, 1.5),
    Motif("running exponent", "running", "term", "x", running, 1.0),
    Motif("exponent running with another", "running", "term", "xx", running_other, 1.0),
    Motif("one break", "broken", "term", "x", broken, 1.0),
    Motif("two breaks", "broken", "term", "x", broken_twice, 0.2),
    Motif("stretched exponential", "saturation", "term", "p", exponential, 0.8),
    Motif("hill", "saturation", "term", "p", hill, 0.8),
    Motif("logistic", "saturation", "term", "x", logistic, 1.0),
    Motif("gompertz", "saturation", "term", "x", gompertz, 0.4),
    Motif("ramp", "ramp", "term", "x", ramp, 0.7),
    Motif("dip", "dip", "term", "x", dip, 1.0),
    Motif("long-tailed dip", "dip", "term", "x", lorentz, 0.6),
    Motif("step with a dip", "dip", "term", "x", step_dip, 0.8),
    Motif("tanh with its square", "dip", "term", "x", tanh_dip, 0.6),
    Motif("two steps", "dip", "term", "x", two_steps, 0.6),
    Motif("two powers", "dip", "term", "x", two_powers, 0.6),
    Motif("sloped power", "dip", "term", "x", sloped_power, 0.6),
    Motif("logistic of a square", "dip", "term", "x", sigmoid_quadratic, 0.5),
    Motif("odd bump", "dip", "term", "x", bump_ratio, 0.4),
    Motif("moving dip", "dip", "term", "xx", ridge_term, 0.4),
    Motif("linear", "power", "term", "z", raw_linear, 2.0),
    Motif("bowl", "optimum", "term", "z", raw_bowl, 1.0),
    Motif("exponential", "saturation", "term", "z", raw_exponential, 1.5),
    Motif("shifted power from zero", "shifted", "term", "z", raw_shifted, 1.0),
    Motif("saturating from zero", "saturation", "term", "z", raw_saturating, 1.0),
    Motif("exponential of one share", "mixture", "term", "m", raw_exponential, 0.5),
    Motif("bowl of one share", "mixture", "term", "m", raw_bowl, 0.3),
    Motif("shifted power of one share", "mixture", "term", "m", raw_shifted, 0.3),
    Motif("product of two shares", "mixture", "term", "mm", share_product, 0.5),
    Motif("scaled power", "joint", "term", "xz", raw_times_power, 1.0),
)

# exponents: summands inside exp, sigmoid, a power's exponent ... of sums of logarithms


def exponent_log(b: Builder, s: Slots) -> Expr:
    """u log x."""
    (x,) = scalars(s)
    return mul(b.slope(x), log_of(x))


def exponent_log_log(b: Builder, s: Slots) -> Expr:
    """u log x log y."""
    x, y = scalars(s)
    return mul(b.slope(x, 0.05), log_of(x), log_of(y))


def exponent_square(b: Builder, s: Slots) -> Expr:
    """u (log x)^2."""
    (x,) = scalars(s)
    return mul(b.slope(x, 0.05), square(log_of(x)))


def exponent_bowl(b: Builder, s: Slots) -> Expr:
    """c (log x - m)^2."""
    (x,) = scalars(s)
    return mul(b.exponent(x, start=(0.01, 0.5)), square(b.centred(x)))


def exponent_raw(b: Builder, s: Slots) -> Expr:
    """u x, for a variable without a logarithm."""
    (x,) = scalars(s)
    rate = 2.0 / max(x.high - x.low, 1e-12)
    return mul(b.parameter(SLOPES, "real", (-rate, rate)), var(x.symbol))


def exponent_ramp(b: Builder, s: Slots) -> Expr:
    """u softplus(l (log x - m))."""
    (x,) = scalars(s)
    return mul(b.slope(x), call("softplus", mul(b.sharpness(x), b.centred(x))))


def exponent_power(b: Builder, s: Slots) -> Expr:
    """u x^-a."""
    (x,) = scalars(s)
    return mul(b.parameter(SLOPES, "real", (-3.0, 3.0)), falling(x, b.exponent(x)))


EXPONENT_TERMS = (
    Motif("log in an exponent", "power", "exponent", "x", exponent_log, 4.0),
    Motif("log times log in an exponent", "joint", "exponent", "xx", exponent_log_log, 1.5),
    Motif("square in an exponent", "running", "exponent", "x", exponent_square, 1.5),
    Motif("bowl in an exponent", "optimum", "exponent", "s", exponent_bowl, 2.0),
    Motif("linear in an exponent", "saturation", "exponent", "z", exponent_raw, 3.0),
    Motif("ramp in an exponent", "ramp", "exponent", "x", exponent_ramp, 0.7),
    Motif("power in an exponent", "saturation", "exponent", "x", exponent_power, 0.7),
)
