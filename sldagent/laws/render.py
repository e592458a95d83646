"""Laws and programs as text, with no more parentheses than needed."""

from __future__ import annotations

import math

from sldagent.errors import LawError
from sldagent.laws.expr import FUNCTIONS, Expr, num
from sldagent.laws.program import Law, Parameter, Program, Recipe

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
"""How tightly the outermost operation of a text binds."""


def render_expr(e: Expr) -> str:
    """The expression as text of the law language, e.g. ``E + A*N**-a``.  `parse_formula` reads it back."""
    return _render(e)[0]


def render_number(value: float) -> str:
    """Shortest text that reads back as the same number; whole numbers without a point."""
    if not math.isfinite(value):
        raise LawError(f"a law cannot hold the number {value}")
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _render(e: Expr) -> tuple[str, int]:
    """Text and binding strength."""
    op = e.op
    if op == "num":
        return render_number(e.value), _SIGN if e.value < 0 else _ATOM
    if op in ("var", "par"):
        return (f"{e.name}[{', '.join(e.index)}]" if e.index else e.name), _ATOM
    if op == "add":
        return _render_sum(e), _SUM
    if op == "mul":
        first, *rest = (_render(a) for a in e.args)
        text = _wrap(first, _PRODUCT) if first[1] != _SIGN else first[0]
        return "*".join([text, *(_wrap(r, _POWER) for r in rest)]), _SIGN if first[1] == _SIGN else _PRODUCT
    if op == "div":
        top, bottom = _render(e.args[0]), _render(e.args[1])
        text = top[0] if top[1] == _SIGN else _wrap(top, _PRODUCT)
        return f"{text}/{_wrap(bottom, _POWER)}", _SIGN if top[1] == _SIGN else _PRODUCT
    if op == "neg" and e.args[0].op == "num":
        return _render(num(0.0 - e.args[0].value))
    if op == "neg":
        inner = _render(e.args[0])
        return f"-{inner[0] if inner[1] in (_PRODUCT, _POWER, _ATOM) else '(' + inner[0] + ')'}", _SIGN
    if op == "pow":
        base, exponent = _render(e.args[0]), e.args[1]
        text, strength = _render(exponent)
        if (strength == _SIGN and not _bare_sign(exponent)) or strength < _SIGN:
            text = f"({text})"
        return f"{_wrap(base, _ATOM)}**{text}", _POWER
    if op == "sum":
        loops, body = f" for {e.name} in {e.over}", e.args[0]
        while body.op == "sum":
            loops, body = f"{loops} for {body.name} in {body.over}", body.args[0]
        return f"sum({_render(body)[0]}{loops})", _ATOM
    if op in FUNCTIONS:
        return f"{op}({', '.join(_render(a)[0] for a in e.args)})", _ATOM
    raise LawError(f"the law language has no operation {op!r}")


def _wrap(rendered: tuple[str, int], least: int) -> str:
    text, strength = rendered
    return text if strength >= least else f"({text})"


def _bare_sign(e: Expr) -> bool:
    """Whether an exponent with a sign reads well and right without parentheses: ``N**-a``, ``N**-2``."""
    return e.op == "num" or (e.op == "neg" and e.args[0].op not in ("add", "mul", "div", "neg"))


def _render_sum(e: Expr) -> str:
    parts = []
    for position, term in enumerate(e.args):
        if term.op == "neg" and term.args[0].op == "num":
            term = num(0.0 - term.args[0].value)
        negative = term.op == "neg" or (term.op == "num" and term.value < 0)
        if position and negative:
            inner = _render(term.args[0]) if term.op == "neg" else (render_number(-term.value), _ATOM)
            parts.append(f" - {inner[0] if inner[1] in (_PRODUCT, _POWER, _ATOM) else '(' + inner[0] + ')'}")
            continue
        text, strength = _render(term)
        if strength == _SUM or (position and strength == _SIGN):
            text = f"({text})"
        parts.append(f" + {text}" if position else text)
    return "".join(parts)


def render_program(p: Program) -> str:
    """The program as text; `parse_program` reads it back to the same value."""
    arguments = ", ".join((*p.law.variables, *(q.name for q in p.law.parameters)))
    lines = [f"def law({arguments}):"]
    for name, elements in p.law.vectors:
        lines.append(f"    {name} = [{', '.join(map(render_expr, elements))}]")
    lines.append(f"    return {render_expr(p.law.expr)}")
    if p.law.parameters:
        lines += [
            "",
            "parameters = {",
            *(f'    "{q.name}": {_declaration(q)},' for q in p.law.parameters),
            "}",
        ]
    lines += ["", f"recipe = {render_recipe(p.recipe)}"]
    if p.custom_fit is not None:
        lines += ["", p.custom_fit.rstrip("\n")]
    return "\n".join(lines) + "\n"


def render_law(law: Law) -> str:
    """The law's right-hand side with its named vectors before it, on one line: ``z = [log(N)]; c +
    sum(...)``.
    """
    vectors = [f"{name} = [{', '.join(map(render_expr, elements))}]" for name, elements in law.vectors]
    return "; ".join([*vectors, render_expr(law.expr)])


def _declaration(p: Parameter) -> str:
    options = []
    if p.kind == "interval":
        options += [render_number(p.lower), render_number(p.upper)]
    if p.scope != "group":
        options.append(f'scope="{p.scope}"')
    if p.start is not None:
        options.append(f"start=({render_number(p.start[0])}, {render_number(p.start[1])})")
    return f"{p.kind}({', '.join(options)})"


def _weights(pairs: tuple[tuple[str, float], ...]) -> str:
    return "{" + ", ".join(f'"{name}": {render_number(w)}' for name, w in pairs) + "}"


def render_recipe(r: Recipe) -> str:
    """The recipe as text: ``fit(loss="huber", space="log", delta=0.001, starts=32)``."""
    options = [f'loss="{r.loss}"', f'space="{r.space}"']
    if r.loss == "huber" or r.delta != Recipe().delta:
        options.append(f"delta={render_number(r.delta)}")
    options.append(f"starts={r.starts}")
    if r.emphasis:
        options.append(f"emphasis={render_number(r.emphasis)}")
    if r.ridge:
        options.append(f"ridge={_weights(r.ridge)}")
    if r.shrink:
        options.append(f"shrink={_weights(r.shrink)}")
    return f"fit({', '.join(options)})"
