"""Rename or replace the variables and parameters of a law."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sldagent.errors import LawError
from sldagent.laws.expr import Expr, names, transform, walk
from sldagent.laws.inspect import expressions
from sldagent.laws.program import Law


def rename_variables(law: Law, mapping: Mapping[str, Expr | str]) -> Law:
    """The law with variables replaced by other names or by expressions, all at once (swaps work).

    A vector can only get another name, which its sums follow.  Parameters in a replacement must be the
    law's own: add their declarations first.  Raises `LawError` for an expression in place of a vector, an
    undeclared parameter, and a name that collides with a parameter, named vector or bound index of the law.
    """
    vectors = {name for root in expressions(law) for e in walk(root) for name in _vector_uses(e)}
    for name, new in mapping.items():
        if name in vectors and not isinstance(new, str):
            raise LawError(f"{name!r} is a vector; it can be renamed but not replaced by an expression")
    taken = {p.name for p in law.parameters} | {name for name, _ in law.vectors}
    taken |= {e.name for root in expressions(law) for e in walk(root) if e.op == "sum"}
    own = {name for name, _ in law.vectors}

    def swap(e: Expr) -> Expr:
        if e.op == "var" and e.name in mapping and e.name not in own:
            new = mapping[e.name]
            return replace(e, name=new) if isinstance(new, str) else new
        if e.op == "sum" and e.over in mapping and e.over not in own:
            return replace(e, over=str(mapping[e.over]))
        return e

    variables: dict[str, None] = {}
    for name in law.variables:
        new = mapping.get(name, name)
        variables.update(dict.fromkeys((new,) if isinstance(new, str) else names(new, "var")))
    for name in variables:
        if name in taken:
            raise LawError(f"variable {name!r} is also a parameter, vector or index of the law; rename that first")
    declared = {p.name for p in law.parameters}
    for new in mapping.values():
        for name in () if isinstance(new, str) else names(new, "par"):
            if name not in declared:
                raise LawError(f"parameter {name!r} of a replacement is not declared in the law")
    return _mapped(law, swap, variables=tuple(variables))


def rename_parameters(law: Law, mapping: Mapping[str, str]) -> Law:
    """The law with parameters renamed, all at once.  Raises `LawError` where two would share a name or a
    name is taken.
    """
    renamed = tuple(replace(p, name=mapping.get(p.name, p.name)) for p in law.parameters)
    taken = [*(p.name for p in renamed), *law.variables, *(name for name, _ in law.vectors)]
    double = next((name for name in taken if taken.count(name) > 1), None)
    if double is not None:
        raise LawError(f"the name {double!r} would stand for two things in the law")

    def swap(e: Expr) -> Expr:
        return replace(e, name=mapping[e.name]) if e.op == "par" and e.name in mapping else e

    return replace(_mapped(law, swap, variables=law.variables), parameters=renamed)


def _vector_uses(e: Expr) -> tuple[str, ...]:
    if e.op == "sum":
        return (e.over,)
    return (e.name,) if e.op == "var" and e.index else ()


def _mapped(law: Law, f: Callable[[Expr], Expr], variables: tuple[str, ...]) -> Law:
    return replace(
        law,
        variables=variables,
        expr=transform(law.expr, f),
        vectors=tuple((name, tuple(transform(e, f) for e in elements)) for name, elements in law.vectors),
    )
