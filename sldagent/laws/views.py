"""Laws for people and for computer algebra: LaTeX and SymPy (imported only when asked for)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sldagent.errors import LawError
from sldagent.laws.expr import TARGET_INDEX, Expr
from sldagent.laws.notation import LATEX
from sldagent.laws.program import Law

# SymPy --------------------------------------------------------------------------------------------


def to_sympy(
    law: Law,
    values: Mapping[str, float] | None = None,
    sizes: Mapping[str, int] | None = None,
    target: int | None = None,
) -> Any:
    """The law as a SymPy expression.

    Scalars keep their names; element k (from 1) of an array is the symbol ``t_k``, with the target's index
    as ``c_i`` or, when `target` is given, its number from 1 (``t_2_3``: target 2, element 3).  Positive
    parameters are positive symbols. `values`: numbers to put in, by symbol name.  Raises `LawError` where a
    sum runs over a task vector whose length is not in `sizes`, and for a value that names no symbol of the
    law.
    """
    import sympy

    writer = _Sympy(sympy, law, sizes or {}, target)
    result = writer.convert(law.expr, {})
    if values:
        unknown = [name for name in values if name not in writer.symbols]
        if unknown:
            raise LawError(f"{unknown[0]!r} is no symbol of the law; its symbols are {', '.join(sorted(writer.symbols))}")
        result = result.subs({writer.symbols[name]: value for name, value in values.items()})
    return result


class _Sympy:
    def __init__(self, sympy: Any, law: Law, sizes: Mapping[str, int], target: int | None) -> None:
        self.sympy = sympy
        self.vectors = dict(law.vectors)
        self.sizes = {**sizes, **{name: len(elements) for name, elements in law.vectors}}
        self.positive = {p.name for p in law.parameters if p.kind == "positive"}
        self.target = TARGET_INDEX if target is None else str(target + 1)
        self.symbols: dict[str, Any] = {}

    def convert(self, e: Expr, bound: Mapping[str, int]) -> Any:
        s = self.sympy
        if e.op == "num":
            return s.Integer(int(e.value)) if e.value == int(e.value) else s.Float(e.value)
        if e.op == "var" and e.name in self.vectors:
            return self.convert(self.vectors[e.name][bound[e.index[0]]], bound)
        if e.op in ("var", "par"):
            parts = [self.target if k == TARGET_INDEX else str(bound[k] + 1) for k in e.index]
            name = "_".join([e.name, *parts])
            symbol = s.Symbol(name, positive=True) if e.op == "par" and e.name in self.positive else s.Symbol(name)
            return self.symbols.setdefault(name, symbol)
        if e.op == "sum":
            if e.over not in self.sizes:
                raise LawError(f"the sum runs over {e.over!r}, whose length is not given")
            return s.Add(*(self.convert(e.args[0], {**bound, e.name: k}) for k in range(self.sizes[e.over])))
        return self._operation(e.op, [self.convert(a, bound) for a in e.args])

    def _operation(self, op: str, a: list[Any]) -> Any:
        s = self.sympy
        if op == "add":
            return s.Add(*a)
        if op == "mul":
            return s.Mul(*a)
        if op == "neg":
            return -a[0]
        if op == "div":
            return a[0] / a[1]
        if op == "pow":
            return a[0] ** a[1]
        if op in ("exp", "log", "sqrt", "tanh"):
            return getattr(s, op)(a[0])
        if op == "sigmoid":
            return 1 / (1 + s.exp(-a[0]))
        if op == "softplus":
            return s.log(1 + s.exp(a[0]))
        if op == "logaddexp":
            return s.log(s.exp(a[0]) + s.exp(a[1]))
        sign = -1 if op == "smoothmin" else 1
        return sign * s.log(s.exp(sign * a[0] * a[2]) + s.exp(sign * a[1] * a[2])) / a[2]


# Text ---------------------------------------------------------------------------------------------


def to_latex(law: Law) -> str:
    """The law's right-hand side in LaTeX, in the form it is written; named vectors follow after ``\\quad``."""
    return LATEX.law(law)


def latex_name(name: str, index: tuple[str, ...] = ()) -> str:
    """``alpha`` -> ``\\alpha``, ``N_eff`` -> ``N_{\\mathrm{eff}}``, ``d1`` -> ``d_{1}``."""
    return LATEX.name(name, index)
