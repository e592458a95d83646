"""A law with its fitted values as LaTeX and as Typst: the formula, then a table of values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from sldagent.export.code import comment
from sldagent.export.document import check_document, document_parameters
from sldagent.laws.expr import TARGET_INDEX
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.notation import LATEX, TYPST, Notation
from sldagent.laws.program import Law


def latex_source(document: Mapping[str, Any]) -> str:
    """The formula in an ``align*`` environment and a ``tabular`` of the fitted values, one row per group and
    target.
    """
    law = check_document(document, "the law").law
    left = rf"\text{{{_latex_text(_names(document)[0])}}}" if len(_names(document)) == 1 else r"L_i"
    out = [f"% {line}" for line in _about(document)]
    out += [r"\begin{align*}", f"  {left} &= {LATEX.law(law)}", r"\end{align*}", ""]
    first, heads, rows = _table(document, law, LATEX)
    if heads:
        out.append(rf"\begin{{tabular}}{{{'l' * len(first)}{'r' * len(heads)}}}")
        out += ["  " + " & ".join([*first, *(f"${h}$" for h in heads)]) + r" \\", r"  \hline"]
        for labels, values in rows:
            out.append("  " + " & ".join([*map(_latex_text, labels), *(_number(v, LATEX) for v in values)]) + r" \\")
        out.append(r"\end{tabular}")
    return "\n".join(out) + "\n"


def typst_source(document: Mapping[str, Any]) -> str:
    """The formula as a block equation and a ``#table`` of the fitted values, one row per group and target."""
    law = check_document(document, "the law").law
    left = _typst_text(_names(document)[0]) if len(_names(document)) == 1 else "L_i"
    out = [f"// {line}" for line in _about(document)]
    out += [f"$ {left} = {TYPST.law(law)} $", ""]
    first, heads, rows = _table(document, law, TYPST)
    if heads:
        align = "left, " * len(first) + "right, " * len(heads)
        out += ["#table(", f"  columns: {len(first) + len(heads)},", f"  align: ({align}),"]
        out.append("  table.header(" + ", ".join([*(f"[{f}]" for f in first), *(f"[${h}$]" for h in heads)]) + "),")
        for labels, values in rows:
            cells = [*(f"[#{_typst_text(label)}]" for label in labels), *(f"[{_number(v, TYPST)}]" for v in values)]
            out.append("  " + ", ".join(cells) + ",")
        out.append(")")
    return "\n".join(out) + "\n"


def _names(document: Mapping[str, Any]) -> list[str]:
    return [str(t["name"]) for t in document["targets"]]


def _about(document: Mapping[str, Any]) -> list[str]:
    """Comment lines: what law it is, and what the target's index counts."""
    out = [f"Scaling law {comment(document['law'])} of the task {comment(document['task'])}"]
    targets = _names(document)
    if len(targets) > 1:
        out.append("i is the target: " + ", ".join(f"{k + 1} {comment(t)}" for k, t in enumerate(targets)))
    return out


def _table(
    document: Mapping[str, Any], law: Law, notation: Notation
) -> tuple[list[str], list[str], list[tuple[list[str], list[float]]]]:
    """Heads of the label columns, of the value columns, and rows (labels, fitted values)."""
    values, axes = document_parameters(document), parameter_axes(law)
    inner = {name: [a for a in names if a != TARGET_INDEX] for name, names in axes.items()}
    lengths = {n: len(m) for n, m in document["vectors"].items()} | {n: len(items) for n, items in law.vectors}
    columns = [
        (p.name, place)
        for p in law.parameters
        for place in product(*(range(lengths[a]) for a in inner[p.name]))
    ]
    heads = [notation.name(name, tuple(str(k + 1) for k in place)) for name, place in columns]
    targets = _names(document)
    rows = []
    for g, group in enumerate(document["groups"]):
        for i, target in enumerate(targets):
            fitted = []
            for name, place in columns:
                rest = iter(place)
                at = tuple(i if axis == TARGET_INDEX else next(rest) for axis in axes[name])
                fitted.append(float(values[name][(g if len(values[name]) > 1 else 0, *at)]))
            rows.append(([group, *([target] if len(targets) > 1 else [])], fitted))
    return ["group", *(["target"] if len(targets) > 1 else [])], heads, rows


def _number(value: float, notation: Notation) -> str:
    if value == 0 or not math.isfinite(value):
        return f"${value:g}$"
    power = int(np.floor(np.log10(abs(value))))
    if -4 <= power < 6:
        return f"${value:.6g}$"
    mantissa = f"{value / 10.0**power:.5f}"
    return rf"${mantissa} \times 10^{{{power}}}$" if notation is LATEX else f"${mantissa} times 10^({power})$"


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


def _latex_text(text: str) -> str:
    """The text for LaTeX's text mode: special characters escaped, anything without a shape left out."""
    return "".join(_ESCAPES.get(c, c) for c in text if c.isprintable())


def _typst_text(text: str) -> str:
    """The text as a Typst string, in which only the backslash and the quote are special."""
    shown = "".join(c for c in text if c.isprintable())
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
