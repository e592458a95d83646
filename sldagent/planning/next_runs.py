"""Which further runs would narrow a plan most: greedy Bayesian design on resampled constants.

The resampled constants are taken as a sample of what is believed.  Observing the law's value f(x) with noise s lowers the
variance of a planned quantity q by Cov(q, f(x))^2 / (Var f(x) + s^2), where both are jointly Gaussian (Chaloner and
Verdinelli 1995, "Bayesian experimental design: a review").  After each pick every sampled quantity is conditioned on it, so
that the next pick adds what the former left open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PlanError
from sldagent.planning.cost import Cost
from sldagent.planning.plans import Allocation
from sldagent.planning.space import Axis
from sldagent.planning.surface import Surface

FloatArray = NDArray[np.float64]

CANDIDATES = 1024
FEWEST = 30
"""Resampled constants below which nothing is said."""


@dataclass(frozen=True)
class NextRun:
    """One further run."""

    inputs: Mapping[str, float]
    cost: float
    width: float
    """Width of the plan's interval expected after this run and those before it, relative to the present width (geometric
    mean over the planned variables)."""


@dataclass(frozen=True)
class Region:
    """Where further runs may lie."""

    axes: tuple[Axis, ...]
    fixed: FloatArray
    """(variables,) values of all other variables."""
    cost: Cost
    budget: float
    """Compute of all further runs together."""


def next_runs(surface: Surface, plan: Allocation, region: Region, count: int, noise: float) -> tuple[NextRun, ...]:
    """The `count` runs, one after the other, that narrow the plan most for their budget.

    Args:
        surface: with resampled constants.
        plan: made with the same surface.
        noise: standard deviation of a run's result around the law.

    Raises PlanError where there are too few resampled constants, or no run is affordable.
    """
    if surface.draws - 1 < FEWEST:
        raise PlanError(
            f"which runs to make next needs at least {FEWEST} resampled sets of constants: name the rows with --table"
        )
    points = _candidates(region)
    price = region.cost(points)
    wanted = np.stack([np.log(values[1:]) for values in plan.draws.values()], axis=1)
    draws = np.arange(1, surface.draws)
    predicted = surface(np.repeat(draws, len(points)), np.tile(points, (len(draws), 1))).reshape(len(draws), len(points))
    kept = np.isfinite(wanted).all(axis=1)
    usable = np.isfinite(predicted[kept]).all(axis=0)
    wanted, predicted = _centred(wanted[kept]), _centred(np.where(usable, predicted[kept], 0.0))
    before = wanted.var(axis=0)
    left, out = region.budget, []
    for _ in range(count):
        gain = _gain(wanted, predicted, noise)
        gain[~usable | (price > left)] = -1.0
        best = int(np.argmax(gain))
        if gain[best] < 0:
            break
        wanted, predicted = _conditioned(wanted, predicted, best, noise)
        left -= float(price[best])
        share = np.maximum(wanted.var(axis=0), 1e-300) / np.maximum(before, 1e-300)
        width = float(np.exp(0.5 * np.mean(np.log(share))))
        inputs = {ax.symbol: float(points[best, ax.column]) for ax in region.axes}
        out.append(NextRun(inputs, float(price[best]), width))
    if not out:
        raise PlanError(
            f"no run within the bounds costs less than the budget of {region.budget:.3g}: "
            f"the cheapest costs {price.min():.3g}"
        )
    return tuple(out)


def _candidates(region: Region) -> FloatArray:
    """Inputs spread over the region, its corners included."""
    from scipy.stats import qmc

    d = len(region.axes)
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * d, indexing="ij")).reshape(d, -1).T
    u = np.concatenate([corners, np.asarray(qmc.Sobol(d, scramble=False).random(CANDIDATES))])
    X = np.repeat(region.fixed[None, :], len(u), axis=0)
    for k, ax in enumerate(region.axes):
        X[:, ax.column] = ax.value(u[:, k])
    return X


def _centred(values: FloatArray) -> FloatArray:
    return np.asarray(values - values.mean(axis=0))


def _gain(wanted: FloatArray, predicted: FloatArray, noise: float) -> FloatArray:
    """(points,) mean over the planned quantities of the share of their variance that a run there removes."""
    n = len(wanted)
    covariance = wanted.T @ predicted / n
    total = predicted.var(axis=0) + noise**2
    share = covariance**2 / np.maximum(total, 1e-300) / np.maximum(wanted.var(axis=0), 1e-300)[:, None]
    return np.asarray(share.mean(axis=0))


def _conditioned(wanted: FloatArray, predicted: FloatArray, at: int, noise: float) -> tuple[FloatArray, FloatArray]:
    """Samples with the covariance that is left after a run at one point (the square-root form of the Kalman update)."""
    f = predicted[:, at]
    variance = float(f.var())
    total = variance + noise**2
    # deviations shrink by 1 - a b f with a chosen so that the sample covariance is the conditioned one exactly
    factor = 1.0 / (total + np.sqrt(total) * noise)
    n = len(f)
    wanted_gain, predicted_gain = wanted.T @ f / n, predicted.T @ f / n
    return wanted - np.outer(f, wanted_gain * factor), predicted - np.outer(f, predicted_gain * factor)
