"""Minima of a law over a few inputs, for many sets of constants and budgets at once.

A grid finds the basin; damped Newton steps on central differences refine it.  The refinement works on all problems in
lockstep, so that 500 resampled sets of constants cost little more than one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.planning.space import Space
from sldagent.planning.surface import Surface

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GRID = {1: 241, 2: 41, 3: 15}
"""Points per dimension; more dimensions take scattered points."""
SCATTERED = 4096
KEPT = 6
"""Best grid points that are refined."""
STEP = 1e-4
"""Of the central differences, in units of an axis' whole length."""
RADIUS = 0.1
"""Longest first step, in the same units."""
ROUNDS = 40
SMALL = 1e-9
"""A step below this ends the refinement of a problem."""


@dataclass(frozen=True)
class Problems:
    """Questions to be answered together: set of constants and compute of each."""

    draw: IntArray
    amount: FloatArray

    def __len__(self) -> int:
        return len(self.draw)

    def repeat(self, count: int) -> Problems:
        return Problems(np.repeat(self.draw, count), np.repeat(self.amount, count))


@dataclass(frozen=True)
class Minima:
    """Answers, one row per problem."""

    u: FloatArray
    """(problems, dimensions) positions on the axes, 0 to 1."""
    X: FloatArray
    """(problems, variables)."""
    value: FloatArray
    """(problems,) the law there; infinite where the space holds no input that meets the budget."""


def minimise(surface: Surface, space: Space, problems: Problems) -> Minima:
    """The smallest prediction of the law for every problem."""
    if space.dimensions == 0:
        u = np.zeros((len(problems), 0))
        return _at(surface, space, problems, u)
    starts = _grid(surface, space, problems)
    kept = starts.shape[1]
    each = problems.repeat(kept)
    u = _refine(surface, space, each, starts.reshape(len(problems) * kept, -1))
    found = _at(surface, space, each, u)
    best = np.argmin(found.value.reshape(len(problems), kept), axis=1) + kept * np.arange(len(problems))
    return Minima(found.u[best], found.X[best], found.value[best])


def follow(surface: Surface, space: Space, problems: Problems, u: FloatArray) -> Minima:
    """Minima reached from given positions (problems, dimensions): for problems close to one that was solved."""
    return _at(surface, space, problems, _refine(surface, space, problems, u) if space.dimensions else u)


def _at(surface: Surface, space: Space, problems: Problems, u: FloatArray) -> Minima:
    X = space.inputs(u, problems.amount)
    return Minima(u, X, _values(surface, problems.draw, X))


def _values(surface: Surface, draw: IntArray, X: FloatArray) -> FloatArray:
    inside = np.isfinite(X).all(axis=1)
    out = np.full(len(X), np.inf)
    if inside.any():
        out[inside] = surface(draw[inside], X[inside])
    return out


def _grid(surface: Surface, space: Space, problems: Problems) -> FloatArray:
    """(problems, kept, dimensions) the best points of a grid; problems of one budget share the points of the first draw."""
    points = _points(space.dimensions)
    out = np.empty((len(problems), min(KEPT, len(points)), space.dimensions))
    for amount in np.unique(problems.amount):
        mine = np.nonzero(problems.amount == amount)[0]
        X = space.inputs(points, np.full(len(points), amount))
        values = _values(surface, np.full(len(points), problems.draw[mine[0]]), X)
        out[mine] = points[np.argsort(values, kind="stable")[: out.shape[1]]]
    return out


def _points(dimensions: int) -> FloatArray:
    if dimensions in GRID:
        line = np.linspace(0.0, 1.0, GRID[dimensions])
        return np.stack(np.meshgrid(*[line] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    from scipy.stats import qmc

    return np.asarray(qmc.Sobol(dimensions, scramble=False).random(SCATTERED))


def _refine(surface: Surface, space: Space, problems: Problems, u: FloatArray) -> FloatArray:
    """Newton steps within a trust radius, on positions clipped to the box; steps that do not descend are taken back."""
    u = np.clip(u, 0.0, 1.0)
    value = _at(surface, space, problems, u).value
    radius = np.full(len(u), RADIUS)
    active = np.isfinite(value)
    for _ in range(ROUNDS):
        rows = np.nonzero(active)[0]
        if not rows.size:
            break
        part = Problems(problems.draw[rows], problems.amount[rows])
        gradient, hessian = _derivatives(surface, space, part, u[rows], value[rows])
        step = _step(u[rows], gradient, hessian, radius[rows])
        moved = np.clip(u[rows] + step, 0.0, 1.0)
        after = _at(surface, space, part, moved).value
        better = after < value[rows]
        length = np.abs(moved - u[rows]).max(axis=1)
        u[rows[better]], value[rows[better]] = moved[better], after[better]
        radius[rows] = np.where(better, np.minimum(2.0 * radius[rows], 0.5), 0.25 * np.minimum(radius[rows], length))
        active[rows] = (length > SMALL) & (radius[rows] > SMALL)
    return u


def _derivatives(
    surface: Surface, space: Space, problems: Problems, u: FloatArray, value: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gradient (n, d) and Hessian (n, d, d) by central differences, all probes in one evaluation.

    Probes leave the box by a step where a problem stands at its edge; where the law or the budget gives no value there,
    the difference is one-sided.
    """
    n, d = u.shape
    shifts = [STEP * sign * np.eye(d)[i] for i in range(d) for sign in (1, -1)]
    pairs = [(i, j) for i in range(d) for j in range(i)]
    shifts += [STEP * (np.eye(d)[i] + np.eye(d)[j]) for i, j in pairs]
    probes = (u[:, None, :] + np.array(shifts)[None, :, :]).reshape(-1, d)
    found = _at(surface, space, problems.repeat(len(shifts)), probes).value.reshape(n, len(shifts))
    up, down = found[:, 0 : 2 * d : 2], found[:, 1 : 2 * d : 2]
    mid = value[:, None]
    with np.errstate(invalid="ignore"):
        gradient = np.where(np.isfinite(up) & np.isfinite(down), (up - down) / (2 * STEP), 0.0)
        gradient = np.where(np.isfinite(up) & ~np.isfinite(down), (up - mid) / STEP, gradient)
        gradient = np.where(~np.isfinite(up) & np.isfinite(down), (mid - down) / STEP, gradient)
        curvature = (up - 2 * mid + down) / STEP**2
    hessian = np.zeros((n, d, d))
    hessian[:, range(d), range(d)] = np.where(np.isfinite(curvature), curvature, 1.0)
    for k, (i, j) in enumerate(pairs):
        with np.errstate(invalid="ignore"):
            mixed = (found[:, 2 * d + k] - up[:, i] - up[:, j] + value) / STEP**2
        hessian[:, i, j] = hessian[:, j, i] = np.where(np.isfinite(mixed), mixed, 0.0)
    return gradient, hessian


def _step(u: FloatArray, gradient: FloatArray, hessian: FloatArray, radius: FloatArray) -> FloatArray:
    """Newton's step with curvatures made positive, no longer than the radius; axes held at an edge do not move."""
    held = ((u <= 0.0) & (gradient > 0)) | ((u >= 1.0) & (gradient < 0))
    gradient = np.where(held, 0.0, gradient)
    hessian = np.where(held[:, :, None] | held[:, None, :], 0.0, hessian)
    hessian[:, range(u.shape[1]), range(u.shape[1])] += held
    values, vectors = np.linalg.eigh(hessian)
    size = np.abs(gradient).max(axis=1, keepdims=True)
    values = np.maximum(np.abs(values), np.maximum(1e-3 * size, 1e-300))
    along = np.einsum("nij,ni->nj", vectors, gradient)
    step = -np.einsum("nij,nj->ni", vectors, along / values)
    length = np.abs(step).max(axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1.0, radius[:, None] / np.maximum(length, 1e-300)))
