"""The link from capability components to a score: a sigmoid above a floor, fitted from one start or from several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit, least_squares
from scipy.special import expit

from sldagent.errors import PredictorError

FloatArray = NDArray[np.float64]
NO_FLOOR = 1e-12
"""Bound of a floor that is not wanted (the solver needs an open interval)."""
ORIGINAL_SLOPE = 0.03
"""Every component's weight in the original's only start; its intercept and floor start at 0."""


@dataclass(frozen=True)
class Link:
    """score = floor + (1 - floor) * sigmoid(intercept + weights . S)."""

    intercept: float
    weights: FloatArray
    """(k,) one per component."""
    floor: float
    mse: float
    """Mean squared error on the rows fitted."""
    optima: int
    """Distinct optima that the starts led to (mean squared errors that differ by more than one in a thousand)."""

    def predict(self, S: FloatArray) -> FloatArray:
        """(n,) scores of (n, k) components."""
        return np.asarray(self.floor + (1.0 - self.floor) * expit(self.intercept + S @ self.weights))


def fit_link(S: FloatArray, y: FloatArray, *, floor_max: float = 0.2, starts: int = 16, seed: int = 0) -> Link:
    """Least squares over intercept, weights and floor in [0, `floor_max`].

    Args:
        S: (n, k) components.
        y: (n,) scores in [0, 1].
        starts: 1 is the procedure of arXiv 2405.10938: `scipy.optimize.curve_fit` from a fixed point.  More add random
            starts in standardised components, and the best optimum is returned.

    Raises:
        PredictorError: fewer rows than constants, or no start succeeded.
    """
    n, k = S.shape
    floor_max = max(floor_max, NO_FLOOR)
    if n < k + 2:
        raise PredictorError(f"{n} scores are too few for the {k + 2} constants of a law over {k} components")
    if starts == 1:
        return _single(S, y, floor_max)
    centre, spread = S.mean(axis=0), S.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    A = np.column_stack([np.ones(n), (S - centre) / spread])
    found = [_from(start, A, y, floor_max) for start in _starts(centre, spread, starts, floor_max, seed)]
    found.sort(key=lambda item: item[0])
    mse, best = found[0]
    weights = best[1:-1] / spread
    levels = np.array([item[0] for item in found])
    distinct = 1 + int(np.sum(np.diff(levels) > 1e-3 * levels[:-1] + 1e-12))
    return Link(float(best[0] - centre @ weights), weights, float(best[-1]), mse, distinct)


def _starts(centre: FloatArray, spread: FloatArray, count: int, floor_max: float, seed: int) -> list[FloatArray]:
    """The original's start in standardised components, then random ones of slopes of order one."""
    slopes = np.full(len(centre), ORIGINAL_SLOPE)
    starts = [np.concatenate([[slopes @ centre], slopes * spread, [0.0]])]
    rng = np.random.default_rng(seed)
    for _ in range(count - 1):
        weights = rng.normal(scale=2.0, size=len(centre)) * 3.0 ** rng.uniform(-1.0, 1.0)
        starts.append(np.concatenate([[rng.normal(scale=2.0)], weights, [rng.uniform(0.0, floor_max)]]))
    return starts


def _from(start: FloatArray, A: FloatArray, y: FloatArray, floor_max: float) -> tuple[float, FloatArray]:
    """Mean squared error and constants (intercept, weights, floor) of the optimum below one start."""

    def residuals(p: FloatArray) -> FloatArray:
        return np.asarray(p[-1] + (1.0 - p[-1]) * expit(A @ p[:-1]) - y)

    def jacobian(p: FloatArray) -> FloatArray:
        g = expit(A @ p[:-1])
        return np.column_stack([((1.0 - p[-1]) * g * (1.0 - g))[:, None] * A, 1.0 - g])

    free = np.full(A.shape[1], np.inf)
    start = np.append(start[:-1], min(start[-1], floor_max))
    result = least_squares(residuals, start, jacobian, bounds=(np.append(-free, 0.0), np.append(free, floor_max)))
    return float(np.mean(result.fun**2)), np.asarray(result.x)


def _single(S: FloatArray, y: FloatArray, floor_max: float) -> Link:
    k = S.shape[1]

    def curve(X: FloatArray, *p: float) -> FloatArray:
        return np.asarray(p[-1] + (1.0 - p[-1]) * expit(p[0] + X @ np.asarray(p[1:-1])))

    free = np.full(k + 1, np.inf)
    start = np.concatenate([[0.0], np.full(k, ORIGINAL_SLOPE), [0.0]])
    try:
        p, _ = curve_fit(curve, S, y, start, bounds=(np.append(-free, 0.0), np.append(free, floor_max)), maxfev=10_000)
    except RuntimeError:
        raise PredictorError("the single start did not converge: use several starts") from None
    return Link(float(p[0]), np.asarray(p[1:-1]), float(p[-1]), float(np.mean((curve(S, *p) - y) ** 2)), 1)
