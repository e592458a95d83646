"""M4, which states y implicitly: (y - e) / (e0 - y)^a = b x^(-c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

FloatArray = NDArray[np.float64]

MARGIN = 1e-3
"""e stays at least so far below the smallest y, and e0 so far above the largest, in units of the range of y, as the equation
has no value there."""
GRID = 24
BISECTIONS = 60


def fit_m4(x: FloatArray, y: FloatArray) -> dict[str, float]:
    """The constants b, c, a, e, e0 that minimise the squared error of log(y - e) - a log(e0 - y) - log b + c log x.

    For given e and e0 the equation is linear in log b, c and a: a grid over the two is solved exactly, and the best point polished.
    """
    size = max(float(np.ptp(y)), 1e-9 * float(y.max()))
    low, high = float(y.min()), float(y.max())
    below = np.concatenate([low - np.geomspace(MARGIN * size, low, GRID, endpoint=False), [0.0]]).clip(0.0)
    above = high + np.geomspace(MARGIN * size, 100.0 * size, GRID)
    e, e0 = (g.ravel() for g in np.meshgrid(below, above))
    objective, _ = _linear(x, y, e, e0)
    best = int(np.argmin(objective))

    def bounds(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        floor = low - np.exp(np.clip(theta[0], np.log(MARGIN * size), np.log(max(low, MARGIN * size))))
        return np.array([max(floor, 0.0)]), np.array([high + np.exp(np.clip(theta[1], np.log(MARGIN * size), 20.0))])

    def polished(theta: FloatArray) -> float:
        return float(_linear(x, y, *bounds(theta))[0][0])

    start = np.log([max(low - e[best], MARGIN * size), e0[best] - high])
    found = minimize(polished, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12, "maxiter": 400})
    floor, ceiling = bounds(found.x)
    _, (solution,) = _linear(x, y, floor, ceiling)
    return {
        "b": float(np.exp(solution[0])),
        "c": float(solution[1]),
        "a": float(solution[2]),
        "e": float(floor[0]),
        "e0": float(ceiling[0]),
    }


def solve_m4(constants: dict[str, float], x: FloatArray) -> FloatArray:
    """(n,) y between e and e0 that satisfy the equation at x; the left side rises with y, so that bisection finds the one."""
    right = np.log(constants["b"]) - constants["c"] * np.log(x)
    low, high = np.full(len(x), constants["e"]), np.full(len(x), constants["e0"])
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        with np.errstate(divide="ignore"):
            left = np.log(middle - constants["e"]) - constants["a"] * np.log(constants["e0"] - middle)
        rising = left < right
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.asarray(0.5 * (low + high))


def _linear(x: FloatArray, y: FloatArray, e: FloatArray, e0: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least squares for m pairs (e, e0) at once: objectives (m,) and solutions (m, 3) of log b, c and a >= 0."""
    target = np.log(y[None] - e[:, None])
    logs = np.broadcast_to(np.log(x), target.shape)
    gap = np.log(e0[:, None] - y[None])
    ones = np.ones_like(target)
    full = np.stack([ones, -logs, gap], axis=2)
    solutions = _solve(full, target)
    flat = np.concatenate([_solve(full[:, :, :2], target), np.zeros((len(e), 1))], axis=1)
    solutions = np.where(solutions[:, 2:] >= 0.0, solutions, flat)
    residual = np.einsum("mnk,mk->mn", full, solutions) - target
    return np.sum(residual**2, axis=1), solutions


def _solve(A: FloatArray, target: FloatArray) -> FloatArray:
    """(m, k) least-squares solutions, by normal equations of centred columns with a ridge against exact collinearity."""
    centre, middle = A[:, :, 1:].mean(axis=1), target.mean(axis=1)
    B, t = A[:, :, 1:] - centre[:, None], target - middle[:, None]
    H = np.einsum("mnk,mnl->mkl", B, B)
    H = H + 1e-12 * np.trace(H, axis1=1, axis2=2)[:, None, None] * np.eye(H.shape[1])
    slopes = np.linalg.solve(H, np.einsum("mnk,mn->mk", B, t)[:, :, None])[:, :, 0]
    start = middle - np.einsum("mk,mk->m", centre, slopes)
    return np.concatenate([start[:, None], slopes], axis=1)
