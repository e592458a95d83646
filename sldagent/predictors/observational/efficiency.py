"""How efficiently families turn compute into capability: S = theta_f log C + nu_f in each family f (arXiv 2405.10938)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from sldagent.errors import PredictorError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Efficiency:
    """Slopes and intercepts of capability in log compute, one pair per family and component."""

    families: tuple[str, ...]
    slopes: FloatArray
    """(families, k) theta: gain of a component when compute grows by a factor e."""
    intercepts: FloatArray
    """(families, k) nu: the component at compute `reference`."""
    reference: float
    """Compute at which intercepts are stated: the geometric mean of the rows fitted."""
    own_slope: tuple[bool, ...]
    """Whether the family had two different amounts of compute; otherwise it has the families' mean slope."""
    residual: FloatArray
    """(k,) standard deviation of a model around its family's line."""

    def predict(self, compute: float, family: str, level: float = 0.8) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(k,) component, and lower and upper ends of the central interval of probability `level`.

        A family that was not fitted gets the mean line of the families, and an interval that holds their spread too.

        Raises:
            PredictorError: compute or level is out of range.
        """
        if not compute > 0.0 or not 0.0 < level < 1.0:
            raise PredictorError(
                f"compute is {compute:g} and level {level:g}: give a number above 0, and one between 0 and 1"
            )
        u = float(np.log(compute / self.reference))
        lines = self.intercepts + self.slopes * u
        if family in self.families:
            mean, spread = lines[self.families.index(family)], self.residual
        else:
            between = lines.std(axis=0, ddof=1) if len(lines) > 1 else np.full(lines.shape[1], np.inf)
            mean = lines.mean(axis=0)
            spread = np.sqrt(self.residual**2 + between**2 * (1.0 + 1.0 / len(lines)))
        half = norm.ppf(0.5 + level / 2.0) * spread
        return mean, mean - half, mean + half


def compute_efficiency(S: FloatArray, compute: FloatArray, family: Sequence[str]) -> Efficiency:
    """Fit every family's line by least squares; models of unknown compute (NaN) are left out.

    Args:
        S: (n, k) capability components.
        compute: (n,) FLOPs, or any quantity proportional to them.
        family: n family names.

    Raises:
        PredictorError: shapes disagree, a compute is not above 0 (the row is named), or no family has two sizes.
    """
    if not len(S) == len(compute) == len(family):
        raise PredictorError(
            f"{len(S)} rows of components, {len(compute)} of compute and {len(family)} families: they must agree"
        )
    bad = np.flatnonzero(compute <= 0.0)
    if bad.size:
        raise PredictorError(f"row {bad[0]}: compute is {compute[bad[0]]:g} where a number above 0 is needed")
    known = np.isfinite(compute)
    labels = np.asarray(family, dtype=object)
    names = tuple(sorted(set(labels[known])))
    reference = float(np.exp(np.mean(np.log(compute[known])))) if known.any() else 1.0
    u = np.log(compute / reference)
    k = S.shape[1]
    slopes, means, centres = np.full((len(names), k), np.nan), np.empty((len(names), k)), np.empty(len(names))
    for f, name in enumerate(names):
        rows = known & (labels == name)
        centres[f], means[f] = u[rows].mean(), S[rows].mean(axis=0)
        offset = u[rows] - centres[f]
        if np.ptp(offset) > 0.0:
            slopes[f] = offset @ (S[rows] - means[f]) / (offset @ offset)
    own = np.isfinite(slopes[:, 0])
    if not own.any():
        raise PredictorError("no family has models of two different amounts of compute: no slope can be found")
    slopes[~own] = slopes[own].mean(axis=0)
    intercepts = means - slopes * centres[:, None]
    index = np.array([names.index(x) for x in labels[known]])
    residuals = S[known] - intercepts[index] - slopes[index] * u[known][:, None]
    freedom = max(int(known.sum()) - len(names) - int(own.sum()), 1)
    return Efficiency(
        names, slopes, intercepts, reference, tuple(bool(o) for o in own), np.sqrt((residuals**2).sum(axis=0) / freedom)
    )


def equivalent_compute(index: FloatArray, reference_index: FloatArray, reference_compute: FloatArray) -> FloatArray:
    """(n,) compute at which the reference family would have the capability indices `index` (n,), such as w . S.

    The line runs through the reference family's (index, log compute) by least squares of the index on log compute.

    Raises:
        PredictorError: the reference family has fewer than two amounts of compute, or its index does not change with them.
    """
    u = np.log(reference_compute)
    offset = u - u.mean()
    slope = offset @ reference_index / max(offset @ offset, 1e-300)
    if len(u) < 2 or np.ptp(u) == 0.0 or slope == 0.0:
        raise PredictorError("the reference family needs two models of different compute and capability")
    return np.asarray(np.exp(u.mean() + (index - reference_index.mean()) / slope))
