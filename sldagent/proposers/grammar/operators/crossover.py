"""Operators on two parents."""

from __future__ import annotations

from dataclasses import replace

from sldagent.laws.expr import Expr, transform
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.operators.edit import Edit, plus
from sldagent.proposers.grammar.tree import Place, places, split


def crossover(e: Edit) -> Draft | None:
    """Terms of both parents, a part of one in the place of a like part of the other, or the law of one with the recipe
    of the other."""
    if e.other is None:
        return None
    other = renamed(e, e.other)
    way = e.dice.pick(("terms", "part", "recipe"), (5.0, 4.0, 1.0))
    if way == "recipe":
        return replace(e.draft, recipe=replace(e.other.recipe, ridge=e.draft.recipe.ridge, shrink=e.draft.recipe.shrink))
    merged = replace(
        e.draft, parameters={**other.parameters, **e.draft.parameters}, vectors={**other.vectors, **e.draft.vectors},
        recipe=replace(
            e.draft.recipe, ridge=(*e.draft.recipe.ridge, *other.recipe.ridge),
            shrink=(*e.draft.recipe.shrink, *other.recipe.shrink),
        ),
    )
    expr = mixed_terms(e, other) if way == "terms" else exchanged_part(e, other)
    return None if expr is None else merged.with_expr(expr)


def mixed_terms(e: Edit, other: Draft) -> Expr | None:
    """Floor of the first parent; each term of either with a chance of 60 %."""
    floor, mine = split(e.expr)
    their_floor, theirs = split(other.expr)
    kept = [t for t in mine if e.dice.chance(0.6)]
    taken = [t for t in theirs if e.dice.chance(0.6) and t not in kept]
    if not taken or not (mine and theirs):
        return None
    return plus(*(floor or their_floor), *kept, *taken)


def exchanged_part(e: Edit, other: Draft) -> Expr | None:
    """A varying part of the other parent in the place of one of the same level and standing."""

    def usable(root: Expr) -> list[Place]:
        return [p for p in places(root) if p.path and not p.bound and p.varies and p.node.op != "var"]

    mine, theirs = usable(e.expr), usable(other.expr)
    pairs = [
        (p, q) for p in mine for q in theirs
        if p.level == q.level and _standing(p) == _standing(q) and p.node != q.node
    ]
    if not pairs:
        return None
    place, source = e.dice.pick(pairs)
    return e.replaced(place, source.node).expr


def _standing(p: Place) -> str:
    """Whether a part is a summand, a factor or an argument."""
    return p.parent.op if p.parent is not None and p.parent.op in ("add", "mul") else "argument"


def renamed(e: Edit, other: Draft) -> Draft:
    """The other parent with parameter and vector names that clash with the first's replaced."""
    mine = {*e.draft.parameters, *e.draft.vectors}
    used = other.used()
    new: dict[str, str] = {}
    for name in (*used.parameters, *used.vectors):
        if name in mine:
            if name in other.vectors and other.vectors.get(name) == e.draft.vectors.get(name):
                continue
            new[name] = e.b.fresh((name.rstrip("0123456789") or name,))

    def swap(n: Expr) -> Expr:
        if n.op in ("par", "var") and n.name in new:
            return replace(n, name=new[n.name])
        return replace(n, over=new[n.over]) if n.op == "sum" and n.over in new else n

    return Draft(
        transform(other.expr, swap),
        {new.get(k, k): replace(p, name=new.get(k, k)) for k, p in other.parameters.items()},
        {new.get(k, k): tuple(transform(x, swap) for x in v) for k, v in other.vectors.items()},
        other.recipe.renamed(new),
    )


