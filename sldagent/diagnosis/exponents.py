"""Local exponents: d ln(y - floor) / d ln x over stretches of each scale variable, of the rows and of a law at those rows.

Within a stretch the logarithm is regressed on the logarithms of all variables with an intercept per group, so that in a
crossed design the slope of one variable is not disturbed by the others.  Both slopes come from the same regression, so
their difference does not depend on its being wrong in detail.  Targets that are not positive have their own slopes taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import Axes, centred, orthonormal, spans

FloatArray = NDArray[np.float64]

FLOOR_GAP = 0.02
"""A floor is subtracted only where all targets stay above it by this share of their range."""


@dataclass(frozen=True)
class Stretch:
    """Rows of one stretch and what a regression on them needs."""

    symbol: str
    name: str
    low: float
    high: float
    """Ends of the stretch, in the variable's coordinate."""
    rows: NDArray[np.int64]
    group: NDArray[np.int64]
    slope: FloatArray
    """(rows,) weights whose product with the (centred) response is the slope."""
    basis: FloatArray
    """(rows, rank) of all regressors."""


@dataclass(frozen=True)
class Exponent:
    """One stretch and target."""

    symbol: str
    span: str
    target: str
    low: float
    high: float
    data: float
    law: float
    error: float
    """Standard error of their difference."""
    logarithmic: bool
    """False: slopes of the target itself per unit of ln x."""
    floor: float
    """Subtracted before the logarithm, median over groups."""

    @property
    def difference(self) -> float:
        """Slope of the data less slope of the law."""
        return self.data - self.law


def stretches(axes: Axes, group: NDArray[np.int64]) -> tuple[Stretch, ...]:
    """What the rows offer, by scale variable; the same for all laws."""
    out = []
    settings = axes.of_role("setting")
    for k in axes.of_role("scale"):
        for name, mask in spans(axes.values[:, k]).items():
            rows = np.flatnonzero(mask)
            own = group[rows]
            others = [axes.values[rows, j] for j in axes.varies if j != k]
            others += [axes.values[rows, j] ** 2 for j in settings]
            rest = orthonormal(centred(np.column_stack(others), own)) if others else np.zeros((len(rows), 0))
            x = centred(axes.values[rows, k][:, None], own)[:, 0]
            pure = x - rest @ (rest.T @ x)
            size = float(pure @ pure)
            if len(rows) < rest.shape[1] + 4 or size < 1e-6 * max(float(x @ x), 1e-300):
                continue
            basis = np.column_stack([rest, pure / np.sqrt(size)])
            low, high = float(axes.values[rows, k].min()), float(axes.values[rows, k].max())
            out.append(Stretch(axes.symbols[k], name, low, high, rows, own, pure / size, basis))
    return tuple(out)


def local_exponents(
    found: tuple[Stretch, ...],
    targets: tuple[str, ...],
    Y: FloatArray,
    predicted: FloatArray,
    group: NDArray[np.int64],
    floors: FloatArray,
) -> tuple[Exponent, ...]:
    """By target and stretch.

    Args:
        Y, predicted: (targets, rows).
        floors: (targets, groups) where the law levels off; NaN where it does not.
    """
    out = []
    for t, target in enumerate(targets):
        data, law, logarithmic, floor = _responses(Y[t], predicted[t], group, floors[t])
        for s in found:
            both = centred(np.column_stack([data[s.rows], law[s.rows]]), s.group)
            if not np.isfinite(both).all():
                continue
            slopes = s.slope @ both
            gap = both[:, 0] - both[:, 1]
            rest = gap - s.basis @ (s.basis.T @ gap)
            spare = max(len(s.rows) - s.basis.shape[1] - len(np.unique(s.group)), 1)
            error = float(np.sqrt(rest @ rest / spare * (s.slope @ s.slope)))
            out.append(
                Exponent(
                    s.symbol, s.name, target, s.low, s.high, float(slopes[0]), float(slopes[1]), error, logarithmic, floor
                )
            )
    return tuple(out)


def _responses(
    y: FloatArray, f: FloatArray, group: NDArray[np.int64], floors: FloatArray
) -> tuple[FloatArray, FloatArray, bool, float]:
    """What is differentiated for the rows and for the law, whether it is a logarithm, and the floor subtracted."""
    floor = floors[group]
    usable = np.isfinite(floor).all() and bool((floor > 0).all())
    if usable:
        gap = np.minimum(y, f) - floor
        usable = bool((gap > FLOOR_GAP * np.ptp(y)).all())
    if not usable:
        floor = np.zeros_like(y)
    if (y - floor > 0).all() and (f - floor > 0).all():
        return np.log(y - floor), np.log(f - floor), True, float(np.median(floor))
    return y, f, False, 0.0
