"""What a law's parts are: the axes of its parameters, the size of its tree, names that are free to use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sldagent.errors import LawError
from sldagent.laws.expr import TARGET_INDEX, Expr, walk
from sldagent.laws.lexical import RESERVED
from sldagent.laws.program import Law


def expressions(law: Law) -> Iterator[Expr]:
    """The law's expression, then every element of its named vectors."""
    yield law.expr
    for _, elements in law.vectors:
        yield from elements


def parameter_axes(law: Law) -> dict[str, tuple[str, ...]]:
    """What each parameter's axes run over, in the order of `law.parameters`.

    An axis is ``"i"`` (the target) or the name of a vector; scalars have no axes.  Raises `LawError` where
    a parameter is used with different axes, is not declared, or where an index is not bound.
    """
    axes: dict[str, tuple[str, ...]] = {}
    for root in expressions(law):
        stack: list[tuple[Expr, Mapping[str, str]]] = [(root, {TARGET_INDEX: TARGET_INDEX})]
        while stack:
            e, bound = stack.pop()
            if e.op == "par":
                try:
                    found = tuple(bound[k] for k in e.index)
                except KeyError as unbound:
                    raise LawError(f"parameter {e.name!r} has the index {unbound}, which no sum binds") from None
                if axes.setdefault(e.name, found) != found:
                    raise LawError(f"parameter {e.name!r} is used with axes {found} and {axes[e.name]}")
            elif e.op == "sum":
                bound = {**bound, e.name: e.over}
            stack.extend((a, bound) for a in e.args)
    missing = [name for name in axes if name not in {p.name for p in law.parameters}]
    if missing:
        raise LawError(f"parameter {missing[0]!r} is used by the law but not declared")
    return {p.name: axes.get(p.name, ()) for p in law.parameters}


def parameter_index(law: Law) -> dict[str, tuple[str, ...]]:
    """The index names each parameter is first used with, in the order of `law.parameters`."""
    found: dict[str, tuple[str, ...]] = {}
    for root in expressions(law):
        for e in walk(root):
            if e.op == "par":
                found.setdefault(e.name, e.index)
    return {p.name: found.get(p.name, ()) for p in law.parameters}


def free_indices(e: Expr) -> frozenset[str]:
    """Index names that occur in `e` and are not bound by a sum inside it (the target's index included)."""
    if not e.args:
        return frozenset(e.index)
    inner = frozenset[str]().union(*(free_indices(a) for a in e.args))
    return inner - {e.name} if e.op == "sum" else inner


def vector_lengths(law: Law, sizes: Mapping[str, int]) -> dict[str, int]:
    """Length of every vector: the task's (`sizes`) and the law's own."""
    return {**sizes, **{name: len(elements) for name, elements in law.vectors}}


def uses_targets(law: Law) -> bool:
    """Whether the law depends on which target it predicts."""
    return any(TARGET_INDEX in e.index for root in expressions(law) for e in walk(root))


def node_count(e: Expr) -> int:
    """Number of nodes, repeated sub-trees counted each time."""
    return sum(1 for _ in walk(e))


def tree_depth(e: Expr) -> int:
    """Nodes on the longest way from the root to a leaf; safe on trees of any depth."""
    deepest, stack = 0, [(e, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((a, depth + 1) for a in node.args)
    return deepest


def law_names(law: Law) -> frozenset[str]:
    """Every name a law uses: variables, parameters, vectors and bound indices."""
    bound = {e.name for root in expressions(law) for e in walk(root) if e.op == "sum"}
    return frozenset((*law.variables, *(p.name for p in law.parameters), *(name for name, _ in law.vectors), *bound))


def fresh_parameter_names(taken: Collection[str], stem: str) -> Iterator[str]:
    """Endless names ``stem, stem2, stem3, ...`` that are neither taken nor reserved by the language."""
    count = 1
    while True:
        name = stem if count == 1 else f"{stem}{count}"
        if name not in taken and name not in RESERVED:
            yield name
        count += 1
