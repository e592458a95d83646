"""Answers: how to spend compute, which settings, what a target costs, how allocation grows with compute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PlanError
from sldagent.planning.optimum import Minima, Problems, follow, minimise
from sldagent.planning.space import Axis, Space
from sldagent.planning.surface import Surface

FloatArray = NDArray[np.float64]

EDGE = 1e-6
"""Distance from a bound, in units of the axis, below which an optimum stands at it."""
FALSE_POSITIONS = 60
FACTOR = 2.0
"""Sensitivity: each variable this factor off its optimum."""


@dataclass(frozen=True)
class Estimate:
    """A number, what the rows leave open of it, and what the choice of the form does."""

    value: float
    low: float
    high: float
    """Central interval of its values under resampled constants; equal to the number without any."""
    laws_low: float | None = None
    laws_high: float | None = None
    """Range over all laws of a short list, this one included; None where it is the only one."""

    def among(self, others: Sequence[float]) -> Estimate:
        """With the range over other laws' values too."""
        values = [v for v in (self.value, *others) if math.isfinite(v)]
        return replace(self, laws_low=min(values), laws_high=max(values)) if others else self


@dataclass(frozen=True)
class Allocation:
    """The best inputs for one budget (or without one)."""

    compute: float | None
    inputs: Mapping[str, Estimate]
    """By symbol: every variable that was chosen."""
    prediction: Estimate
    sensitivity: Mapping[str, tuple[float, float]]
    """By symbol: rise of the prediction with the variable at half and at twice its optimum, the payer adjusted."""
    edges: tuple[str, ...]
    """Symbols whose optimum stands at a bound."""
    draws: Mapping[str, FloatArray] = field(repr=False, default_factory=dict)
    """Resampled optima by symbol."""

    def among(self, others: Sequence[Allocation]) -> Allocation:
        """With the ranges over other laws' answers to the same question."""
        inputs = {s: e.among([o.inputs[s].value for o in others if s in o.inputs]) for s, e in self.inputs.items()}
        return replace(self, inputs=inputs, prediction=self.prediction.among([o.prediction.value for o in others]))


@dataclass(frozen=True)
class Frontier:
    """Best allocations over a range of compute, and the exponents of their growth."""

    points: tuple[Allocation, ...]
    exponents: Mapping[str, Estimate]
    """By symbol: slope of log optimum against log compute over the range."""

    def among(self, others: Sequence[Frontier]) -> Frontier:
        """With the ranges over other laws' frontiers at the same amounts of compute."""
        points = tuple(p.among([o.points[k] for o in others]) for k, p in enumerate(self.points))
        exponents = {
            s: e.among([o.exponents[s].value for o in others if s in o.exponents]) for s, e in self.exponents.items()
        }
        return Frontier(points, exponents)


def allocate(surface: Surface, space: Space, amounts: Sequence[float], level: float) -> tuple[Allocation, ...]:
    """The best inputs for every amount of compute (one NaN: none is given).

    Raises PlanError where no input within the bounds meets a budget, or the law is undefined on all of them.
    """
    wanted = np.asarray(amounts, dtype=float)
    best = minimise(surface, space, Problems(np.zeros(len(wanted), dtype=np.int64), _comparable(wanted)))
    if not np.isfinite(best.value).all():
        raise PlanError(_nowhere(space, float(wanted[~np.isfinite(best.value)][0])))
    count = surface.draws
    each = Problems(np.tile(np.arange(count), len(wanted)), np.repeat(_comparable(wanted), count))
    spread = follow(surface, space, each, np.repeat(best.u, count, axis=0))
    out = []
    for k, amount in enumerate(wanted):
        rows = slice(k * count, (k + 1) * count)
        out.append(_allocation(surface, space, float(amount), best, k, spread.X[rows], spread.value[rows], level))
    return tuple(out)


def frontier(surface: Surface, space: Space, low: float, high: float, count: int, level: float) -> Frontier:
    """Best allocations at `count` amounts of compute between two, evenly on the logarithm.  Raises as `allocate`."""
    points = allocate(surface, space, np.geomspace(low, high, count).tolist(), level)
    x = np.log([p.compute or math.nan for p in points])
    exponents = {}
    for ax in space.all_axes:
        if ax.log:
            values = np.stack([p.draws[ax.symbol] for p in points])
            slopes = np.polyfit(x, np.log(values), 1)[0]
            exponents[ax.symbol] = estimate(slopes, level)
    return Frontier(points, exponents)


def cheapest(surface: Surface, space: Space, target: float, low: float, high: float, level: float) -> Allocation:
    """The least compute, between two amounts, at which the law reaches `target`, and how it is spent.

    Raises PlanError where the law does not reach it there, or already lies below it at the least compute.
    """
    amounts = np.geomspace(low, high, 33)
    start = minimise(surface, space, Problems(np.zeros(len(amounts), dtype=np.int64), amounts))
    usable = np.isfinite(start.value)
    if not usable.any():
        raise PlanError(_nowhere(space, low))
    if start.value[usable].min() > target:
        raise PlanError(
            f"the law does not reach {target:g} with up to {high:.3g} of compute: its best prediction there is "
            f"{start.value[usable].min():.6g}; name a higher target, or wider --bounds"
        )
    if start.value[usable][0] <= target:
        raise PlanError(
            f"the law lies at {start.value[usable][0]:.6g}, not above {target:g}, with {amounts[usable][0]:.3g} of compute "
            "already: name a lower target"
        )
    first = int(np.nonzero(usable & (start.value <= target))[0][0])
    needed = _crossing(surface, space, target, amounts, start, first)
    if not math.isfinite(needed[0]):
        raise PlanError(f"the compute that reaches {target:g} cannot be bracketed: name --bounds closer to the optimum")
    found = allocate(surface, space, [float(needed[0])], level)[0]
    cost = estimate(needed, level)
    return Allocation(
        found.compute, {**found.inputs, "compute": cost}, found.prediction, found.sensitivity, found.edges, found.draws
    )


def _crossing(
    surface: Surface, space: Space, target: float, amounts: FloatArray, start: Minima, first: int
) -> FloatArray:
    """(draws,) compute at which each set of constants reaches the target, NaN where it does not within the range.

    The prediction falls with the logarithm of compute; its root by the Illinois variant of false position (Dowell and
    Jarratt 1971), all sets of constants in lockstep.
    """
    draw = np.arange(surface.draws)
    before = max(first - 8, int(np.nonzero(np.isfinite(start.value))[0][0]))

    def solved(x: FloatArray, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Prediction less target at the optimum near u, and that optimum."""
        found = follow(surface, space, Problems(draw, np.exp(x)), u)
        return np.asarray(found.value - target), found.u

    low, high = np.full(surface.draws, math.log(amounts[before])), np.full(surface.draws, math.log(amounts[-1]))
    at_low, u_low = solved(low, np.repeat(start.u[before][None, :], surface.draws, axis=0))
    at_high, u_high = solved(high, np.repeat(start.u[-1][None, :], surface.draws, axis=0))
    reached = (at_high <= 0) & (at_low > 0) & np.isfinite(at_low)
    at_low, at_high = np.where(reached, at_low, 1.0), np.where(reached, at_high, -1.0)
    for _ in range(FALSE_POSITIONS):
        share = at_low / np.maximum(at_low - at_high, 1e-300)
        middle = low + (high - low) * share
        value, u = solved(middle, u_low + (u_high - u_low) * share[:, None])
        value = np.where(reached, value, 0.0)
        if (np.abs(value) <= 1e-14 * abs(target)).all():
            low = high = middle
            break
        below = value <= 0
        # the end that stays gets half its weight, so that neither end stays for ever
        at_high, at_low = np.where(below, value, 0.5 * at_high), np.where(below, 0.5 * at_low, value)
        high, low = np.where(below, middle, high), np.where(below, low, middle)
        u_high, u_low = np.where(below[:, None], u, u_high), np.where(below[:, None], u_low, u)
    return np.where(reached, np.exp(np.where(np.abs(at_high) < np.abs(at_low), high, low)), np.nan)


def estimate(values: FloatArray, level: float) -> Estimate:
    """The first value, with the central interval of the finite others."""
    rest = values[1:][np.isfinite(values[1:])]
    if not rest.size:
        return Estimate(float(values[0]), float(values[0]), float(values[0]))
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(rest, [tail, 100.0 - tail])
    return Estimate(float(values[0]), float(low), float(high))


def _allocation(
    surface: Surface, space: Space, amount: float, best: Minima, k: int, X: FloatArray, value: FloatArray, level: float
) -> Allocation:
    inputs, draws = {}, {}
    for ax in space.all_axes:
        column = X[:, ax.column].copy()
        column[0] = best.X[k, ax.column]
        draws[ax.symbol] = column
        inputs[ax.symbol] = estimate(column, level)
    value = value.copy()
    value[0] = best.value[k]
    return Allocation(
        None if math.isnan(amount) else amount,
        inputs,
        estimate(value, level),
        _sensitivity(surface, space, amount, best.X[k], float(best.value[k])),
        tuple(ax.symbol for ax in space.all_axes if _at_edge(ax, best.X[k, ax.column])),
        draws,
    )


def _sensitivity(
    surface: Surface, space: Space, amount: float, X: FloatArray, value: float
) -> dict[str, tuple[float, float]]:
    """Rise of the prediction with each searched variable half and twice its optimum, the payer adjusted."""
    out = {}
    zero = np.zeros(2, dtype=np.int64)
    for k, ax in enumerate(space.axes):
        if not ax.log:
            continue
        u = np.repeat([[a.position(X[a.column]) for a in space.axes]], 2, axis=0).astype(float)
        u[:, k] = ax.position(X[ax.column] * np.array([1.0 / FACTOR, FACTOR]))
        moved = space.inputs(u, _comparable(np.full(2, amount)))
        inside = np.isfinite(moved).all(axis=1)
        rise = np.full(2, math.inf)
        rise[inside] = surface(zero[inside], moved[inside]) - value
        out[ax.symbol] = (float(rise[0]), float(rise[1]))
    return out


def _at_edge(ax: Axis, value: float) -> bool:
    position = float(ax.position(np.asarray(value)))
    return position < EDGE or position > 1.0 - EDGE


def _comparable(amount: FloatArray) -> FloatArray:
    """Without compute (NaN) every problem has the same."""
    return np.where(np.isnan(amount), 1.0, amount)


def _nowhere(space: Space, amount: float) -> str:
    if space.cost is None:
        return "the law is not defined anywhere within the bounds: name others with --bounds"
    return (
        f"no input within the bounds costs {amount:.3g} by '{space.cost.text}' and has a finite prediction: "
        "name wider --bounds or another amount of compute"
    )
