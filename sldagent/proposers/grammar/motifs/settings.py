"""Terms with an optimum: learning rate, batch size and other settings, whose best value may move with scale."""

from __future__ import annotations

from collections.abc import Sequence

from sldagent.laws.expr import Expr, add, call, div, mul, neg, power, sub, sum_over, var
from sldagent.proposers.grammar.build import Builder, falling, log_of, one_minus_exp, one_plus, rising, square
from sldagent.proposers.grammar.motifs.motif import Motif
from sldagent.proposers.grammar.motifs.terms import scalars
from sldagent.proposers.grammar.profile import Slot, View

Slots = Sequence[Slot]


def distance(b: Builder, setting: View, movers: Sequence[View]) -> Expr:
    """log setting - m - u log N - v log D: distance from an optimum that moves with scale."""
    centre = [b.location(setting), *(mul(b.slope(v), log_of(v)) for v in movers)]
    return sub(log_of(setting), add(*centre))


def bowl(b: Builder, s: Slots) -> Expr:
    """C (log l - m - u log N ...)^2."""
    first, *movers = scalars(s)
    return mul(b.amplitude(), square(distance(b, first, movers)))


def scaled_bowl(b: Builder, s: Slots) -> Expr:
    """C N^-a (log l - m - u log N ...)^2: the curvature is a power law too."""
    first, *movers = scalars(s)
    return mul(b.amplitude(), b.powered(movers[-1]), square(distance(b, first, movers)))


def flat_bowl(b: Builder, s: Slots) -> Expr:
    """C (1 - exp(-d^2)), d the scaled distance: quadratic near the optimum, flat far away."""
    first, *movers = scalars(s)
    d = mul(b.sharpness(first), distance(b, first, movers))
    return mul(b.amplitude(), one_minus_exp(square(d)))


def lopsided_bowl(b: Builder, s: Slots) -> Expr:
    """C (exp(d) - d), d = l x distance: steep above the optimum, linear below it (divergence at large rates)."""
    first, *movers = scalars(s)
    d = mul(b.sharpness(first), distance(b, first, movers))
    return mul(b.amplitude(), sub(call("exp", d), d))


def tent(b: Builder, s: Slots) -> Expr:
    """C (softplus(d) + softplus(-d)), d = l x distance: quadratic near the optimum, linear far away."""
    first, *movers = scalars(s)
    d = mul(b.sharpness(first), distance(b, first, movers))
    return mul(b.amplitude(), add(call("softplus", d), call("softplus", neg(d))))


def valley(b: Builder, s: Slots) -> Expr:
    """A x^a + B x^-b: two opposed powers."""
    (x,) = scalars(s)
    return add(mul(b.amplitude(), rising(x, b.exponent(x))), mul(b.amplitude(), falling(x, b.exponent(x))))


def moving_valley(b: Builder, s: Slots) -> Expr:
    """A x^a N^c + B x^-b: two opposed powers whose balance moves with scale."""
    x, n = scalars(s)
    up = mul(b.amplitude(), rising(x, b.exponent(x)), b.powered(n))
    return add(up, mul(b.amplitude(), falling(x, b.exponent(x))))


def log_inverse(b: Builder, s: Slots) -> Expr:
    """C (log x + x0 / x), optimum at x0."""
    (x,) = scalars(s)
    if x.log:
        return mul(b.amplitude(), add(var(x.symbol), call("exp", neg(b.centred(x)))))
    return mul(b.amplitude(), add(log_of(x), div(b.scale(x), var(x.symbol))))


def moving_log_inverse(b: Builder, s: Slots) -> Expr:
    """C (d + exp(-d)), d = log x - m - u log D: the same with a moving optimum."""
    first, *movers = scalars(s)
    d = distance(b, first, movers)
    return mul(b.amplitude(), add(d, call("exp", neg(d))))


def critical(b: Builder, s: Slots) -> Expr:
    """A D^-a (1 + x / S): a setting above its critical size wastes data."""
    x, d = scalars(s)
    return mul(b.amplitude(), b.powered(d), one_plus(div(var(x.symbol), b.scale(x))))


def raw_square(b: Builder, s: Slots) -> Expr:
    """C (x - S)^2 in the setting itself."""
    (x,) = scalars(s)
    return mul(b.amplitude(), square(sub(var(x.symbol), b.scale(x))))


def moving_raw_square(b: Builder, s: Slots) -> Expr:
    """C (x - S N^-a)^2 in the setting itself, with a moving optimum."""
    x, n = scalars(s)
    centre = b.parameter(("S", "M"), "positive", (x.low * 0.3, x.high * 3.0))
    away = b.parameter(("u", "v"), "real", (-0.5, 0.5))
    moved = mul(centre, call("exp", mul(away, log_of(n))) if n.log else power(var(n.symbol), away))
    return mul(b.amplitude(), square(sub(var(x.symbol), moved)))


def expanded_bowl(b: Builder, s: Slots) -> Expr:
    """sum_j w_j z_j with z = [l, l^2, l n, l d, ...] in logs: a moving bowl, linear in its coefficients."""
    views = scalars(s)
    settings = [v for v in views if v.role == "setting"] or list(views[:1])
    others = [v for v in views if v not in settings]
    elements: list[Expr] = []
    for k, v in enumerate(settings):
        elements += [log_of(v), square(log_of(v))]
        elements += [mul(log_of(v), log_of(o)) for o in others if b.dice.chance(0.8)]
        elements += [mul(log_of(v), log_of(o)) for o in settings[k + 1 :] if b.dice.chance(0.5)]
    return linear_form(b, elements)


def linear_form(b: Builder, elements: Sequence[Expr], size: float = 0.1) -> Expr:
    """sum(w[j] * z[j] for j in z) over a fresh named vector."""
    z = b.vector(elements)
    coefficient, element = b.array(z, "real", (-size, size))
    return sum_over(mul(coefficient, element), "j", z)


def product_bowl(b: Builder, s: Slots) -> Expr:
    """A N^-a exp(c d^2), d the distance from the moving optimum: a wrong setting costs a factor."""
    first, *movers = scalars(s)
    c = b.exponent(first, start=(0.005, 0.3))
    return mul(b.amplitude(), b.powered(movers[-1]), call("exp", mul(c, square(distance(b, first, movers)))))


SETTINGS = (
    Motif("fixed bowl", "optimum", "term", "s", bowl, 2.0),
    Motif("moving bowl", "optimum", "term", "sn", bowl, 2.5),
    Motif("bowl moving with two", "optimum", "term", "snn", bowl, 1.5),
    Motif("bowl moving with a setting", "optimum", "term", "ss", bowl, 0.7),
    Motif("bowl with power curvature", "optimum", "term", "sn", scaled_bowl, 1.5),
    Motif("bowl moving with two, power curvature", "optimum", "term", "snn", scaled_bowl, 1.0),
    Motif("saturating bowl", "optimum", "term", "sn", flat_bowl, 0.8),
    Motif("lopsided bowl", "optimum", "term", "s", lopsided_bowl, 0.8),
    Motif("moving lopsided bowl", "optimum", "term", "sn", lopsided_bowl, 0.8),
    Motif("moving tent", "optimum", "term", "sn", tent, 0.6),
    Motif("valley", "optimum", "term", "s", valley, 1.0),
    Motif("moving valley", "optimum", "term", "sn", moving_valley, 0.8),
    Motif("log plus inverse", "optimum", "term", "s", log_inverse, 1.0),
    Motif("moving log plus inverse", "optimum", "term", "sn", moving_log_inverse, 0.8),
    Motif("critical size", "optimum", "term", "pn", critical, 0.3),
    Motif("raw bowl", "optimum", "term", "p", raw_square, 0.2),
    Motif("moving raw bowl", "optimum", "term", "pn", moving_raw_square, 0.1),
    Motif("expanded bowl", "optimum", "term", "*", expanded_bowl, 1.5),
    Motif("factor of a bowl", "optimum", "term", "sn", product_bowl, 1.0),
    Motif("valley of a scale", "dip", "term", "n", valley, 0.3),
    Motif("bowl of a scale", "dip", "term", "nn", bowl, 0.3),
)
