"""A task as a symbolic-regression package sees it: centred logarithms in, standardised targets out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.laws.expr import Expr, call, div, num, sub, var
from sldagent.tasks.task import Task, Variable

FloatArray = NDArray[np.float64]
DIGITS = 4
"""Significant digits of the numbers that features are centred and scaled by: they appear in the law as they are."""


@dataclass(frozen=True)
class Feature:
    """``(t(v) - centre) / scale`` of one variable v, where t is the logarithm or nothing."""

    symbol: str
    log: bool
    centre: float
    scale: float

    def values(self, column: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(((np.log(column) if self.log else column) - self.centre) / self.scale)

    def expr(self) -> Expr:
        """The feature in the law language."""
        out = call("log", var(self.symbol)) if self.log else var(self.symbol)
        if self.centre:
            out = sub(out, num(self.centre))
        return out if self.scale == 1.0 else div(out, num(self.scale))


@dataclass(frozen=True)
class View:
    """Arrays for a package.  Groups enter as an offset and a scale of the target: packages know no groups."""

    features: tuple[Feature, ...]
    X: FloatArray
    """(training rows, features)."""
    Z: FloatArray
    """(training rows, targets): target less its group's mean, over its group's standard deviation."""
    centre: FloatArray
    """(groups, targets)."""
    spread: FloatArray
    """(groups, targets)."""

    def inputs(self, task: Task) -> FloatArray:
        """(rows, features) of any rows of the task."""
        return np.column_stack([f.values(task.X[:, k]) for k, f in enumerate(self.features)])

    def target(self, standardised: FloatArray, group: NDArray[np.int64]) -> FloatArray:
        """Predictions (rows, targets) in the target's own units."""
        return np.asarray(self.centre[group] + self.spread[group] * standardised)


def view(train: Task) -> View:
    """The training rows as features and standardised targets."""
    features = tuple(_feature(v, train.X[:, k]) for k, v in enumerate(train.variables))
    shape = (len(train.groups), len(train.targets))
    centre, spread = np.zeros(shape), np.ones(shape)
    overall = np.maximum(train.Y.std(axis=0), 1e-300)
    for g in range(len(train.groups)):
        rows = train.Y[train.group == g]
        if len(rows):
            centre[g] = rows.mean(axis=0)
            own = rows.std(axis=0)
            spread[g] = np.where(own > 1e-9 * overall, own, overall)
    X = np.column_stack([f.values(train.X[:, k]) for k, f in enumerate(features)])
    return View(features, X, (train.Y - centre[train.group]) / spread[train.group], centre, spread)


def _feature(variable: Variable, column: FloatArray) -> Feature:
    """Shares stay as they are; logarithms are centred; anything else that is not positive is standardised."""
    if variable.role == "proportion":
        return Feature(variable.symbol, False, 0.0, 1.0)
    log = not variable.log and bool((column > 0).all())
    values = np.log(column) if log else column
    scale = 1.0 if log or variable.log else _rounded(float(values.std()) or 1.0)
    return Feature(variable.symbol, log, _rounded(float(values.mean())), scale)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
