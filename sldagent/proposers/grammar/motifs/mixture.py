"""Terms over a vector of proportions r (rows sum to one, zeros occur): no logarithm or power of a bare proportion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from sldagent.laws.expr import Expr, add, call, div, mul, neg, power, sum_over, var
from sldagent.proposers.grammar.build import AMPLITUDES, SHIFTS, SLOPES, Builder, one_plus, square
from sldagent.proposers.grammar.motifs.motif import Motif
from sldagent.proposers.grammar.profile import Slot, VectorView, View

Slots = Sequence[Slot]


def _vector(s: Slots) -> VectorView:
    return cast(VectorView, s[-1])


def _scalar(s: Slots) -> View:
    return cast(View, s[0])


def weighted(b: Builder, r: VectorView, start: tuple[float, float] = (-2.0, 2.0)) -> Expr:
    """sum_j w_j r_j with real weights."""
    w, share = b.array(r.symbol, "real", start)
    return sum_over(mul(w, share), "j", r.symbol)


def positive_sum(b: Builder, r: VectorView) -> Expr:
    """sum_j w_j r_j with positive weights: the effective amount per unit of data."""
    w, share = b.array(r.symbol, "positive", (0.2, 5.0))
    return sum_over(mul(w, share), "j", r.symbol)


def own_shifted(b: Builder, r: VectorView) -> Expr:
    """r_i + s: the target's own proportion, kept away from zero."""
    return add(var(r.symbol, "i"), b.parameter(SHIFTS, "positive", (0.005, 0.5)))


def mixing(b: Builder, s: Slots) -> Expr:
    """k exp(sum_j w_j r_j) (data mixing law, arXiv 2403.16952)."""
    return mul(b.amplitude(), call("exp", weighted(b, _vector(s))))


def mixing_unit(b: Builder, s: Slots) -> Expr:
    """exp(sum_j w_j r_j): the amplitude lies in the weights, since the proportions sum to one."""
    centre = math.log(b.profile.spread)
    return call("exp", weighted(b, _vector(s), (centre - 2.0, centre + 2.0)))


def linear_mix(b: Builder, s: Slots) -> Expr:
    """sum_j w_j r_j."""
    return weighted(b, _vector(s))


def effective_share(b: Builder, s: Slots) -> Expr:
    """(sum_j w_j r_j)^-a with positive weights: each domain helps by its own amount."""
    return power(positive_sum(b, _vector(s)), neg(b.exponent()))


def shares_power(b: Builder, s: Slots) -> Expr:
    """A (s + sum_j w_j r_j)^-a, a linear amplitude and a bounded rate at zero share."""
    total = add(b.parameter(SHIFTS, "positive", (0.05, 2.0)), positive_sum(b, _vector(s)))
    return mul(b.amplitude(), power(total, neg(b.exponent())))


def log_shares(b: Builder, s: Slots) -> Expr:
    """B log(sum_j w_j r_j)."""
    return mul(b.amplitude(signed=True), call("log", positive_sum(b, _vector(s))))


def own_power(b: Builder, s: Slots) -> Expr:
    """A (r_i + s)^-a (BiMix, arXiv 2405.14908, kept finite at zero)."""
    return mul(b.amplitude(), power(own_shifted(b, _vector(s)), neg(b.exponent())))


def own_log(b: Builder, s: Slots) -> Expr:
    """B log(r_i + s)."""
    return mul(b.amplitude(signed=True), call("log", own_shifted(b, _vector(s))))


def own_exponential(b: Builder, s: Slots) -> Expr:
    """A exp(-u r_i)."""
    rate = b.parameter(("u", "v"), "positive", (0.5, 20.0))
    return mul(b.amplitude(), call("exp", neg(mul(rate, var(_vector(s).symbol, "i")))))


def own_square(b: Builder, s: Slots) -> Expr:
    """C r_i^2."""
    return mul(b.amplitude(signed=True), square(var(_vector(s).symbol, "i")))


def own_and_mixing(b: Builder, s: Slots) -> Expr:
    """(r_i + s)^-a exp(sum_j w_j r_j)."""
    r = _vector(s)
    return mul(power(own_shifted(b, r), neg(b.exponent())), call("exp", weighted(b, r, (-1.0, 1.0))))


def mixing_own_curve(b: Builder, s: Slots) -> Expr:
    """exp(sum_j w_j r_j + u r_i^2): the mixing law with curvature in the own share."""
    r = _vector(s)
    bend = mul(b.parameter(SLOPES, "real", (-2.0, 2.0)), square(var(r.symbol, "i")))
    return call("exp", add(weighted(b, r), bend))


def diminishing(b: Builder, s: Slots) -> Expr:
    """sum_j w_j exp(-u r_j): each domain's share has diminishing returns, at one common rate."""
    r = _vector(s)
    w, share = b.array(r.symbol, "real", (-1.0, 1.0))
    rate = b.parameter(("u", "v"), "positive", (0.5, 20.0))
    return sum_over(mul(w, call("exp", neg(mul(rate, share)))), "j", r.symbol)


def separate_powers(b: Builder, s: Slots) -> Expr:
    """sum_j w_j (r_j + s)^-a: separate amplitudes, one exponent and shift."""
    r = _vector(s)
    w, share = b.array(r.symbol, "real", (-1.0, 1.0))
    shift = b.parameter(SHIFTS, "positive", (0.01, 0.5))
    return sum_over(mul(w, power(add(share, shift), neg(b.exponent()))), "j", r.symbol)


def quadratic_mix(b: Builder, s: Slots) -> Expr:
    """sum_j (w_j r_j + q_j r_j^2): additive curvature per domain."""
    r = _vector(s)
    w, share = b.array(r.symbol)
    q, _ = b.array(r.symbol)
    return sum_over(add(mul(w, share), mul(q, square(share))), "j", r.symbol)


def low_rank(b: Builder, s: Slots) -> Expr:
    """A (sum_j w_j r_j)^2: one direction of curvature through all domains."""
    return mul(b.amplitude(signed=True), square(weighted(b, _vector(s))))


def generalised_mean(b: Builder, s: Slots) -> Expr:
    """A (sum_j w_j (r_j + s)^c)^-a: between the own-power and the effective-share forms."""
    r = _vector(s)
    w, share = b.array(r.symbol, "positive", (0.2, 5.0))
    shift = b.parameter(SHIFTS, "positive", (0.005, 0.2))
    inner = sum_over(mul(w, power(add(share, shift), b.exponent(start=(0.3, 1.5)))), "j", r.symbol)
    return power(inner, neg(b.exponent()))


def logistic_mix(b: Builder, s: Slots) -> Expr:
    """A sigmoid(sum_j w_j r_j): saturates on both sides."""
    return mul(b.amplitude(), call("sigmoid", weighted(b, _vector(s))))


def power_of_mix(b: Builder, s: Slots) -> Expr:
    """x^-a exp(sum_j w_j r_j): a power law whose amplitude is set by the mixture."""
    return mul(b.powered(_scalar(s)), call("exp", weighted(b, _vector(s))))


def effective_amount(b: Builder, s: Slots) -> Expr:
    """(x sum_j w_j r_j)^-a: a power law in the effective amount of data."""
    x = _scalar(s)
    if x.log:
        return power_of_mix(b, s)
    return power(mul(var(x.symbol), positive_sum(b, _vector(s))), neg(b.exponent()))


def own_amount(b: Builder, s: Slots) -> Expr:
    """A (x (r_i + s))^-a: a power law in the amount of the own domain."""
    x = _scalar(s)
    if x.log:
        return mul(b.powered(x), own_power(b, s))
    return mul(b.amplitude(), power(mul(var(x.symbol), own_shifted(b, _vector(s))), neg(b.exponent())))


def exponent_of_mix(b: Builder, s: Slots) -> Expr:
    """A exp(-log x sum_j w_j r_j): the exponent is set by the mixture."""
    x = _scalar(s)
    logarithm = var(x.symbol) if x.log else call("log", var(x.symbol))
    w, share = b.array(_vector(s).symbol, "positive", (0.02, 0.5))
    return mul(b.amplitude(), call("exp", neg(mul(logarithm, sum_over(mul(w, share), "j", _vector(s).symbol)))))


def hill_own(b: Builder, s: Slots) -> Expr:
    """A / (1 + u r_i)."""
    rate = b.parameter(("u", "v"), "positive", (1.0, 50.0))
    return div(b.parameter(AMPLITUDES, "real"), one_plus(mul(rate, var(_vector(s).symbol, "i"))))


MIXTURE = (
    Motif("mixing law", "mixture", "term", "v", mixing, 3.0),
    Motif("mixing law, unit amplitude", "mixture", "term", "v", mixing_unit, 3.0),
    Motif("linear mixture", "mixture", "term", "v", linear_mix, 1.5),
    Motif("effective share", "mixture", "term", "v", effective_share, 3.0),
    Motif("power of shares", "mixture", "term", "v", shares_power, 1.0),
    Motif("logarithm of shares", "mixture", "term", "v", log_shares, 1.0),
    Motif("own power", "mixture", "term", "o", own_power, 2.5),
    Motif("own logarithm", "mixture", "term", "o", own_log, 1.5),
    Motif("own exponential", "mixture", "term", "o", own_exponential, 1.0),
    Motif("own hill", "mixture", "term", "o", hill_own, 0.7),
    Motif("own square", "mixture", "term", "o", own_square, 0.7),
    Motif("own power times mixing", "mixture", "term", "o", own_and_mixing, 2.0),
    Motif("mixing law with own curvature", "mixture", "term", "o", mixing_own_curve, 1.5),
    Motif("diminishing returns", "mixture", "term", "v", diminishing, 1.0),
    Motif("separate powers", "mixture", "term", "v", separate_powers, 1.0),
    Motif("additive curvature", "mixture", "term", "v", quadratic_mix, 0.7),
    Motif("curvature in one direction", "mixture", "term", "v", low_rank, 0.4),
    Motif("generalised mean of shares", "mixture", "term", "v", generalised_mean, 1.0),
    Motif("logistic mixture", "mixture", "term", "v", logistic_mix, 0.5),
    Motif("power with mixture amplitude", "mixture", "term", "nv", power_of_mix, 3.0),
    Motif("effective amount", "mixture", "term", "nv", effective_amount, 3.0),
    Motif("amount of the own domain", "mixture", "term", "no", own_amount, 2.0),
    Motif("exponent from mixture", "mixture", "term", "nv", exponent_of_mix, 1.0),
)


def exponent_mix(b: Builder, s: Slots) -> Expr:
    """sum_j w_j r_j inside an exponent."""
    return weighted(b, _vector(s))


def exponent_own(b: Builder, s: Slots) -> Expr:
    """-a log(r_i + s) inside an exponent."""
    return neg(mul(b.exponent(), call("log", own_shifted(b, _vector(s)))))


MIXTURE_EXPONENTS = (
    Motif("mixture in an exponent", "mixture", "exponent", "v", exponent_mix, 3.0),
    Motif("own share in an exponent", "mixture", "exponent", "o", exponent_own, 2.0),
)
