"""Binding: a published law's variables replaced by a task's.

The rules:

* A variable takes only columns of its roles (scale, setting, vector), each column at most once.  Scale and
  setting columns must be positive on the training rows, within the entry's limits (`at_least`, `at_most`),
  and keep its `order`.
* Where the names of some columns match a variable's `hints`, only those columns stand for it; where none
  does, every column of the role may; but a variable of special meaning (one with `at_least`: streams, bits,
  granularity) takes a setting only by its name.
* A column that already holds a logarithm x enters as ``exp(x)``, the law's own scale.  For a base other than
  e this is the variable to the power 1/ln(base), which every power of the variable and every slope in its
  logarithm absorb; where the law uses the variable in another way, it enters as ``exp(x * ln(base))``.
* Several targets: every parameter of group scope gets the target's index ``i``, so that each target has its
  own values.
* Where a target may be negative (its range or a training row says so), floors and amplitudes become
  ``real()`` and residuals are raw and squared, because a Huber threshold on logarithms has no meaning there;
  where a target is bounded above (an accuracy), amplitudes become ``real()``, so that a curve may rise.  A
  form that is positive by construction is not bound to a target with a training row at or below zero.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sldagent.laws.canonical import simplify_program, structure_hash
from sldagent.laws.expr import TARGET_INDEX, Expr, call, mul, names, num, transform, var, walk
from sldagent.laws.lexical import RESERVED
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.tasks.task import FloatArray, Task, Variable

if TYPE_CHECKING:
    from sldagent.laws.catalogue import CatalogueLaw, CatalogueVariable

MAX_BINDINGS = 24
"""Programs that one entry may give for one task."""

CONVENTIONAL = {
    "N": ("n", "params", "parameters", "model", "size"),
    "D": ("d", "data", "tokens", "samples", "examples"),
}
"""Column names by which a law's variable is told where several columns could stand for it."""


def bind(entry: CatalogueLaw, task: Task, *, limit: int = MAX_BINDINGS) -> list[Program]:
    """The entry's law over the task's symbols, once for every assignment that fits; empty when none does.

    Assignments that give the same structure (a symmetric form with its variables exchanged) appear once.
    Assignments to conventionally named columns come first, then the order of the task's columns.
    Only training rows are looked at.
    """
    train = task.part("train")
    if train.Y.shape[0] == 0 or (entry.positive and bool(np.any(train.Y <= 0))):
        return []
    program = _adapted(entry, train)
    programs: dict[str, Program] = {}
    for assignment in sorted(_assignments(entry, train), key=lambda a: -_conventional(a, train)):
        bound = _substituted(program, assignment, task)
        if any(v.log and v.symbol in bound.law.variables for v in task.variables):
            bound = simplify_program(bound)  # exp(x)**-a becomes exp(-a*x), log(exp(x)) becomes x
        programs.setdefault(structure_hash(bound.law), bound)
        if len(programs) >= limit:
            break
    return list(programs.values())


def _assignments(entry: CatalogueLaw, train: Task) -> Iterator[dict[str, str]]:
    """Entry symbol -> task symbol or vector name, for every assignment that the rows allow."""
    values = {v.symbol: _natural(v, train.X[:, k]) for k, v in enumerate(train.variables)}
    options = [_options(v, train, values) for v in entry.variables]
    symbols = [v.symbol for v in entry.variables]
    for chosen in itertools.product(*options):
        assignment = dict(zip(symbols, chosen, strict=True))
        if len(set(chosen)) == len(chosen) and all(
            _ordered(values[assignment[small]], values[assignment[large]], ratio) for small, large, ratio in entry.order
        ):
            yield assignment


def _conventional(assignment: Mapping[str, str], train: Task) -> int:
    """How many of the law's variables stand for a column that is named as the field names them."""
    by_symbol = {v.symbol: v for v in train.variables}
    return sum(
        symbol in by_symbol and _matches(by_symbol[symbol], CONVENTIONAL.get(variable, ()))
        for variable, symbol in assignment.items()
    )


def _ordered(small: FloatArray, large: FloatArray, ratio: float) -> bool:
    """small <= large <= ratio * small on every row."""
    with np.errstate(over="ignore"):
        return bool(np.all((small <= large * (1 + 1e-9)) & (large <= ratio * small * (1 + 1e-9))))


def _options(variable: CatalogueVariable, train: Task, values: Mapping[str, FloatArray]) -> list[str]:
    """Task symbols (or vector names) that may stand for the variable."""
    if "vector" in variable.role:
        return list(train.vectors)
    special = variable.at_least is not None
    low = -math.inf if variable.at_least is None else variable.at_least * (1 - 1e-9)
    high = math.inf if variable.at_most is None else variable.at_most * (1 + 1e-9)
    fitting = [
        v
        for v in train.variables
        if v.role in variable.role
        and np.all((values[v.symbol] > 0) & (values[v.symbol] >= low) & (values[v.symbol] <= high))
    ]
    named = [v for v in fitting if _matches(v, variable.hints)]
    if not named and special:
        fitting = [v for v in fitting if v.role == "scale"]
    return [v.symbol for v in named or fitting]


def _matches(variable: Variable, hints: Collection[str]) -> bool:
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", f"{variable.name} {variable.symbol}").lower())
    return any(w == h or (len(h) > 2 and w.startswith(h)) for w in words for h in hints)


def _natural(variable: Variable, column: FloatArray) -> FloatArray:
    """The column on its natural scale: what a logarithm is the logarithm of."""
    if not variable.log:
        return column
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(column * math.log(variable.log_base)))


def _adapted(entry: CatalogueLaw, train: Task) -> Program:
    """The entry's program with the kinds of its parameters, its residuals and its indices made fit for the
    targets.
    """
    program = entry.program
    negative = any(t.range[0] < 0 for t in train.targets) or bool(np.any(train.Y <= 0))
    bounded = any(math.isfinite(t.range[1]) for t in train.targets)
    free = {*(entry.floors if negative else ()), *(entry.amplitudes if negative or bounded else ())}
    law = replace(program.law, parameters=tuple(_freed(p) if p.name in free else p for p in program.law.parameters))
    if len(train.targets) > 1:
        law = _per_target(law)
    recipe: Recipe = program.recipe
    if negative and recipe.space != "raw":
        recipe = replace(recipe, loss="squared", space="raw")
    return replace(program, law=law, recipe=recipe)


def _freed(parameter: Parameter) -> Parameter:
    return replace(parameter, kind="real", lower=-math.inf, upper=math.inf)


def _per_target(law: Law) -> Law:
    """The same law with its own parameters for every target: index ``i`` in front of all others."""
    own = {p.name for p in law.parameters if p.scope == "group"}

    def indexed(e: Expr) -> Expr:
        return replace(e, index=(TARGET_INDEX, *e.index)) if e.op == "par" and e.name in own else e

    return _mapped(law, lambda e: transform(e, indexed))


def _mapped(law: Law, f: Callable[[Expr], Expr]) -> Law:
    return replace(
        law,
        expr=f(law.expr),
        vectors=tuple((name, tuple(f(e) for e in items)) for name, items in law.vectors),
    )


def _substituted(program: Program, assignment: Mapping[str, str], task: Task) -> Program:
    """The program over the task's symbols; parameters and bound indices that clash with a symbol get a new
    name.
    """
    law = program.law
    taken = {*task.symbols, *task.vectors, *RESERVED}
    renamed: dict[str, str] = {}
    bound_indices = {n.name for n in walk(law.expr) if n.op == "sum"}
    for name in (*(p.name for p in law.parameters), *sorted(bound_indices)):
        renamed[name] = _fresh(name, taken)
        taken.add(renamed[name])
    values = {e: _value(law.expr, e, t, task) for e, t in assignment.items()}

    def swap(e: Expr) -> Expr:
        index = tuple(renamed.get(k, k) for k in e.index)
        if e.op == "var":
            return replace(e, name=assignment[e.name], index=index) if index else values[e.name]
        if e.op == "par":
            return replace(e, name=renamed[e.name], index=index)
        if e.op == "sum":
            return replace(e, name=renamed[e.name], over=assignment.get(e.over, e.over))
        return e

    changed = _mapped(law, lambda e: transform(e, swap))
    changed = replace(
        changed,
        variables=tuple(s for s in (*task.symbols, *task.vectors) if s in assignment.values()),
        parameters=tuple(replace(p, name=renamed[p.name]) for p in law.parameters),
    )
    return replace(program, law=changed, recipe=program.recipe.renamed(renamed))


def _fresh(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of name0, name1, ... that is free."""
    return name if name not in taken else next(c for k in itertools.count() if (c := f"{name}{k}") not in taken)


def _value(expr: Expr, symbol: str, task_symbol: str, task: Task) -> Expr:
    """What stands for the entry's variable: the task's, or ``exp`` of it where it is already a logarithm."""
    variable = next((v for v in task.variables if v.symbol == task_symbol), None)
    if variable is None or not variable.log:
        return var(task_symbol)
    if math.isclose(variable.log_base, math.e) or _absorbs_base(expr, symbol):
        return call("exp", var(task_symbol))
    return call("exp", mul(num(math.log(variable.log_base)), var(task_symbol)))


def _absorbs_base(expr: Expr, symbol: str) -> bool:
    """Whether x**k in place of x gives the same family of laws: x appears only inside log, or alone as the
    base of a power with a fitted exponent."""
    if expr.op == "var":
        return expr.name != symbol
    if expr.op in ("log", "pow") and expr.args[0] == var(symbol):
        return expr.op == "log" or (bool(names(expr.args[1], "par")) and _absorbs_base(expr.args[1], symbol))
    return all(_absorbs_base(a, symbol) for a in expr.args)
