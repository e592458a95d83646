"""A law with its fitted values as SymPy source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sldagent.export.code import Dialect, comment, fresh, lines, literal
from sldagent.export.document import check_document, document_parameters
from sldagent.laws.expr import TARGET_INDEX, Expr, add, num, var
from sldagent.laws.program import Law

_TAKEN = ("sp", "LAWS", "sum", "range", "len")


def sympy_source(document: Mapping[str, Any]) -> str:
    """A Python snippet that defines ``LAWS``: group -> SymPy expression (several targets: group -> target ->
    expression).

    Fitted values are inside the expressions and sums are written out.  Scale variables are declared positive,
    others real.
    """
    law = check_document(document, "the law").law
    symbols = fresh([v["symbol"] for v in document["variables"]], _TAKEN)
    dialect = Dialect(_sympy_call, lambda e: symbols[e.name], lambda e: e.name, str, str, scalar="sp.Float")
    out = [
        f'"""Scaling law {comment(document["law"])} of the task {comment(document["task"])}, by group.',
        "",
        f"    {comment(document['formula'])}",
        '"""',
        "",
        "import sympy as sp",
        "",
    ]
    for v in document["variables"]:
        kind = "real" if v.get("log") or v["role"] != "scale" else "positive"
        out.append(f"{symbols[v['symbol']]} = sp.Symbol({literal(v['symbol'])}, {kind}=True)")
    out += ["", "LAWS = {"]
    targets = [t["name"] for t in document["targets"]]
    for g, group in enumerate(document["groups"]):
        if len(targets) == 1:
            out += _entry(group, _valued(document, law, g, 0), dialect, "    ")
            continue
        out.append(f"    {literal(group)}: {{")
        for i, target in enumerate(targets):
            out += _entry(target, _valued(document, law, g, i), dialect, "        ")
        out.append("    },")
    return "\n".join([*out, "}"]) + "\n"


def _entry(key: str, e: Expr, dialect: Dialect, indent: str) -> list[str]:
    body = lines(e, dialect, f"{literal(key)}: ", indent)
    return [*body[:-1], f"{body[-1]},"]


def _valued(document: Mapping[str, Any], law: Law, group: int, target: int) -> Expr:
    """The law of one group and target: parameters replaced by numbers, sums and vectors written out."""
    values = document_parameters(document)
    vectors: dict[str, list[Expr]] = {
        name: [var(s) for s in members] for name, members in document["vectors"].items()
    }

    def valued(e: Expr, at: Mapping[str, int]) -> Expr:
        if e.op == "par":
            of = values[e.name]
            return num(float(of[(group if len(of) > 1 else 0, *(at[k] for k in e.index))]))
        if e.op == "var" and e.index:
            return vectors[e.name][at[e.index[0]]]
        if e.op == "sum":
            terms = [valued(e.args[0], {**at, e.name: k}) for k in range(len(vectors[e.over]))]
            return add(*terms)
        args = [valued(a, at) for a in e.args]
        if e.op == "add":  # the terms of a sum stand beside the others
            args = [term for a in args for term in (a.args if a.op == "add" else (a,))]
        return replace(e, args=tuple(args))

    start = {TARGET_INDEX: target}
    for name, items in law.vectors:
        vectors[name] = [valued(item, start) for item in items]
    return valued(law.expr, start)


def _sympy_call(name: str, arguments: tuple[str, ...]) -> str:
    x = arguments[0]
    if name == "sigmoid":
        return f"(1 / (1 + sp.exp(-({x}))))"
    if name == "softplus":
        return f"sp.log(1 + sp.exp({x}))"
    if name == "logaddexp":
        return f"sp.log(sp.exp({x}) + sp.exp({arguments[1]}))"
    if name in ("smoothmin", "smoothmax"):
        y, s = arguments[1:]
        sign = "-" if name == "smoothmin" else ""
        return f"({sign}sp.log(sp.exp({sign}({x}) * ({s})) + sp.exp({sign}({y}) * ({s}))) / ({s}))"
    return f"sp.{name}({', '.join(arguments)})"
