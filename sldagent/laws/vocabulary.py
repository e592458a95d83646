"""The words of the law language, and the words for what is not in it."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable

from sldagent.laws.expr import FUNCTIONS, Expr, add, call, div, num, power
from sldagent.laws.lexical import DERIVED

ALLOWED = (
    "a law may use numbers, names, + - * / **, "
    + ", ".join(FUNCTIONS)
    + ", sum(... for j in r), and the indices r[i], t[i, j], z[0]"
)

FOUND: dict[type[ast.AST], str] = {
    ast.IfExp: "a conditional expression",
    ast.Compare: "a comparison",
    ast.BoolOp: "a Boolean operation",
    ast.Lambda: "a lambda",
    ast.ListComp: "a list comprehension",
    ast.GeneratorExp: "a generator outside sum(...)",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.JoinedStr: "an f-string",
    ast.Attribute: "an attribute",
    ast.Starred: "a starred expression",
    ast.NamedExpr: "an assignment expression",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.SetComp: "a set comprehension",
    ast.DictComp: "a dictionary comprehension",
    ast.Slice: "a slice",
    ast.Constant: "a constant that is not a number",
}
OPERATORS: dict[type[ast.AST], str] = {
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.BitXor: "^ (a power is written **)",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Not: "not",
    ast.Invert: "~",
}
HINTS = {
    "max": "use smoothmax(x, y, s)",
    "maximum": "use smoothmax(x, y, s)",
    "min": "use smoothmin(x, y, s)",
    "minimum": "use smoothmin(x, y, s)",
    "abs": "use sqrt(x**2)",
    "where": "laws have no branches",
    "clip": "use smoothmin and smoothmax",
    "expit": "use sigmoid(x)",
    "softmax": "use exp and sum",
}
ARITY = {**FUNCTIONS, **dict.fromkeys(DERIVED, 1), "power": 2, "pow": 2}
EXPANSIONS: dict[str, Callable[..., Expr]] = {
    "log10": lambda x: div(call("log", x), num(math.log(10.0))),
    "log2": lambda x: div(call("log", x), num(math.log(2.0))),
    "log1p": lambda x: call("log", add(num(1.0), x)),
    "expm1": lambda x: add(call("exp", x), num(-1.0)),
    "square": lambda x: power(x, num(2.0)),
    "power": power,
    "pow": power,
}
