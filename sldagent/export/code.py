"""Expressions as Python source text, for generated files.

Only names of a parsed law and numbers through ``repr`` reach the text, and every other text goes through
`literal` or `comment`, so nothing in a table or a document can become code.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from sldagent.laws.expr import Expr, walk

ADD, MUL, NEG, POW, ATOM = range(1, 6)
"""Binding strength of Python's operators, weakest first."""

LINE = 100
"""Longest line of generated code where it can be split."""


@dataclass(frozen=True)
class Dialect:
    """How leaves and functions are written.

    `call` gives the text of a function of already written arguments; the text must be an atom or a
    parenthesised expression.
    """

    call: Callable[[str, tuple[str, ...]], str]
    variable: Callable[[Expr], str]
    parameter: Callable[[Expr], str]
    index: Callable[[str], str]
    vector: Callable[[str], str]
    scalar: str = ""
    """Constructor that turns a bare number into the dialect's own number type where Python's would differ."""
    lift: str = ""
    """Constructor around arguments without a variable or parameter, where functions do not take bare numbers."""


def source(e: Expr, dialect: Dialect) -> str:
    """The expression as source text, with the same order of operations as the tree."""
    return _text(e, dialect)[0]


def lines(e: Expr, dialect: Dialect, before: str, indent: str) -> list[str]:
    """``before`` + expression, split at its top-level sum (or product) where one line would be too long."""
    text = source(e, dialect)
    if len(indent + before + text) <= LINE or e.op not in ("add", "mul"):
        return [f"{indent}{before}{text}"]
    out = [f"{indent}{before}("]
    for k, term in enumerate(e.args):
        if e.op == "add":
            sign = "- " if term.op == "neg" and k else "+ " if k else ""
            body = term.args[0] if term.op == "neg" and k else term
            out.append(f"{indent}    {sign}{_at(body, dialect, ADD if not sign else MUL)}")
        else:
            out.append(f"{indent}    {'* ' if k else ''}{_at(term, dialect, NEG if k else MUL)}")
    return [*out, f"{indent})"]


def number(value: float) -> str:
    """Shortest text that reads back as the same float; whole numbers without a point."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return repr(float(value))


def _at(e: Expr, dialect: Dialect, level: int) -> str:
    """The expression's text, in parentheses where it binds weaker than `level`."""
    text, own = _text(e, dialect)
    return text if own >= level else f"({text})"


def _text(e: Expr, dialect: Dialect) -> tuple[str, int]:
    """Text and binding strength of its outermost operation."""
    at = partial(_at, dialect=dialect)
    match e.op:
        case "num":
            return number(e.value), ATOM if e.value >= 0 else NEG
        case "var":
            return dialect.variable(e), ATOM
        case "par":
            return dialect.parameter(e), ATOM
        case "add":
            return _sum(e, dialect), ADD
        case "mul":
            return " * ".join(at(a, level=NEG if k else MUL) for k, a in enumerate(e.args)), MUL
        case "div":
            return f"{at(e.args[0], level=MUL)} / {at(e.args[1], level=NEG)}", MUL
        case "neg":
            inner, level = _text(e.args[0], dialect)
            if level == ADD:
                return f"-({inner})", NEG
            return f"-{inner}", MUL if level == MUL else NEG
        case "pow":
            base, exponent = e.args
            left = at(base, level=ATOM)
            if _bare(e):
                # A negative number to a fraction is nan in numpy but complex in Python, overflow inf but an error.
                left = f"{dialect.scalar}({at(base, level=ADD)})"
            return f"{left}**{at(exponent, level=NEG)}", POW
        case "sum":
            index, vector = dialect.index(e.name), dialect.vector(e.over)
            return f"sum({at(e.args[0], level=ADD)} for {index} in range(len({vector})))", ATOM
        case name:
            texts = [at(a, level=ADD) for a in e.args]
            lifted = [f"{dialect.lift}({t})" if dialect.lift and _bare(a) else t for a, t in zip(e.args, texts, strict=True)]
            return dialect.call(name, tuple(lifted)), ATOM


def _bare(e: Expr) -> bool:
    """Whether only numbers occur in it."""
    return not any(n.op in ("var", "par") for n in walk(e))


def _sum(e: Expr, dialect: Dialect) -> str:
    out = _at(e.args[0], dialect, ADD)
    for term in e.args[1:]:
        if term.op == "neg":
            out += f" - {_at(term.args[0], dialect, MUL)}"
        elif term.op == "num" and term.value < 0:
            out += f" - {number(-term.value)}"
        else:
            out += f" + {_at(term, dialect, MUL)}"
    return out


def literal(text: str) -> str:
    """A Python string literal of the text, in ASCII."""
    body = ascii(text)[1:-1]
    return ascii(text) if "'" in body or '"' in body else f'"{body}"'


def comment(text: str) -> str:
    """The text on one line of printable characters, safe in a comment or a docstring.

    Line breaks and other characters without a shape are written as escapes, backslashes are doubled, and
    quotes that would end a docstring are broken.
    """
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text.replace("\\", "\\\\")
    )
    return shown.replace('"', "'")


def fresh(names: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Each name as it may be used in generated code: with underscores behind it where it is a Python word or
    taken.
    """
    out: dict[str, str] = {}
    used = set(taken)
    for name in names:
        chosen = name
        while keyword.iskeyword(chosen) or chosen in used:
            chosen += "_"
        out[name] = chosen
        used.add(chosen)
    return out


def assignment(name: str, values: Mapping[str, str], indent: str = "") -> list[str]:
    """``NAME = {key: value, ...}`` over several lines; keys and values are source text."""
    body = [f"{indent}    {key}: {value}," for key, value in values.items()]
    return [f"{indent}{name} = {{", *body, f"{indent}}}"] if body else [f"{indent}{name} = {{}}"]
