"""The inputs that a plan may choose: fixed variables, free ones with bounds, and one that spends the rest of the compute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PlanError
from sldagent.planning.cost import Cost

FloatArray = NDArray[np.float64]

BELOW, ABOVE = 1e-2, 1e8
"""Default bounds of a scale variable, as factors on its smallest and largest training value."""
AROUND = 10.0
"""Default bounds of a positive setting: its training range widened by this factor at both ends."""


@dataclass(frozen=True)
class Axis:
    """A free variable: where it may lie, and whether it is searched on its logarithm."""

    symbol: str
    column: int
    low: float
    high: float
    log: bool

    def value(self, u: FloatArray) -> FloatArray:
        """Values for positions between 0 (low) and 1 (high)."""
        if self.log:
            return np.asarray(np.exp(math.log(self.low) + u * math.log(self.high / self.low)))
        return self.low + u * (self.high - self.low)

    def position(self, value: FloatArray) -> FloatArray:
        """The positions of values."""
        if self.log:
            return np.asarray(np.log(value / self.low) / math.log(self.high / self.low))
        return np.asarray((value - self.low) / (self.high - self.low))


def axis(card: Mapping[str, Any], symbol: str, bounds: tuple[float, float] | None = None) -> Axis:
    """The axis of a variable within bounds (None: wide ones around its training range).

    Raises PlanError for bounds out of order, and for a proportion (its share cannot change alone).
    """
    column = next(k for k, v in enumerate(card["variables"]) if v["symbol"] == symbol)
    v = card["variables"][column]
    if v["role"] == "proportion":
        raise PlanError(f"'{symbol}' is a share of a mixture, and shares sum to one: fix it with --fix {symbol}=VALUE")
    least, most = float(v["min"]), float(v["max"])
    log = least > 0 and not v.get("log", False)
    if bounds is None:
        if v.get("log", False):
            unit = 1.0 / math.log(float(v["log_base"]))
            bounds = (least + math.log(BELOW) * unit, most + math.log(ABOVE) * unit)
        elif v["role"] == "scale" and log:
            bounds = (least * BELOW, most * ABOVE)
        elif log:
            bounds = (least / AROUND, most * AROUND)
        else:
            width = (most - least) or abs(most) or 1.0
            bounds = (least - width, most + width)
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise PlanError(f"the bounds of '{symbol}' are not two finite numbers in order: write --bounds {symbol}=LOW:HIGH")
    if log and low <= 0:
        raise PlanError(f"the lower bound of '{symbol}' must be positive, as its training values are")
    return Axis(symbol, column, low, high, log)


@dataclass(frozen=True)
class Space:
    """Free axes, and fixed values of all other variables.

    With a `cost`, the variable of `payer` is no axis to search: it takes what the others leave of the compute.
    """

    axes: tuple[Axis, ...]
    fixed: FloatArray
    """(variables,); entries of axes and payer are ignored."""
    cost: Cost | None = None
    payer: Axis | None = None

    @property
    def dimensions(self) -> int:
        return len(self.axes)

    @property
    def all_axes(self) -> tuple[Axis, ...]:
        """Axes and payer."""
        return self.axes if self.payer is None else (*self.axes, self.payer)

    def inputs(self, u: FloatArray, amount: FloatArray) -> FloatArray:
        """Inputs (n, variables) for positions (n, dimensions) and compute (n,); NaN rows where compute cannot be met
        within the payer's bounds."""
        X = np.repeat(self.fixed[None, :], len(u), axis=0)
        for k, ax in enumerate(self.axes):
            X[:, ax.column] = ax.value(u[:, k])
        if self.cost is not None and self.payer is not None:
            value = self.cost.solve(X, self.payer.column, amount)
            outside = ~((value >= self.payer.low * (1 - 1e-9)) & (value <= self.payer.high * (1 + 1e-9)))
            X[:, self.payer.column] = np.where(outside, np.nan, value)
        return X


def space(
    card: Mapping[str, Any],
    used: Sequence[str],
    free: Sequence[str],
    fixed: Mapping[str, float],
    bounds: Mapping[str, tuple[float, float]],
    cost: Cost | None = None,
) -> Space:
    """The space of a question.

    Args:
        card: the law's roles.
        used: symbols that the law or the cost depends on; each must be free or fixed.
        free: symbols to choose.
        fixed: values of others.
        bounds: of free variables, where not the default.
        cost: what compute buys; the last free variable that it depends on pays.

    Raises PlanError for an unknown name, and a variable that is neither free nor fixed.
    """
    symbols = [str(v["symbol"]) for v in card["variables"]]
    for name in (*free, *fixed, *bounds):
        if name not in symbols:
            raise PlanError(f"the law has no variable '{name}': it has {', '.join(symbols)}")
    for name in bounds:
        if name not in free:
            raise PlanError(f"'{name}' is not to be chosen here, so its bounds mean nothing: leave out --bounds {name}=")
    both = next((name for name in free if name in fixed), None)
    if both is not None:
        raise PlanError(f"'{both}' is both fixed and to be chosen: do one of the two")
    missing = next((name for name in used if name not in free and name not in fixed), None)
    if missing is not None:
        raise PlanError(f"'{missing}' needs a value: fix it with --fix {missing}=VALUE")
    axes = [axis(card, name, bounds.get(name)) for name in free]
    values = np.array([float(fixed.get(s, v.get("min") or 0.0)) for s, v in zip(symbols, card["variables"], strict=True)])
    if cost is None:
        return Space(tuple(axes), values)
    payers = [ax for ax in axes if ax.symbol in cost.variables]
    if not payers:
        raise PlanError(f"the cost '{cost.text}' depends on no variable that is to be chosen ({', '.join(free) or 'none'})")
    if not payers[-1].log:
        raise PlanError(f"'{payers[-1].symbol}' is not positive throughout, so that compute cannot be spent on it")
    return Space(tuple(ax for ax in axes if ax is not payers[-1]), values, cost, payers[-1])
