"""The capability space: principal components of benchmark scores, with missing scores filled from the first component.

Everything is learnt from the rows given to `fit_space`; other rows are only filled and projected.
Source: Ruan, Maddison and Hashimoto, "Observational Scaling Laws" (arXiv 2405.10938), section 3 and appendix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError

FloatArray = NDArray[np.float64]
ROUNDS = 1000
"""Most rounds of filling; each projects the filled scores on their first component."""
TOLERANCE = 1e-4
"""Filling ends when no standardised score moves by more than this."""


@dataclass(frozen=True)
class CapabilitySpace:
    """Components of b benchmark scores, learnt from some rows and applied to any."""

    mean: FloatArray
    """(b,) mean of the known scores."""
    scale: FloatArray
    """(b,) their standard deviation."""
    filling: FloatArray
    """(2, b) centre and direction of the component that fills missing scores, in standardised units."""
    centre: FloatArray
    """(b,) mean of the filled scores."""
    loadings: FloatArray
    """(k, b) principal directions; the largest loading of each is positive."""
    explained: FloatArray
    """(b,) share of the variance of the filled scores, in falling order."""

    def fill(self, scores: FloatArray) -> FloatArray:
        """(n, b) scores with missing ones replaced, in [0, 1]; known scores stay as they are."""
        missing = np.isnan(scores)
        Z = np.where(missing, 0.0, (scores - self.mean) / self.scale)
        centre, direction = self.filling
        for _ in range(ROUNDS):
            projected = np.outer((Z - centre) @ direction, direction) + centre
            moved = np.where(missing, projected, Z)
            done = np.allclose(moved, Z, rtol=1e-5, atol=TOLERANCE)
            Z = moved
            if done:
                break
        return np.where(missing, np.clip(Z * self.scale + self.mean, 0.0, 1.0), scores)

    def transform(self, scores: FloatArray) -> FloatArray:
        """(n, k) components of (n, b) scores, NaN where missing."""
        return np.asarray((self.fill(scores) - self.centre) @ self.loadings.T)

    def as_dict(self) -> dict[str, Any]:
        """The arrays by name, for a predictor's file."""
        return asdict(self)

    @classmethod
    def of_dict(cls, held: Mapping[str, Any]) -> CapabilitySpace:
        return cls(**{name: np.asarray(value, dtype=np.float64) for name, value in held.items()})


def fit_space(scores: FloatArray, components: int = 3) -> CapabilitySpace:
    """The capability space of (n, b) scores in [0, 1], NaN where missing.

    Missing scores start at their benchmark's mean and move to the reconstruction by one component of the standardised
    scores until they stand still; the components themselves are those of the filled scores, centred but not standardised.

    Raises:
        PredictorError: fewer rows or benchmarks than components, or a benchmark that no row has or that does not vary.
    """
    n, b = scores.shape
    if not 1 <= components <= b:
        raise PredictorError(f"{components} components of {b} benchmarks: ask for 1 to {b}")
    if n <= components:
        raise PredictorError(f"{n} models are too few for {components} components: give more models or ask for fewer")
    if np.isnan(scores).all(axis=0).any():
        k = int(np.flatnonzero(np.isnan(scores).all(axis=0))[0])
        raise PredictorError(f"no model has a score of benchmark {k + 1}: leave that column out")
    mean, scale = np.nanmean(scores, axis=0), np.nanstd(scores, axis=0)
    if (scale == 0.0).any():
        k = int(np.flatnonzero(scale == 0.0)[0])
        raise PredictorError(f"benchmark {k + 1} has the same score for all models: leave that column out")
    filling = _filling(np.where(np.isnan(scores), 0.0, (scores - mean) / scale), np.isnan(scores))
    part = CapabilitySpace(mean, scale, filling, mean, np.zeros((0, b)), np.zeros(b))
    filled = part.fill(scores)
    centre = filled.mean(axis=0)
    _, singular, directions = np.linalg.svd(filled - centre, full_matrices=False)
    variance = np.zeros(b)
    variance[: len(singular)] = singular**2
    largest = directions[np.arange(len(directions)), np.argmax(np.abs(directions), axis=1)]
    loadings = directions[:components] * np.sign(largest[:components])[:, None]
    return CapabilitySpace(mean, scale, filling, centre, loadings, variance / variance.sum())


def _filling(Z: FloatArray, missing: NDArray[np.bool_]) -> FloatArray:
    """(2, b) centre and direction at which filling the standardised scores `Z` stands still."""
    for _ in range(ROUNDS):
        centre = Z.mean(axis=0)
        direction = np.linalg.svd(Z - centre, full_matrices=False)[2][0]
        moved = np.where(missing, np.outer((Z - centre) @ direction, direction) + centre, Z)
        done = np.allclose(moved, Z, rtol=1e-5, atol=TOLERANCE)
        Z = moved
        if done:
            break
    return np.stack([centre, direction])
