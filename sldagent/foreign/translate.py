"""From a program's `scaling_law_func` to a law of our own language, where that can be done exactly.

The function is followed on a few example rows, every row with symbols of its own: what comes out for one row must depend on
that row alone and have the same form for all rows and for two numbers of rows.  The parameters are the fitted vector's
elements; one that only appears as ``abs(p)``, ``exp(p)`` or within constant bounds becomes a positive or bounded parameter.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import LawError
from sldagent.foreign.interpret import Interpreter
from sldagent.foreign.lint import PREDICT
from sldagent.foreign.symbols import Symbol, Trail, Untranslatable
from sldagent.laws.expr import TARGET_INDEX, Expr, names, num, par, transform, var, walk
from sldagent.laws.lexical import RESERVED
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.laws.render import render_program
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
Change = Callable[[FloatArray], FloatArray]

ROWS = (5, 7, 11, 13)
"""Numbers of example rows; two that are no other length of the problem are taken."""


@dataclass(frozen=True)
class Origin:
    """Where a law's parameter comes from: elements of the program's parameter array, and what is done with them."""

    elements: tuple[int, ...]
    """Flat positions; one for a scalar, one per target for a parameter that the target indexes."""
    change: Change


@dataclass(frozen=True)
class Translation:
    """A law read off a program, or the reason why there is none."""

    program: Program | None = None
    reason: str = ""
    """Why not, one sentence; '' where there is a program."""
    assumptions: tuple[str, ...] = ()
    """Safeguards of the code that were left out because they never act (checked numerically)."""
    origins: Mapping[str, Origin] | None = None

    def parameters(self, given: FloatArray) -> dict[str, FloatArray]:
        """The law's parameters, axes (groups[, targets]), from the program's, (groups, ...)."""
        flat = given.reshape(len(given), -1)
        out = {}
        for name, origin in (self.origins or {}).items():
            values = origin.change(flat[:, list(origin.elements)])
            out[name] = values if len(origin.elements) > 1 or self._indexed(name) else values[:, 0]
        return out

    def _indexed(self, name: str) -> bool:
        assert self.program is not None
        return any(e.op == "par" and e.name == name and e.index for e in walk(self.program.law.expr))


def translate(tree: ast.Module, task: Task, X: FloatArray, parameters: FloatArray) -> Translation:
    """The law of `scaling_law_func`, or the reason why it has none.

    Args:
        tree: the program's syntax tree.
        X: (n, variables) rows of one group, for decisions that depend on values.
        parameters: (p,) or (targets, p): what the program fitted to that group.
    """
    lengths = {*parameters.shape, parameters.size, len(task.variables), len(task.targets)}
    counts = [n for n in ROWS if n not in lengths][:2]
    try:
        trail = Trail()
        forms = [_form(tree, task, _sample(X, n), parameters, trail) for n in counts]
        if forms[0] != forms[1]:
            raise Untranslatable("the prediction depends on the number of rows")
        law, origins = _law(forms[0], task, parameters, trail)
    except Untranslatable as error:
        return Translation(reason=str(error))
    except RecursionError:
        return Translation(reason="the function is nested too deeply to follow")
    program = Program(law, Recipe())
    try:
        parse_program(render_program(program), variables={*task.symbols, *task.vectors})
    except LawError as error:
        return Translation(reason=f"its law is outside the law language: {error}")
    return Translation(program, "", tuple(trail.assumptions), origins)


def _sample(X: FloatArray, count: int) -> FloatArray:
    return np.asarray(X[np.linspace(0, len(X) - 1, count).astype(int)])


def _form(tree: ast.Module, task: Task, X: FloatArray, parameters: FloatArray, trail: Trail) -> tuple[Expr, ...]:
    """One expression per target over the variables (``var``) and the parameters ``par("3")`` by flat position."""
    rows = np.empty(X.shape, dtype=object)
    for r, k in np.ndindex(*X.shape):
        rows[r, k] = Symbol(trail, var(task.symbols[k], str(r)), float(X[r, k]))
    vector = np.empty(parameters.shape, dtype=object)
    for position, index in enumerate(np.ndindex(*parameters.shape)):
        vector[index] = Symbol(trail, par(str(position)), float(parameters[index]), fitted=True)
    result = Interpreter(tree, trail).call(PREDICT, rows, vector)
    T, n = len(task.targets), len(X)
    if not isinstance(result, (np.ndarray, list, tuple)):
        raise Untranslatable("the function does not return an array")
    table = np.array(result, dtype=object)
    if table.shape == (n,) or table.shape == (n, 1) or table.shape == (1, n):
        table = table.reshape(n, 1)
    if table.shape != (n, T):
        raise Untranslatable(f"the prediction has the shape {table.shape}, not one value per row and target")
    return tuple(_common(table[:, t]) for t in range(T))


def _common(column: NDArray[np.object_]) -> Expr:
    """The form that all rows share."""
    forms = []
    for r, element in enumerate(column):
        if isinstance(element, Symbol):
            forms.append(_of_row(element.expr, str(r)))
        elif isinstance(element, (int, float)) and math.isfinite(element):
            forms.append(num(element))
        else:
            raise Untranslatable("the prediction is not a finite number")
    if any(form != forms[0] for form in forms[1:]):
        raise Untranslatable("the prediction has another form on some rows")
    return forms[0]


def _of_row(expr: Expr, row: str) -> Expr:
    def own(e: Expr) -> Expr:
        if e.op != "var":
            return e
        if e.index != (row,):
            raise Untranslatable("the prediction of a row depends on other rows")
        return var(e.name)

    return transform(expr, own)


# From forms to a law --------------------------------------------------------------------------------------------------


def _law(forms: tuple[Expr, ...], task: Task, parameters: FloatArray, trail: Trail) -> tuple[Law, dict[str, Origin]]:
    taken = {*task.symbols, *task.vectors, *RESERVED}
    sources: dict[tuple[int, ...], str] = {}

    def named(elements: tuple[int, ...]) -> str:
        if elements not in sources:
            stem, k = "p", len(sources)
            while f"{stem}{k}" in taken:
                stem += "_"
            sources[elements] = f"{stem}{k}"
        return sources[elements]

    expr = _unified(forms, task, named)
    flat = parameters.ravel()
    declared: list[Parameter] = []
    origins: dict[str, Origin] = {}
    for elements, name in sources.items():
        expr, parameter, change = _settled(expr, name, flat[list(elements)], trail)
        declared.append(parameter)
        origins[name] = Origin(elements, change)
    used = set(names(expr, "par"))
    if not used and not names(expr, "var"):
        raise Untranslatable("the prediction is a constant")
    symbols = dict.fromkeys(e.name for e in walk(expr) if e.op == "var")
    law = Law(
        tuple(s for s in (*task.symbols, *task.vectors) if s in symbols),
        expr,
        tuple(p for p in declared if p.name in used),
    )
    return law, {name: origin for name, origin in origins.items() if name in used}


def _unified(forms: tuple[Expr, ...], task: Task, named: Callable[[tuple[int, ...]], str]) -> Expr:
    """One expression for all targets: parameters that differ by target get the target's index."""
    first = forms[0]
    if any((f.op, len(f.args), f.value) != (first.op, len(first.args), first.value) for f in forms[1:]):
        raise Untranslatable("the targets have laws of different forms")
    if first.op == "par":
        elements = tuple(int(f.name) for f in forms)
        if len(set(elements)) == 1:
            return par(named(elements[:1]))
        return par(named(elements), TARGET_INDEX)
    if first.op == "var":
        symbols = tuple(f.name for f in forms)
        if len(set(symbols)) == 1:
            return first
        vector = next((name for name, members in task.vectors.items() if members == symbols), None)
        if vector is None:
            raise Untranslatable("the targets' laws use different variables in the same place")
        return var(vector, TARGET_INDEX)
    return replace(first, args=tuple(_unified(parts, task, named) for parts in zip(*(f.args for f in forms), strict=True)))


def _settled(expr: Expr, name: str, values: FloatArray, trail: Trail) -> tuple[Expr, Parameter, Change]:
    """The expression without ``abs`` and ``clip`` around one parameter, its declaration and where its value comes from."""
    uses = _uses(expr, name)
    if len(uses) == 1:
        use = next(iter(uses))
        if use.op == "abs":
            return _unwrapped(expr, name), Parameter(name, "positive"), np.abs
        if use.op == "exp":
            return _unwrapped(expr, name, "exp"), Parameter(name, "positive"), np.exp
        if use.op == "clip":
            low, high = use.args[1].value, use.args[2].value
            bare = _unwrapped(expr, name)
            if math.isfinite(low) and math.isfinite(high):
                return bare, Parameter(name, "interval", low, high), lambda v: np.clip(v, low, high)
            if 0.0 <= low < 1e-3 and high == math.inf:
                return bare, Parameter(name, "positive"), lambda v: np.maximum(v, low)
    if any(u.op in ("abs", "clip") for u in uses):
        if any(_acts(u, values) for u in uses):
            raise Untranslatable("a safeguard acts on a fitted parameter, and no kind of parameter says the same")
        trail.assume("an absolute value or a bound of a parameter never acts")
    return _unwrapped(expr, name), Parameter(name), lambda v: v


def _uses(expr: Expr, name: str) -> set[Expr]:
    """The smallest expressions around a parameter: itself, or ``abs``, ``clip`` or ``exp`` of it."""
    found: set[Expr] = set()
    stack = [expr]
    while stack:
        e = stack.pop()
        inner = e.args[0] if e.op in ("abs", "clip", "exp") else e
        if inner.op == "par" and inner.name == name:
            found.add(e)
        else:
            stack.extend(e.args)
    return found


def _acts(use: Expr, values: FloatArray) -> bool:
    if use.op == "abs":
        return bool((values < 0).any())
    if use.op == "clip":
        return bool((values < use.args[1].value).any() or (values > use.args[2].value).any())
    return False


def _unwrapped(expr: Expr, name: str, *more: str) -> Expr:
    def bare(e: Expr) -> Expr:
        wraps = e.op in ("abs", "clip", *more) and e.args[0].op == "par" and e.args[0].name == name
        return e.args[0] if wraps else e

    return transform(expr, bare)
