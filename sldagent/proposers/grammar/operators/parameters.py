"""Operators on parameters, named vectors and the fit recipe."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sldagent.laws.expr import TARGET_INDEX, Expr, call, mul, par, power, transform, walk
from sldagent.laws.program import Recipe
from sldagent.proposers.grammar.build import EXPONENTS, SLOPES, log_of, square
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.operators.edit import Edit, plus, times, without
from sldagent.proposers.grammar.operators.local import attempt
from sldagent.proposers.grammar.operators.sums import names_in
from sldagent.proposers.grammar.profile import View
from sldagent.proposers.grammar.tree import Place, put, varies


def constant_to_function(e: Edit) -> Draft | None:
    """A constant depends on a variable: c + u log x in exponents and centres, c x^u or c + B x^-a elsewhere."""
    found = [p for p in e.places(("par",)) if p.parent is not None and p.parent.op != "sum"]
    if not found:
        return None
    place = e.dice.pick(found)
    view = e.another(_surroundings(e, place)) or e.another(())
    if view is None:
        return None
    parent = place.parent.op if place.parent is not None else ""
    if place.level == "exponent" or (place.level == "logs" and parent in ("add", "neg")):
        size = 0.05 if place.level == "exponent" else 0.5
        return e.replaced(place, plus(place.node, mul(e.b.slope(view, size), log_of(view))))
    if place.level == "logs" and parent == "mul" and e.dice.chance(0.5):
        return e.replaced(place, plus(place.node, mul(e.b.slope(view, 0.05), log_of(view))))
    if e.dice.chance(0.35):
        return e.replaced(place, plus(place.node, mul(e.b.amplitude(), e.b.powered(view))))
    return e.replaced(place, times(place.node, signed_power(e, view)))


def signed_power(e: Edit, view: View) -> Expr:
    """x^u with an exponent of either sign."""
    u = e.b.parameter(EXPONENTS, "real", (-0.5, 0.5))
    return call("exp", mul(u, log_of(view))) if view.log else power(log_of(view).args[0], u)


def _surroundings(e: Edit, place: Place) -> tuple[str, ...]:
    """Variables of the smallest product or power around a place."""
    node, found = e.expr, e.expr
    for k in place.path:
        if node.op in ("mul", "pow", "div") and varies(node):
            found = node
        node = node.args[k]
    return names_in(e, found)


def tie(e: Edit) -> Draft | None:
    """Two parameters of one kind become one; a parameter becomes the same for all groups, or for all targets."""
    return attempt(e, [(tie_two, 2.0), (share_over_groups, 1.0), (share_over_targets, 0.3)])


def tie_two(e: Edit) -> Draft | None:
    kinds: dict[tuple[object, ...], list[str]] = {}
    for place in e.places(("par",)):
        p = e.draft.parameters[place.node.name]
        standing = place.parent.op if place.parent is not None else ""
        names = kinds.setdefault((p.kind, p.lower, p.upper, p.scope, place.level, place.node.index, standing), [])
        if p.name not in names:
            names.append(p.name)
    groups = [names for names in kinds.values() if len(names) >= 2]
    if not groups:
        return None
    kept, gone = e.dice.shuffled(e.dice.pick(groups))[:2]
    return e.done(transform(e.expr, lambda n: replace(n, name=kept) if n.op == "par" and n.name == gone else n))


def share_over_groups(e: Edit) -> Draft | None:
    """One value for all groups: shapes first, for amplitudes and floors differ most."""
    if e.profile.groups < 2:
        return None
    own = {p.node.name: p.level for p in e.places(("par",)) if e.draft.parameters[p.node.name].scope == "group"}
    if not own:
        return None
    names = list(own)
    name = e.dice.pick(names, [0.3 if own[n] == "response" else 1.0 for n in names])
    return e.redeclared(name, scope="shared").draft


def share_over_targets(e: Edit) -> Draft | None:
    """One value for all targets."""
    if e.profile.targets < 2:
        return None
    names = sorted({p.node.name for p in e.places(("par",)) if p.node.index == (TARGET_INDEX,)} - in_vectors(e))
    if not names:
        return None
    name = e.dice.pick(names)
    return e.done(transform(e.expr, lambda n: par(name) if n.op == "par" and n.name == name else n))


def untie(e: Edit) -> Draft | None:
    """A parameter used twice becomes two; a shared one gets a value per group, or per target."""
    return attempt(e, [(untie_two, 2.0), (own_per_group, 1.0), (own_per_target, 0.5)])


def untie_two(e: Edit) -> Draft | None:
    found = e.places(("par",))
    counts = Counter(p.node.name for p in found)
    twice = [p for p in found if counts[p.node.name] > 1]
    if not twice:
        return None
    place = e.dice.pick(twice)
    old = e.draft.parameters[place.node.name]
    name = e.b.fresh((old.name.rstrip("0123456789") or old.name,))
    e.b.parameters.append(replace(old, name=name))
    return e.replaced(place, replace(place.node, name=name))


def own_per_group(e: Edit) -> Draft | None:
    used = e.draft.used().parameters
    shared = [n for n in used if e.draft.parameters[n].scope == "shared"]
    if e.profile.groups < 2 or not shared:
        return None
    return e.redeclared(e.dice.pick(shared), scope="group").draft


def in_vectors(e: Edit) -> set[str]:
    """Parameters that named vectors use."""
    return {n.name for elements in e.draft.vectors.values() for x in elements for n in walk(x) if n.op == "par"}


def own_per_target(e: Edit) -> Draft | None:
    """Only for parameters outside named vectors, whose uses all are in the expression."""
    names = sorted({p.node.name for p in e.places(("par",)) if not p.node.index})
    names = [n for n in names if n not in in_vectors(e)]
    if e.profile.targets < 2 or not names:
        return None
    name = e.dice.pick(names)
    return e.done(transform(e.expr, lambda n: par(name, TARGET_INDEX) if n.op == "par" and n.name == name else n))


def edit_vector(e: Edit) -> Draft | None:
    """One element more or less in a named vector of expressions (a monomial of a polynomial in logs)."""
    sums = [s for s in e.places(("sum",)) if s.node.over in e.draft.vectors]
    if not sums:
        return None
    name = e.dice.pick(sums).node.over
    elements = e.draft.vectors[name]
    if e.dice.chance(0.5) and len(elements) > 1:
        changed = without(elements, e.dice.pick(range(len(elements))))
    else:
        new = monomial(e)
        if new is None or new in elements:
            return None
        changed = (*elements, new)
    vectors = {**e.draft.vectors, name: changed}
    return replace(e.draft, vectors=vectors).declared(e.b)


def monomial(e: Edit) -> Expr | None:
    """A log, a square, or a product of two or three logs."""
    views = [v for v in e.profile.views if v.loggable]
    if not views:
        return None
    first, second, third = (log_of(e.dice.pick(views)) for _ in range(3))
    shape = e.dice.pick(("log", "product", "triple"), (1.0, 3.0, 0.7))
    if shape == "log":
        return first
    if shape == "triple" and len({first, second, third}) == 3:
        return mul(first, second, third)
    return square(first) if first == second else mul(first, second)


def fit_genes(e: Edit) -> Draft | None:
    """Another loss, threshold or penalty."""
    r = e.draft.recipe
    spaces = ["raw", *(["relative"] if e.profile.nonzero else []), *(["log"] if e.profile.positive else [])]
    options: list[Recipe] = []
    for space in spaces:
        unit = e.profile.spread if space == "raw" else 1.0
        options += [
            replace(r, loss="squared", space=space),  # type: ignore[arg-type]
            replace(r, loss="huber", space=space, delta=float(f"{0.02 * unit:.2g}")),  # type: ignore[arg-type]
            replace(r, loss="huber", space=space, delta=float(f"{0.002 * unit:.2g}")),  # type: ignore[arg-type]
        ]
    over = {s.node.over for s in e.places(("sum",)) if s.node.over in e.draft.vectors}
    arrays = sorted({p.node.name for p in e.places(("par",), bound=True) if p.node.index and p.bound}) if over else []
    for name in arrays:
        others = tuple(w for w in r.ridge if w[0] != name)
        options += [replace(r, ridge=(*others, (name, weight))) for weight in (1e-4, 1e-2, 1.0)]
        options.append(replace(r, ridge=others))
    options = [o for o in options if o != r]
    return replace(e.draft, recipe=e.dice.pick(options)) if options else None


def broaden(e: Edit) -> Draft | None:
    """A summand of its own for one more variable inside an exponential: exp(u) -> exp(u + v log x)."""
    outer = ("exp", "sigmoid", "tanh", "softplus")
    found = [p for p in e.places(levels=("logs",), varies=True) if p.parent is not None and p.parent.op in outer]
    if not found:
        return None
    place = e.dice.pick(found)
    view = e.another(names_in(e, place.node)) or e.another(())
    if view is None:
        return None
    new = mul(e.b.parameter(SLOPES, "real", (-0.5, 0.5)), log_of(view))
    return e.done(put(e.expr, place.path, plus(place.node, new)))
