"""How well predictions meet rows that were not fitted: the metric of SLDBench, unclipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Metrics:
    """Figures of one target, or their mean over targets; NaN where the rows do not vary, inf for non-finite predictions."""

    r2: float
    """1 - nmse; not clipped."""
    nmse: float
    """Mean squared error over the variance of the rows, pooled over groups."""
    nmae: float
    """Mean absolute error over the mean absolute deviation of the rows from their mean."""


def metrics(observed: FloatArray, predicted: FloatArray) -> Metrics:
    """Figures of one target; both arrays (rows,)."""
    if not np.isfinite(predicted).all():
        return Metrics(-np.inf, np.inf, np.inf)
    error = predicted - observed
    nmse = _ratio(float(np.mean(error**2)), float(np.var(observed)))
    nmae = _ratio(float(np.mean(np.abs(error))), float(np.mean(np.abs(observed - observed.mean()))))
    return Metrics(1.0 - nmse, nmse, nmae)


def mean_metrics(parts: Sequence[Metrics]) -> Metrics:
    """The mean over targets: r2 = 1 - mean nmse."""
    nmse = float(np.mean([m.nmse for m in parts]))
    return Metrics(1.0 - nmse, nmse, float(np.mean([m.nmae for m in parts])))


def _ratio(error: float, spread: float) -> float:
    return error / spread if spread > 0.0 else float("nan")
