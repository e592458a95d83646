"""Whole laws: right-hand sides that are more than a floor and separate terms."""

from __future__ import annotations

from collections.abc import Sequence

from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, power, sub, sum_over, var
from sldagent.proposers.grammar.build import SLOPES, Builder, falling, log_of, one_plus, square
from sldagent.proposers.grammar.motifs.motif import Motif
from sldagent.proposers.grammar.motifs.settings import distance, linear_form
from sldagent.proposers.grammar.motifs.terms import scalars
from sldagent.proposers.grammar.profile import Slot, View

Slots = Sequence[Slot]


def above_floor(b: Builder, body: Expr, keep: float = 0.85) -> Expr:
    """Floor + body; now and then without the floor."""
    return add(b.floor(), body) if b.dice.chance(keep) else body


def additive(b: Builder, s: Slots) -> Expr:
    """E + A x^-a + B y^-b + ... over the given variables."""
    return add(b.floor(), *(mul(b.amplitude(), b.powered(v)) for v in scalars(s)))


def additive_joint(b: Builder, s: Slots) -> Expr:
    """E + A x^-a + B y^-b + C x^-c y^-d."""
    x, y = scalars(s)
    cross = mul(b.amplitude(), falling(x, b.exponent(x)), falling(y, b.exponent(y)))
    return add(b.floor(), mul(b.amplitude(), b.powered(x)), mul(b.amplitude(), b.powered(y)), cross)


def kaplan(b: Builder, s: Slots) -> Expr:
    """E + (A x^-a + B / y)^b (arXiv 2001.08361, equation 1.5, with a floor)."""
    x, y = scalars(s)
    rate = b.parameter(("B", "C"), "positive")
    other = call("exp", neg(var(y.symbol))) if y.log else reciprocal_of(y)
    inner = add(mul(b.parameter(("A", "F"), "positive"), falling(x, b.exponent(x, start=(0.3, 2.0)))), mul(rate, other))
    return above_floor(b, power(inner, b.exponent()))


def reciprocal_of(x: View) -> Expr:
    return div(num(1), var(x.symbol))


def mean(b: Builder, s: Slots) -> Expr:
    """E + (A x^-a + B y^-b)^c: between a sum and a maximum of powers."""
    inner = [mul(b.parameter(("A", "B", "C", "F"), "positive"), falling(v, b.exponent(v))) for v in scalars(s)]
    return above_floor(b, power(add(*inner), b.exponent(start=(0.3, 2.0))))


def log_mean(b: Builder, s: Slots) -> Expr:
    """E + exp(smoothmax(u - a log x, v - b log y)): whichever power is larger."""
    x, y = scalars(s)
    first, second = (sub(b.parameter(SLOPES, "real", (-3.0, 3.0)), mul(b.exponent(v), log_of(v))) for v in (x, y))
    sharp = b.parameter(("l", "p"), "positive", (0.5, 10.0))
    return above_floor(b, call("exp", call("smoothmax", first, second, sharp)))


def regimes(b: Builder, s: Slots) -> Expr:
    """logaddexp of two lines in log x: one rate before, another after."""
    (x,) = scalars(s)
    lines = [add(b.amplitude(signed=True), mul(b.slope(x), log_of(x))) for _ in range(2)]
    return call("logaddexp", *lines)


def smooth_extreme(b: Builder, s: Slots) -> Expr:
    """smooth minimum or maximum of two laws: whichever bound is active."""
    (x,) = scalars(s)
    first = mul(b.amplitude(), b.powered(x))
    second = add(b.floor(), mul(b.amplitude(), falling(x, b.exponent(x))))
    sharp = b.parameter(("l", "p"), "positive", (1.0 / b.profile.spread, 30.0 / b.profile.spread))
    return call(b.dice.pick(("smoothmin", "smoothmax")), first, second, sharp)


def amplified(b: Builder, s: Slots) -> Expr:
    """E + (A + B x^-a) y^-b: the amplitude of one power has a floor in the other variable."""
    x, y = scalars(s)
    amplitude = add(b.amplitude(), mul(b.amplitude(), falling(x, b.exponent(x))))
    return add(b.floor(), mul(amplitude, falling(y, b.exponent(y))))


def product(b: Builder, s: Slots) -> Expr:
    """(E + A x^-a) (1 + B y^-b): factors instead of summands."""
    x, y = scalars(s)
    return mul(add(b.floor(), mul(b.amplitude(), b.powered(x))), one_plus(mul(b.amplitude(), b.powered(y))))


def product_of_powers(b: Builder, s: Slots) -> Expr:
    """E + A x^-a y^-b ... over the given variables."""
    return above_floor(b, mul(b.amplitude(), *(b.powered(v) for v in scalars(s))))


def log_bilinear(b: Builder, s: Slots) -> Expr:
    """E + exp(u + a log x + b log y + c log x log y) (mixture of experts, arXiv 2202.01169)."""
    x, y = scalars(s)
    cross = mul(b.parameter(SLOPES, "real", (-0.02, 0.02)), log_of(x), log_of(y))
    inner = add(_level(b), neg(mul(b.exponent(x), log_of(x))), mul(b.slope(y), log_of(y)), cross)
    return above_floor(b, call("exp", inner), keep=0.6)


def log_bilinear_capped(b: Builder, s: Slots) -> Expr:
    """The same with log(1 / (1 / (y + s) + 1 / M)) for log y: the number of experts saturates."""
    x, y = scalars(s)
    cap = div(num(1), add(div(num(1), add(var(y.symbol), b.shift(y))), div(num(1), b.scale(y))))
    late = call("log", cap)
    cross = mul(b.parameter(SLOPES, "real", (-0.02, 0.02)), log_of(x), late)
    inner = add(_level(b), neg(mul(b.exponent(x), log_of(x))), mul(b.slope(y), late), cross)
    return above_floor(b, call("exp", inner), keep=0.4)


def expert_power(b: Builder, s: Slots) -> Expr:
    """E + (A y^-b + B) x^-a + C z^-c (fine-grained experts, arXiv 2402.07871), z another scale or absent."""
    x, y, *rest = scalars(s)
    head = mul(add(b.amplitude(), mul(b.amplitude(), falling(y, b.exponent(y)))), falling(x, b.exponent(x)))
    return add(b.floor(), head, *(mul(b.amplitude(), b.powered(v)) for v in rest))


def _level(b: Builder) -> Expr:
    """The logarithm of an amplitude."""
    return b.parameter(("o", "u"), "real", (-3.0, 6.0))


def monomials(b: Builder, views: Sequence[View]) -> list[Expr]:
    """Logs, squares and products of logs: all first powers, settings' squares, and a random part of the rest."""
    elements = [log_of(v) for v in views]
    for k, v in enumerate(views):
        if b.dice.chance(0.95 if v.role == "setting" else 0.5):
            elements.append(square(log_of(v)))
        for w in views[k + 1 :]:
            if b.dice.chance(0.7 if (v.role == "setting") != (w.role == "setting") else 0.5):
                elements.append(mul(log_of(v), log_of(w)))
    return elements


def exp_polynomial(b: Builder, s: Slots) -> Expr:
    """E + exp(u + sum_j w_j z_j), z monomials in logs: a quadratic form in an exponential above a floor."""
    body = add(_level(b), linear_form(b, monomials(b, scalars(s))))
    return above_floor(b, call("exp", body), keep=0.75)


def polynomial(b: Builder, s: Slots) -> Expr:
    """E + sum_j w_j z_j: linear in all its coefficients."""
    return add(b.parameter(("E", "L"), "real"), linear_form(b, monomials(b, scalars(s))))


def powers_and_polynomial(b: Builder, s: Slots) -> Expr:
    """E + A N^-a + ... + sum_j w_j z_j with z = [l, l^2, l log N, ...] for the settings l: powers in the scales, an
    expanded moving bowl in the settings."""
    views = scalars(s)
    scales, settings = ([v for v in views if v.role == role] for role in ("scale", "setting"))
    powers = [mul(b.amplitude(), falling(v, b.exponent(v))) for v in scales]
    return add(b.floor(), *powers, linear_form(b, setting_monomials(b, settings, scales)))


def powers_times_polynomial(b: Builder, s: Slots) -> Expr:
    """E + (A N^-a + ...) exp(sum_j w_j z_j), z as before: a wrong setting costs a factor."""
    views = scalars(s)
    scales, settings = ([v for v in views if v.role == role] for role in ("scale", "setting"))
    powers = [mul(b.amplitude(), falling(v, b.exponent(v))) for v in scales] or [b.amplitude()]
    return add(b.floor(), mul(add(*powers), call("exp", linear_form(b, setting_monomials(b, settings, scales)))))


def setting_monomials(b: Builder, settings: Sequence[View], scales: Sequence[View]) -> list[Expr]:
    """l, l^2, l log N, ... for every setting l; all logs where the task has no setting."""
    if not settings:
        return monomials(b, scales)
    elements: list[Expr] = []
    for k, v in enumerate(settings):
        elements += [log_of(v), square(log_of(v))]
        elements += [mul(log_of(v), log_of(n)) for n in scales if b.dice.chance(0.8)]
        elements += [mul(log_of(v), log_of(w)) for w in settings[k + 1 :] if b.dice.chance(0.6)]
    return elements


def powers_and_bowls(b: Builder, s: Slots) -> Expr:
    """E + A N^-a + ... + C (log l - m - u log N ...)^2 + ...: a bowl around a moving optimum for every setting, its
    curvature constant or a power of a scale."""
    views = scalars(s)
    scales, settings = ([v for v in views if v.role == role] for role in ("scale", "setting"))
    terms = [mul(b.amplitude(), falling(v, b.exponent(v))) for v in scales]
    for setting in settings:
        movers = [v for v in scales if b.dice.chance(0.5)]
        curvature = [b.powered(b.dice.pick(scales))] if scales and b.dice.chance(0.35) else []
        terms.append(mul(b.amplitude(), *curvature, square(distance(b, setting, movers))))
    return add(b.floor(), *terms)


def bounded(b: Builder, s: Slots) -> Expr:
    """sigmoid (or its mirror images for other ranges) of a line in the logs."""
    inner = add(b.parameter(("o", "u"), "real", (-4.0, 4.0)), *(mul(b.slope(v), log_of(v)) for v in scalars(s)))
    return in_bounds(b, inner)


def in_bounds(b: Builder, inner: Expr) -> Expr:
    """`inner` squeezed into the targets' declared range where there is one; else between two fitted levels."""
    match b.profile.bounds:
        case (0.0, 1.0):
            if b.dice.chance(0.5):
                chance_level = b.parameter(("E", "L"), "interval", (0.0, 0.5), (0.0, 1.0))
                return add(chance_level, mul(sub(num(1), chance_level), call("sigmoid", inner)))
            return call("sigmoid", inner)
        case (-1.0, 0.0):
            return neg(call("sigmoid", inner))
        case (-1.0, 1.0):
            return call("tanh", inner)
        case _:
            return add(b.floor(), mul(b.amplitude(signed=True), call("sigmoid", inner)))


def bounded_power(b: Builder, s: Slots) -> Expr:
    """sigmoid(u - A x^-a): a score that follows a loss that follows a power law."""
    (x,) = scalars(s)
    loss = mul(b.parameter(("A", "B"), "real"), falling(x, b.exponent(x)))
    return in_bounds(b, sub(b.parameter(("o", "u"), "real", (-3.0, 3.0)), loss))


def bounded_quadratic(b: Builder, s: Slots) -> Expr:
    """sigmoid(u + v log x + w (log x)^2)."""
    (x,) = scalars(s)
    bend = mul(b.slope(x, 0.1), square(log_of(x)))
    return in_bounds(b, add(b.parameter(("o", "u"), "real", (-4.0, 4.0)), mul(b.slope(x), log_of(x)), bend))


def bounded_joint(b: Builder, s: Slots) -> Expr:
    """sigmoid(u + v log x + w log y + t log x log y) (skills, arXiv 2412.06540)."""
    x, y = scalars(s)
    cross = mul(b.parameter(SLOPES, "real", (-0.05, 0.05)), log_of(x), log_of(y))
    lines = [mul(b.slope(v), log_of(v)) for v in (x, y)]
    return in_bounds(b, add(b.parameter(("o", "u"), "real", (-4.0, 4.0)), *lines, cross))


def cubic(b: Builder, s: Slots) -> Expr:
    """E + sum_j w_j z_j, z = [L, L^2, L^3]: a cubic in the logarithm, with a penalty."""
    (x,) = scalars(s)
    elements = [log_of(x), square(log_of(x)), power(log_of(x), num(3))]
    return add(b.parameter(("E", "L"), "real"), linear_form(b, elements))


def enveloped(b: Builder, s: Slots) -> Expr:
    """E + w_1 t + w_2 t^2 + w_3 t^3, t = tanh(l (log x - m)): a cubic that becomes flat far away."""
    (x,) = scalars(s)
    t = call("tanh", mul(b.sharpness(x), b.centred(x)))
    form = linear_form(b, [t, square(t), power(t, num(3))], 0.5)
    return add(b.parameter(("E", "L"), "real"), form)


def bent(b: Builder, s: Slots) -> Expr:
    """E + A (1 + x / S)^-a: a power law that bends to a start value E + A."""
    (x,) = scalars(s)
    return add(b.floor(), mul(b.amplitude(), power(one_plus(div(var(x.symbol), b.scale(x))), neg(b.exponent()))))


def shifted_product(b: Builder, s: Slots) -> Expr:
    """E + A x^-a (y + s)^-b."""
    x, y = scalars(s)
    late = power(add(var(y.symbol), b.shift(y)), neg(b.exponent()))
    return above_floor(b, mul(b.amplitude(), b.powered(x), late))


def sum_of_vectors(b: Builder, s: Slots) -> Expr:
    """E + sum_j q_j exp(-t z_j), z all logs, one exponent for all: the fewest exponents for many variables."""
    z = b.vector([log_of(v) for v in scalars(s)])
    amount, element = b.array(z, "positive" if b.profile.loss_like else "real", (0.1, 100.0))
    rate = b.exponent()
    return add(b.floor(), sum_over(mul(amount, call("exp", neg(mul(rate, element)))), "j", z))


LAWS = (
    Motif("power above a floor", "power", "law", "x", additive, 1.0),
    Motif("two powers above a floor", "power", "law", "nn", additive, 3.0),
    Motif("three powers above a floor", "power", "law", "nnn", additive, 2.0),
    Motif("all powers above a floor", "power", "law", "*", additive, 1.0),
    Motif("powers with one exponent", "power", "law", "*", sum_of_vectors, 0.5),
    Motif("powers with a joint one", "joint", "law", "nn", additive_joint, 1.0),
    Motif("product of powers above a floor", "joint", "law", "*", product_of_powers, 1.5),
    Motif("product with a shift", "shifted", "law", "xp", shifted_product, 0.7),
    Motif("nested", "mean", "law", "xx", kaplan, 1.0),
    Motif("generalised mean", "mean", "law", "xx", mean, 1.5),
    Motif("generalised mean of all", "mean", "law", "*", mean, 0.7),
    Motif("smooth maximum of powers", "regime", "law", "xx", log_mean, 0.6),
    Motif("two lines", "regime", "law", "x", regimes, 0.6),
    Motif("two regimes", "regime", "law", "x", smooth_extreme, 0.5),
    Motif("amplitude with a floor", "joint", "law", "xx", amplified, 1.0),
    Motif("product of laws", "joint", "law", "xx", product, 0.7),
    Motif("log-bilinear", "moe", "law", "xx", log_bilinear, 1.0),
    Motif("log-bilinear, capped", "moe", "law", "xp", log_bilinear_capped, 1.0),
    Motif("expert amplitude", "moe", "law", "xxx", expert_power, 0.7),
    Motif("exp of a quadratic form", "polynomial", "law", "*", exp_polynomial, 2.0),
    Motif("quadratic form", "polynomial", "law", "*", polynomial, 1.0),
    Motif("powers and quadratic settings", "optimum", "law", "*", powers_and_polynomial, 2.0),
    Motif("powers times quadratic settings", "optimum", "law", "*", powers_times_polynomial, 1.5),
    Motif("powers and bowls", "optimum", "law", "*", powers_and_bowls, 2.0),
    Motif("bounded line", "saturation", "law", "x", bounded, 1.0),
    Motif("bounded plane", "saturation", "law", "*", bounded, 1.0),
    Motif("bounded power", "saturation", "law", "x", bounded_power, 1.0),
    Motif("bounded square", "dip", "law", "x", bounded_quadratic, 0.8),
    Motif("bounded product", "saturation", "law", "xx", bounded_joint, 0.8),
    Motif("cubic", "polynomial", "law", "x", cubic, 0.4),
    Motif("cubic of a tanh", "dip", "law", "x", enveloped, 0.7),
    Motif("bent start", "shifted", "law", "p", bent, 1.0),
)
