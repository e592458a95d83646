"""Operators on sums and their terms."""

from __future__ import annotations

from collections.abc import Sequence

from sldagent.laws.expr import Expr, call, mul, neg, num, power
from sldagent.proposers.grammar.compose import fresh_law
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.motifs import Choice
from sldagent.proposers.grammar.motifs.motif import Form
from sldagent.proposers.grammar.operators.edit import Edit, plus, times, without
from sldagent.proposers.grammar.tree import Place, factors, parameters_in, scalars_in, split, summands, varies


def response_sum(e: Edit) -> Place:
    """The sum that most terms are added to: the root, or now and then another sum at the response level."""
    sums = e.places(("add",), ("response",), True)
    root = next(p for p in e.places() if not p.path)
    return e.dice.pick(sums) if sums and e.dice.chance(0.15) else root


def add_term(e: Edit) -> Draft | None:
    """One more motif in a sum; a floor where there is none; a summand inside an exponential."""
    logs = [
        p for p in e.places(("add", "mul", "neg"), ("logs",), True)
        if p.parent is None or p.parent.op not in ("mul", "add", "neg")
    ]
    if logs and e.library.choices["exponent"] and e.dice.chance(0.3):
        place = e.dice.pick(logs)
        choice = e.library.pick("exponent", e.dice, e.bias, unused(e, "exponent"), e.budget)
        return None if choice is None else e.replaced(place, plus(place.node, choice.build(e.b)))
    place = response_sum(e)
    floor, _ = split(place.node)
    if not floor and not place.path and e.dice.chance(0.3):
        return e.replaced(place, plus(e.b.floor(), place.node))
    choice = e.library.pick("term", e.dice, e.bias, unused(e, "term"), e.budget)
    return None if choice is None else e.replaced(place, plus(place.node, choice.build(e.b)))


def unused(e: Edit, form: Form) -> list[Choice] | None:
    """Mostly: motifs over at least one variable that the law does not use yet."""
    rest = e.library.symbols - set(e.draft.used().variables)
    if rest and e.dice.chance(0.7):
        return e.library.covering(form, rest) or None
    return None


def swap_motif(e: Edit) -> Draft | None:
    """Another motif over the same variables in place of one term."""
    place = response_sum(e)
    parts = summands(place.node)
    candidates = [k for k, part in enumerate(parts) if varies(part)]
    if not candidates:
        return None
    k = e.dice.pick(candidates)
    used = frozenset(e.library.symbols & set(names_in(e, parts[k])))
    among = e.library.over("term", used, exactly=e.dice.chance(0.7)) or e.library.over("term", used)
    choice = e.library.pick("term", e.dice, e.bias, among, e.budget + len(parameters_in(parts[k])))
    if choice is None:
        return None
    return e.replaced(place, plus(*parts[:k], choice.build(e.b), *parts[k + 1 :]))


def names_in(e: Edit, part: Expr) -> tuple[str, ...]:
    """Variables in a part, those of the law's named vectors included."""
    found: dict[str, None] = {}
    for name in scalars_in(part):
        elements = e.draft.vectors.get(name)
        for symbol in (name,) if elements is None else (s for x in elements for s in scalars_in(x)):
            found[symbol] = None
    return tuple(found)


def drop_term(e: Edit) -> Draft | None:
    """One summand or factor less."""
    found = []
    for p in e.places(("add", "mul")):
        for k in range(len(p.node.args)):
            rest = without(p.node.args, k)
            if any(varies(x) for x in rest) or (p.level == "exponent" and rest):
                found.append((p, rest))
    if not found:
        return None
    weights = [3.0 if p.node.op == "add" and p.level == "response" else 1.0 for p, _ in found]
    place, rest = e.dice.pick(found, weights)
    return e.replaced(place, joined(place.node.op, rest))


def joined(op: str, parts: Sequence[Expr]) -> Expr:
    """Sum (``add``) or product (``mul``) of the parts."""
    return plus(*parts) if op == "add" else times(*parts)


def hoist(e: Edit) -> Draft | None:
    """A function or power gives way to its argument; a quotient to its numerator."""
    inside: list[tuple[Place, Expr]] = []
    for p in e.places(varies=True):
        if p.node.op in ("add", "mul", "var", "sum", "neg"):
            continue
        inside += [(p, a) for a in p.node.args[:2] if varies(a) and a.op != "var"]
    if not inside:
        return None
    place, inner = e.dice.pick(inside)
    return e.replaced(place, inner)


def interact(e: Edit) -> Draft | None:
    """A term times a power of another variable, or a joint term of two terms that the law has."""
    place = next(p for p in e.places() if not p.path)
    parts = summands(place.node)
    terms = [k for k, part in enumerate(parts) if varies(part)]
    if not terms:
        return None
    if len(terms) >= 2 and e.dice.chance(0.4):
        first, second = (parts[k] for k in e.dice.shuffled(terms)[:2])
        bodies = [f for t in (first, second) for f in factors(t) if varies(f)]
        return e.done(plus(*parts, times(e.b.amplitude(), *bodies)))
    k = e.dice.pick(terms)
    view = e.another(names_in(e, parts[k])) or e.another(())
    if view is None:
        return None
    factor = e.b.powered(view)
    if e.profile.vectors and e.dice.chance(0.3):
        r = e.dice.pick(e.profile.vectors)
        weight, share = e.b.array(r.symbol, "real", (-1.0, 1.0))
        factor = call("exp", Expr("sum", (mul(weight, share),), name="j", over=r.symbol))
    return e.done(plus(*parts[:k], times(parts[k], factor), *parts[k + 1 :]))


def rotate(e: Edit) -> Draft | None:
    """Two terms become one group: their sum to a power, a term times one plus the other, or a common factor."""
    sums = [p for p in e.places(("add",), ("response", "quantity"), True) if sum(map(varies, p.node.args)) >= 2]
    if not sums:
        return None
    place = e.dice.pick(sums)
    varying = [k for k, part in enumerate(place.node.args) if varies(part)]
    i, j = e.dice.shuffled(varying)[:2]
    first, second = place.node.args[i], place.node.args[j]
    rest = tuple(x for k, x in enumerate(place.node.args) if k not in (i, j))
    shape = e.dice.pick(("power", "product", "amplitude"), (1.0, 1.0, 1.0))
    if shape == "power":
        new = power(plus(first, second), e.b.exponent(start=(0.3, 2.0)))
    elif shape == "product":
        new = times(first, plus(num(1), second))
    else:
        bodies = [f for f in factors(second) if varies(f)]
        new = times(plus(first, e.b.amplitude()), *bodies)
    return e.replaced(place, plus(*rest, new))


def outer(e: Edit) -> Draft | None:
    """The response as a function of what was the response: exp, power, logistic; or the way back."""
    floor, terms = split(e.expr)
    if not terms:
        return None
    if len(terms) == 1 and terms[0].op in ("exp", "sigmoid", "tanh", "softplus", "pow") and e.dice.chance(0.4):
        return e.done(plus(*floor, terms[0].args[0]))
    body = plus(*terms)
    freed = loosened(e, body)
    shape = e.dice.pick(("exp", "neg-exp", "sigmoid", "power", "log"), (2.0, 1.0, 2.0, 1.0, 0.7))
    if shape == "power":
        return e.done(plus(*floor, power(body, e.b.exponent(start=(0.3, 2.0)))))
    if shape == "log":
        return e.done(plus(*floor, times(e.b.amplitude(signed=True), call("log", plus(num(1), body)))))
    inner = plus(e.b.parameter(("o", "u"), "real", (-3.0, 3.0)), neg(body) if shape == "neg-exp" else body)
    if shape == "sigmoid":
        if e.profile.bounds == (0.0, 1.0):
            return freed.done(call("sigmoid", inner))
        if e.profile.bounds == (-1.0, 0.0):
            return freed.done(neg(call("sigmoid", inner)))
        return freed.done(plus(*floor, times(e.b.amplitude(signed=True), call("sigmoid", inner))))
    return freed.done(plus(*floor, call("exp", inner)))


def loosened(e: Edit, body: Expr) -> Edit:
    """Amplitudes of the body become real: inside an exponential their sign means nothing."""
    for part in summands(body):
        for f in factors(part):
            if f.op == "par" and e.draft.parameters.get(f.name) and e.draft.parameters[f.name].kind == "positive":
                e = e.redeclared(f.name, kind="real", start=None)
    return e


def randomize(e: Edit) -> Draft | None:
    """A fresh law."""
    return e.done(fresh_law(e.library, e.b, e.bias))


def regroup_floor(e: Edit) -> Draft | None:
    """The floor moves: into a product, or out of it."""
    floor, terms = split(e.expr)
    if not terms:
        return None
    if not floor:
        return e.done(plus(e.b.floor(), *terms))
    if len(terms) >= 2:
        k = e.dice.pick(range(len(terms)))
        return e.done(times(plus(*floor, *without(terms, k)), plus(num(1), terms[k])))
    return e.done(plus(*terms)) if parameters_in(e.expr) else None


