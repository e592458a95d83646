"""Operators on single variables and functions: generalise, specialise, change, shift, wrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, power, sub, transform, var
from sldagent.proposers.grammar.build import EXPONENTS, SLOPES, log_of, one_minus_exp, one_plus, square
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.operators.edit import Edit, plus, times, without
from sldagent.proposers.grammar.operators.sums import joined, names_in
from sldagent.proposers.grammar.profile import View
from sldagent.proposers.grammar.tree import Place, factors, scalars_in, summands, varies


def attempt(e: Edit, ways: Sequence[tuple[Callable[[Edit], Draft | None], float]]) -> Draft | None:
    """The first way that applies, in a random order that favours the heavier ones."""
    left = list(ways)
    while left:
        k = e.dice.pick(range(len(left)), [w for _, w in left])
        way, _ = left.pop(k)
        result = way(e)
        if result is not None:
            return result
    return None


def leaves(e: Edit, positive: bool = False) -> list[tuple[Place, View]]:
    """Scalar variables where they occur; `positive`: those that are positive quantities."""
    found = []
    for p in e.places(("var",)):
        view = e.view(p.node.name) if not p.node.index else None
        if view is not None and (view.positive or not positive):
            found.append((p, view))
    return found


# -- generalise -------------------------------------------------------------------------------------------------------


def generalise(e: Edit) -> Draft | None:
    """One step up the ladder power, shifted, rectified, running, broken; a literal becomes a parameter."""
    ways = [(insert_shift, 1.0), (rectify, 1.0), (run, 1.5), (bend, 1.0), (free_literal, 1.0), (soften, 0.5)]
    return attempt(e, ways)


def rectify(e: Edit) -> Draft | None:
    """x^-a -> 1 / (x^a + B)."""
    found = [p for p in e.places(("pow",), ("response", "quantity"), True) if p.node.args[1].op == "neg"]
    if not found:
        return None
    place = e.dice.pick(found)
    base, exponent = place.node.args
    views = [v for v in map(e.view, scalars_in(base)) if v is not None and v.positive]
    low, high = (views[0].low**0.3, views[0].high**0.7) if views else (0.1, 10.0)
    plateau = e.b.parameter(("B", "G"), "positive", (low, high))
    return e.replaced(place, div(num(1), add(power(base, exponent.args[0]), plateau)))


def run(e: Edit) -> Draft | None:
    """x^-a -> x^-(a + u log y); exp(u log x) gains a square."""
    found = e.places(("par",), ("exponent",))
    if not found:
        return None
    place = e.dice.pick(found)
    pow_place = place.path[: max(k for k in range(len(place.path)) if _pow_exponent(e.expr, place.path, k))]
    base = _node(e.expr, pow_place)
    view = e.another(names_in(e, base.args[0]))
    if view is None or e.dice.chance(0.3):
        own = [v for v in map(e.view, scalars_in(base.args[0])) if v is not None and v.loggable]
        if not own:
            return None
        bent = call("exp", neg(mul(e.b.parameter(SLOPES, "real", (-0.05, 0.05)), square(log_of(own[0])))))
        return e.replaced(next(p for p in e.places() if p.path == pow_place), times(base, bent))
    return e.replaced(place, plus(place.node, mul(e.b.parameter(SLOPES, "real", (-0.05, 0.05)), log_of(view))))


def _node(root: Expr, path: tuple[int, ...]) -> Expr:
    for k in path:
        root = root.args[k]
    return root


def _pow_exponent(root: Expr, path: tuple[int, ...], k: int) -> bool:
    """Whether the k-th step of a path enters a power's exponent."""
    return _node(root, path[:k]).op == "pow" and path[k] == 1


def bend(e: Edit) -> Draft | None:
    """A term gains a break: times exp(-b softplus(l (log x - m)))."""
    parts = summands(e.expr)
    found = [
        (k, v) for k, part in enumerate(parts) if varies(part)
        for v in map(e.view, names_in(e, part)) if v is not None and v.loggable
    ]
    if not found:
        return None
    k, view = e.dice.pick(found)
    rate = e.b.parameter(EXPONENTS, "real", (-0.5, 1.0))
    ramp = mul(rate, call("softplus", mul(e.b.sharpness(view), e.b.centred(view))))
    return e.done(plus(*parts[:k], times(parts[k], call("exp", neg(ramp))), *parts[k + 1 :]))


def free_literal(e: Edit) -> Draft | None:
    """A number becomes a parameter: an exponent of its own, or the 1 in 1 + x."""
    found = [
        p for p in e.places(("num",)) if p.parent is not None
        and not (p.level == "exponent" and p.node.value == 2) and (p.parent.op in ("pow", "add", "mul", "div"))
    ]
    if not found:
        return None
    place = e.dice.pick(found)
    if place.level == "exponent":
        value = place.node.value
        new = e.b.parameter(EXPONENTS, "interval", (0.3 * abs(value), min(3.0, 2.0 * abs(value))), (0.0, 3.0))
        return e.replaced(place, neg(new) if value < 0 else new)
    kind = "positive" if place.node.value > 0 else "real"
    return e.replaced(place, e.b.parameter(("o", "t"), "positive" if kind == "positive" else "real"))


def soften(e: Edit) -> Draft | None:
    """A bowl (...)^2 that becomes flat far away, 1 - exp(-u^2), or linear, softplus(u) + softplus(-u)."""
    found = [p for p in e.places(("pow",), varies=True) if p.node.args[1] == num(2)]
    if not found:
        return None
    place = e.dice.pick(found)
    u = mul(e.b.parameter(("l", "p"), "positive", (0.1, 3.0)), place.node.args[0])
    flat = e.dice.chance(0.5)
    return e.replaced(place, one_minus_exp(square(u)) if flat else add(call("softplus", u), call("softplus", neg(u))))


# -- specialise -------------------------------------------------------------------------------------------------------


def specialise(e: Edit) -> Draft | None:
    """One parameter less: a shift, slope or factor disappears, an exponent becomes 1 or 1/2, a break goes."""
    return attempt(e, [(drop_parameter, 3.0), (fix_exponent, 1.5), (unbend, 1.0)])


def drop_parameter(e: Edit) -> Draft | None:
    """x + s -> x, a + u log y -> a, c x -> x."""
    found = []
    for p in e.places(("add", "mul")):
        for k, part in enumerate(p.node.args):
            rest = without(p.node.args, k)
            lone = part.op == "par" or (part.op == "neg" and part.args[0].op == "par")
            if (lone and any(map(varies, rest))) or (p.level == "exponent" and any(map(varies, p.node.args))):
                found.append((p, rest))
    if not found:
        return None
    place, rest = e.dice.pick(found)
    return e.replaced(place, joined(place.node.op, rest))


def fix_exponent(e: Edit) -> Draft | None:
    found = [p for p in e.places(("par",), ("exponent",)) if p.parent is not None and p.parent.op in ("pow", "neg")]
    if not found:
        return None
    return e.replaced(e.dice.pick(found), num(e.dice.pick((1.0, 0.5))))


def unbend(e: Edit) -> Draft | None:
    """A factor exp(...), 1 + ... or 1 / (...) goes."""
    found = []
    for p in e.places(("mul",), varies=True):
        for k, part in enumerate(p.node.args):
            rest = without(p.node.args, k)
            if part.op in ("exp", "add", "div") and varies(part) and any(map(varies, rest)):
                found.append((p, rest))
    if not found:
        return None
    place, rest = e.dice.pick(found)
    return e.replaced(place, times(*rest))


# -- variables --------------------------------------------------------------------------------------------------------


def change_var(e: Edit) -> Draft | None:
    """Another variable in one place, in one term, or two variables exchanged throughout."""
    found = leaves(e)
    if not found:
        return None
    place, view = e.dice.pick(found)
    like = [v for v in e.profile.views if v.positive == view.positive and v.log == view.log]
    others = [v for v in like if v.symbol != view.symbol]
    if not others:
        return swap_logs(e, place, view)
    other = e.dice.pick(others)
    scope = e.dice.pick(("leaf", "term", "exchange"), (1.0, 1.0, 0.7))
    if scope == "leaf":
        return e.replaced(place, var(other.symbol))
    if scope == "term":
        top = place.path[:1] if e.expr.op == "add" else ()
        term = _node(e.expr, top)
        moved = transform(term, lambda n: var(other.symbol) if n == place.node else n)
        return e.replaced(next(p for p in e.places() if p.path == top), moved)
    if other.symbol not in scalars_in(e.expr):
        return None
    a, b = place.node, var(other.symbol)
    return e.done(transform(e.expr, lambda n: b if n == a else a if n == b else n))


def swap_logs(e: Edit, place: Place, view: View) -> Draft | None:
    """log x -> log y where one of them is a column that already is a logarithm."""
    other = e.another((view.symbol,))
    if other is None or not view.loggable:
        return None
    old, new = log_of(view), log_of(other)
    found = [p for p in e.places((old.op,)) if p.node == old and (view.log or p.level != "quantity")]
    return e.replaced(e.dice.pick(found), new) if found else None


def effective_var(e: Edit) -> Draft | None:
    """An effective quantity (repeats, boosts, caps) in place of a variable, in one place or in all."""
    found = leaves(e, positive=True)
    dice = e.dice
    if not found:
        return None
    place, view = dice.pick(found)
    among = [
        c for c in e.library.choices["effective"]
        if c.variables[0] is view or (c.motif.slots == "ud" and view in c.variables)
    ]
    choice = e.library.pick("effective", dice, e.bias, among, e.budget)
    if choice is None:
        return None
    new = choice.build(e.b)
    if dice.chance(0.3):
        return e.done(transform(e.expr, lambda n: new if n == place.node else n))
    return e.replaced(place, new)


def insert_shift(e: Edit) -> Draft | None:
    """x -> x + s in a power or logarithm; L -> L - m for a column that is a logarithm; any power's base -> base + s."""
    found = [(p, v) for p, v in leaves(e) if (v.positive or v.low >= 0 or v.log) and not shifted(e, p)]
    bases = [
        p for p in e.places(levels=("quantity",), varies=True)
        if p.parent is not None and p.parent.op in ("pow", "log") and not has_shift(p.node)
    ]
    if bases and (not found or e.dice.chance(0.2)):
        place = e.dice.pick(bases)
        return e.replaced(place, plus(place.node, e.b.parameter(("s", "t"), "positive")))
    if not found:
        return None
    place, view = e.dice.pick(found)
    if view.log:
        return e.replaced(place, sub(place.node, e.b.location(view)))
    return e.replaced(place, plus(place.node, e.b.shift(view)))


def shifted(e: Edit, p: Place) -> bool:
    """Whether a leaf stands in a sum that has a shift, with or without a sign before it."""
    if p.parent is not None and p.parent.op == "neg":
        return len(p.path) > 1 and has_shift(_node(e.expr, p.path[:-2]))
    return has_shift(p.parent)


def has_shift(e: Expr | None) -> bool:
    """Whether a sum already has a summand without variables."""
    return e is not None and e.op == "add" and not all(map(varies, e.args))


# -- functions --------------------------------------------------------------------------------------------------------


def change_op(e: Edit) -> Draft | None:
    """A function, product or sum becomes its relative."""
    ways = [(exchange_function, 2.0), (product_or_sum, 1.0), (power_or_exponential, 1.0), (soft_extreme, 0.7)]
    return attempt(e, ways)


RELATIVES = {
    "sigmoid": ("tanh", "softplus", "exp"), "tanh": ("sigmoid",), "softplus": ("exp", "sigmoid"),
    "exp": ("softplus", "sigmoid"), "smoothmin": ("smoothmax",), "smoothmax": ("smoothmin",),
}


def exchange_function(e: Edit) -> Draft | None:
    found = e.places(tuple(RELATIVES), varies=True)
    if not found:
        return None
    place = e.dice.pick(found)
    node = place.node
    if node.op == "exp" and node.args[0].op == "neg" and e.dice.chance(0.5):
        return e.replaced(place, div(num(1), one_plus(node.args[0].args[0])))
    return e.replaced(place, call(e.dice.pick(RELATIVES[node.op]), *node.args))


def product_or_sum(e: Edit) -> Draft | None:
    """f g -> f + g, or f + g -> f g, for two varying parts."""
    found = [p for p in e.places(("mul", "add"), ("response", "quantity"), True) if sum(map(varies, p.node.args)) >= 2]
    if not found:
        return None
    place = e.dice.pick(found)
    varying = [x for x in place.node.args if varies(x)]
    fixed = [x for x in place.node.args if not varies(x)]
    if place.node.op == "mul":
        k = e.dice.pick(range(len(varying)))
        return e.replaced(place, plus(times(*fixed, *without(varying, k)), mul(e.b.amplitude(), varying[k])))
    i, j = e.dice.shuffled(range(len(varying)))[:2]
    rest = [x for k, x in enumerate(varying) if k not in (i, j)]
    bodies = [f for f in factors(varying[j]) if varies(f)]
    return e.replaced(place, plus(*fixed, *rest, times(varying[i], *bodies)))


def power_or_exponential(e: Edit) -> Draft | None:
    """x^-a -> exp(-x / S), or its limit log x."""
    found = []
    for p in e.places(("pow",), ("response", "quantity"), True):
        view = e.view(p.node.args[0].name) if p.node.args[0].op == "var" else None
        if view is not None and view.positive:
            found.append((p, view))
    if not found:
        return None
    place, view = e.dice.pick(found)
    if place.level == "response" and e.dice.chance(0.5):
        return e.replaced(place, log_of(view))
    return e.replaced(place, call("exp", neg(div(var(view.symbol), e.b.scale(view)))))


def soft_extreme(e: Edit) -> Draft | None:
    """Two terms: their smooth maximum or minimum instead of their sum."""
    parts = summands(e.expr)
    varying = [k for k, part in enumerate(parts) if varies(part)]
    if len(varying) < 2:
        return None
    i, j = e.dice.shuffled(varying)[:2]
    rest = [x for k, x in enumerate(parts) if k not in (i, j)]
    sharp = e.b.parameter(("l", "p"), "positive", (1.0 / e.profile.spread, 30.0 / e.profile.spread))
    return e.done(plus(*rest, call(e.dice.pick(("smoothmax", "smoothmin")), parts[i], parts[j], sharp)))


def wrap(e: Edit) -> Draft | None:
    """A term, or all terms together, inside a function."""
    parts = summands(e.expr)
    varying = [k for k, part in enumerate(parts) if varies(part)]
    if not varying:
        return None
    chosen = varying if e.dice.chance(0.4) else [e.dice.pick(varying)]
    body = plus(*(parts[k] for k in chosen))
    rest = [x for k, x in enumerate(parts) if k not in chosen]
    shape = e.dice.pick(("pow", "log1p", "saturate", "tanh", "inverse", "softplus"), (2.0, 1.0, 1.0, 1.0, 1.0, 0.7))
    amplitude = e.b.amplitude(signed=shape in ("tanh", "inverse"))
    new = {
        "pow": lambda: power(body, e.b.exponent(start=(0.3, 2.0))),
        "log1p": lambda: times(amplitude, call("log", one_plus(body))),
        "saturate": lambda: times(amplitude, one_minus_exp(body)),
        "tanh": lambda: times(amplitude, call("tanh", body)),
        "inverse": lambda: div(amplitude, one_plus(body)),
        "softplus": lambda: times(amplitude, call("softplus", body)),
    }[shape]()
    return e.done(plus(*rest, new))
