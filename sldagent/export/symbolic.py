"""A law with its fitted values as SymPy source and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from sldagent.export.code import Dialect, comment, fresh, lines, literal
from sldagent.export.document import check_document, document_parameters
from sldagent.laws.expr import TARGET_INDEX, Expr, add, num, var
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.program import Law
from sldagent.laws.views import latex_name, to_latex

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


def latex_source(document: Mapping[str, Any]) -> str:
    """The formula in an ``align*`` environment and a ``tabular`` of the fitted values, one row per group and
    target.
    """
    law = check_document(document, "the law").law
    targets = [t["name"] for t in document["targets"]]
    left = rf"\text{{{_escape(targets[0])}}}" if len(targets) == 1 else r"L_i"
    out = [f"% Scaling law {comment(document['law'])} of the task {comment(document['task'])}"]
    if len(targets) > 1:
        out.append("% i is the target: " + ", ".join(f"{k + 1} {comment(t)}" for k, t in enumerate(targets)))
    out += [r"\begin{align*}", f"  {left} &= {to_latex(law)}", r"\end{align*}", ""]
    heads, rows = _table(document, law)
    if heads:
        first = ["group", *(["target"] if len(targets) > 1 else [])]
        out.append(rf"\begin{{tabular}}{{{'l' * len(first)}{'r' * len(heads)}}}")
        out += ["  " + " & ".join([*first, *(f"${h}$" for h in heads)]) + r" \\", r"  \hline"]
        out += ["  " + " & ".join(row) + r" \\" for row in rows]
        out.append(r"\end{tabular}")
    return "\n".join(out) + "\n"


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


def _table(document: Mapping[str, Any], law: Law) -> tuple[list[str], list[list[str]]]:
    """Column heads (LaTeX) and rows of the table of fitted values."""
    values, axes = document_parameters(document), parameter_axes(law)
    inner = {name: [a for a in names if a != TARGET_INDEX] for name, names in axes.items()}
    lengths = {n: len(m) for n, m in document["vectors"].items()} | {
        n: len(items) for n, items in law.vectors
    }
    columns = [
        (p.name, place)
        for p in law.parameters
        for place in product(*(range(lengths[a]) for a in inner[p.name]))
    ]
    heads = [latex_name(name, tuple(str(k + 1) for k in place)) for name, place in columns]
    rows = []
    targets = [t["name"] for t in document["targets"]]
    for g, group in enumerate(document["groups"]):
        for i, target in enumerate(targets):
            cells = [_escape(group), *([_escape(target)] if len(targets) > 1 else [])]
            for name, place in columns:
                rest = iter(place)
                at = tuple(i if axis == TARGET_INDEX else next(rest) for axis in axes[name])
                cells.append(_number(float(values[name][(g if len(values[name]) > 1 else 0, *at)])))
            rows.append(cells)
    return heads, rows


def _number(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"${value:g}$"
    power = int(np.floor(np.log10(abs(value))))
    if -4 <= power < 6:
        return f"${value:.6g}$"
    return rf"${value / 10.0**power:.5f} \times 10^{{{power}}}$"


_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _escape(text: str) -> str:
    """The text for LaTeX's text mode: special characters escaped, anything without a shape left out."""
    return "".join(_ESCAPES.get(c, c) for c in text if c.isprintable())
