"""What the skills mean: whitened, rotated by geomin, with signs set by an anchor; and where to spend compute for a skill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sldagent.errors import PredictorError
from sldagent.predictors.sloth.model import Sloth, features

FloatArray = NDArray[np.float64]

ANCHORS = ("tokens", "params", "product")
"""Rows of `coefficients` that can set signs: log tokens, log params, their product."""
GEOMIN = 0.01
"""Added to squared loadings in geomin, as in the common implementations."""
STARTS = 30
GRID = 400


@dataclass(frozen=True)
class Interpretation:
    """Skills with unit variance over the training models."""

    skills: FloatArray
    """(n, d) of the training models, centred."""
    loadings: FloatArray
    """(d, benchmarks): how much each benchmark's eta grows with each skill."""
    coefficients: FloatArray
    """(3 + families, d): skills = [features, one-hot family] @ coefficients - translation."""
    translation: FloatArray
    """(d,)."""


def interpret(model: Sloth, anchor: str = "params", seed: int = 0) -> Interpretation:
    """Whiten the skills, rotate obliquely to the geomin criterion, and give every skill the sign of its anchor row.

    Args:
        model: fitted.
        anchor: one of `ANCHORS`; every skill grows with it.
        seed: of the rotation's random starts.

    Raises:
        PredictorError: the anchor is unknown, the model is not fitted, or two of its skills are the same.
    """
    if anchor not in ANCHORS:
        raise PredictorError(f"there is no anchor '{anchor}'; there are: {', '.join(ANCHORS)}")
    model._check_fitted()
    B = np.concatenate([model.weights_["W"], model.weights_["alpha"]])
    Z = model.design_ @ B
    covariance = np.atleast_2d(np.cov(Z, rowvar=False))
    if np.linalg.eigvalsh(covariance)[0] <= 1e-12 * np.trace(covariance):
        raise PredictorError("two skills coincide over the training models: fit fewer")
    whiten = np.linalg.inv(np.linalg.cholesky(covariance)).T
    loadings = (np.linalg.inv(whiten) @ model.weights_["loadings"]).T
    T = geomin(loadings, seed)
    # Oblique rotation with normalised columns of T: L (T')^-1 are the loadings of skills Z T, which keep unit variance.
    B = B @ whiten @ T
    rotated = (loadings @ np.linalg.inv(T).T).T
    sign = np.where(B[ANCHORS.index(anchor)] < 0.0, -1.0, 1.0)
    B, rotated = B * sign, rotated * sign[:, None]
    skills = model.design_ @ B
    translation = skills.mean(axis=0)
    return Interpretation(skills - translation, rotated, B, translation)


def geomin(loadings: FloatArray, seed: int = 0) -> FloatArray:
    """(d, d) oblique rotation T (columns of length one) that minimises sum_j prod_k (l_jk^2 + GEOMIN)^(1/d) of L (T')^-1.

    Gradient projection (Jennrich 2002) has local minima: the best of several random starts is taken.
    """
    d = loadings.shape[1]
    if d == 1:
        return np.eye(1)

    def unpack(flat: FloatArray) -> FloatArray:
        T = flat.reshape(d, d)
        return np.asarray(T / np.linalg.norm(T, axis=0))

    def criterion(flat: FloatArray) -> float:
        T = unpack(flat)
        if abs(np.linalg.det(T)) < 1e-3:
            return 1e6
        rotated = loadings @ np.linalg.inv(T).T
        return float(np.sum(np.exp(np.mean(np.log(rotated**2 + GEOMIN), axis=1))))

    rng = np.random.default_rng(seed)
    starts = [np.eye(d), *(np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(STARTS - 1))]
    found = [minimize(criterion, start.ravel(), method="BFGS", options={"maxiter": 200}) for start in starts]
    return unpack(min(found, key=lambda f: float(f.fun)).x)


@dataclass(frozen=True)
class Allocation:
    """Where a compute budget serves a skill best."""

    params: float
    tokens: float
    skill: float
    at_edge: bool
    """Whether the optimum is at the edge of the range searched, so that the law names no interior one."""


def optimal_allocation(
    found: Interpretation, compute: float, skill: int, *, reach: tuple[float, float], per_unit: float = 6.0
) -> Allocation:
    """Parameters and tokens that maximise a skill for `compute` = `per_unit` params tokens.

    Args:
        found: interpreted skills of a fitted model.
        compute: budget, in the product of the model's own units of params and tokens times `per_unit`.
        skill: from 0.
        reach: smallest and largest parameters to consider, in the model's unit.

    Raises:
        PredictorError: there is no such skill, or a number is not positive.
    """
    if not 0 <= skill < found.loadings.shape[0]:
        raise PredictorError(f"there is no skill {skill}; there are {found.loadings.shape[0]}, from 0")
    if not (compute > 0 and per_unit > 0 and 0 < reach[0] < reach[1]):
        raise PredictorError("compute and per_unit must be above 0, and reach two positive numbers, the lower one first")
    params = np.geomspace(*reach, GRID)
    tokens = compute / (per_unit * params)
    values = features(params, tokens) @ found.coefficients[:3, skill] - found.translation[skill]
    best = int(np.argmax(values))
    return Allocation(float(params[best]), float(tokens[best]), float(values[best]), best in (0, GRID - 1))
