"""Expressions of a symbolic-regression package as programs of the law language, checked against its own predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sldagent.bench.baselines.features import View
from sldagent.bench.baselines.package import Expression
from sldagent.errors import FitError, LawError
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.canonical import simplify_program
from sldagent.laws.expr import TARGET_INDEX, Expr, add, mul, names, par, transform
from sldagent.laws.inspect import fresh_parameter_names
from sldagent.laws.program import Law, Parameter, Program, Scope
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
TOLERANCE = 1e-3
"""Largest deviation from the package's own predictions, in standard deviations of the target: packages compute in single
precision, and a protected function that differs from ours anywhere on the training rows differs by more."""


@dataclass(frozen=True)
class _Names:
    """Parameters of the law: the offset and scale of the target, and the expression's constants."""

    offset: str
    scale: str
    constants: tuple[str, ...]

    @classmethod
    def free(cls, task: Task, count: int) -> _Names:
        taken = {*task.symbols, *task.vectors}
        offset = next(fresh_parameter_names(taken, "E"))
        scale = next(fresh_parameter_names(taken, "A"))
        stream = fresh_parameter_names({*taken, offset, scale}, "c")
        return cls(offset, scale, tuple(next(stream) for _ in range(count)))


def translate(found: Expression, view: View, train: Task, target: int) -> list[Program]:
    """Programs ``E + A f`` with the expression's constants shared by all groups, and with constants of every group's own.

    With several targets each has its own parameters.  Empty where the law language cannot state the expression as the
    package computes it on the training rows, or where it is constant.
    """
    if found.expr is None or found.constant:
        return []
    labels = _Names.free(train, len(found.constants))
    scopes: Sequence[Scope] = ("shared", "group") if len(train.groups) > 1 else ("group",)
    try:
        if not _same(_law(found, found.expr, view, train, labels, "group"), found, view, train, labels, target):
            return []
        inner = _inner(found.expr)
        return [simplify_program(Program(_law(found, inner, view, train, labels, scope))) for scope in scopes]
    except (LawError, FitError):  # too deep, or too many parameters
        return []


def _inner(e: Expr) -> Expr:
    """The expression without constants that the target's own offset and scale make redundant."""
    while e.op in ("add", "mul") and any(a.op == "par" for a in e.args):
        rest = tuple(a for a in e.args if a.op != "par")
        e = rest[0] if len(rest) == 1 else replace(e, args=rest)
    return e


def _law(found: Expression, expr: Expr, view: View, train: Task, labels: _Names, scope: Scope) -> Law:
    """`expr`, all or part of what was found, over the task's own variables, between an offset and a scale."""
    index = (TARGET_INDEX,) if len(train.targets) > 1 else ()
    renamed = {f"c{k}": name for k, name in enumerate(labels.constants)}
    leaves = {f"x{k}": f.expr() for k, f in enumerate(view.features)}

    def swap(e: Expr) -> Expr:
        if e.op == "var":
            return leaves[e.name]
        return par(renamed[e.name], *index) if e.op == "par" else e

    body = add(par(labels.offset, *index), mul(par(labels.scale, *index), transform(expr, swap)))
    used = set(names(body, "var"))
    kept = set(names(body, "par"))
    constants = [
        Parameter(name, start=_near(value), scope=scope)
        for name, value in zip(labels.constants, found.constants, strict=True)
        if name in kept
    ]
    parameters = (Parameter(labels.offset), Parameter(labels.scale), *constants)
    return Law(tuple(s for s in train.symbols if s in used), body, parameters)


def _near(value: float) -> tuple[float, float] | None:
    """Starts are drawn around what the package found."""
    reach = max(0.5 * abs(value), 1e-3)
    return value - reach, value + reach


def _same(law: Law, found: Expression, view: View, train: Task, labels: _Names, target: int) -> bool:
    """Whether the law with the package's numbers predicts for the training rows what the package does."""
    several = len(train.targets) > 1
    groups = len(train.groups)
    shape = (groups, len(train.targets)) if several else (groups,)
    values = {
        labels.offset: view.centre.reshape(shape),
        labels.scale: view.spread.reshape(shape),
        **{n: np.full(shape, v) for n, v in zip(labels.constants, found.constants, strict=True)},
    }
    with np.errstate(all="ignore"):
        ours = predict(law, values, train.X, train.group, layout_of(train))[:, target]
    theirs = view.target(found.fitted[:, None], train.group)[:, target]
    gap = np.abs(ours - theirs) / view.spread[train.group, target]
    return bool(np.isfinite(gap).all() and gap.max() <= TOLERANCE * max(1.0, float(np.abs(found.fitted).max())))
