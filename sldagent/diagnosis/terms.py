"""Correlation of a law's residuals with every second-order term of the coordinates.

Residuals and terms are both freed of group means and of all first-order terms, so that what is left is curvature and
interaction alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import Axes, centred, orthonormal

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """The second-order terms of the rows; the same for all laws."""

    pairs: tuple[tuple[str, str], ...]
    group: NDArray[np.int64]
    first: FloatArray
    """(rows, rank) basis of the first-order terms."""
    second: FloatArray
    """(rows, pairs) of length 1, orthogonal to `first`."""


@dataclass(frozen=True)
class TermCorrelation:
    """One target's residuals (observation less prediction) with ``first * second`` (equal names: a square)."""

    target: str
    first: str
    second: str
    correlation: float


def second_order(axes: Axes, group: NDArray[np.int64]) -> Terms:
    """Every product of two coordinates that is not a combination of first-order terms on these rows."""
    z = centred(axes.values[:, list(axes.varies)], group)
    size = z.std(axis=0)
    keep = [j for j in range(z.shape[1]) if size[j] > 1e-12]
    z = z[:, keep] / size[keep]
    symbols = [axes.symbols[axes.varies[j]] for j in keep]
    first = orthonormal(z)
    pairs, columns = [], []
    for j in range(len(symbols)):
        for k in range(j, len(symbols)):
            product = centred((z[:, j] * z[:, k])[:, None], group)[:, 0]
            pure = product - first @ (first.T @ product)
            length = float(np.linalg.norm(pure))
            if length > 1e-6 * max(float(np.linalg.norm(product)), 1e-300):
                pairs.append((symbols[j], symbols[k]))
                columns.append(pure / length)
    second = np.column_stack(columns) if columns else np.zeros((len(z), 0))
    return Terms(tuple(pairs), group, first, second)


def term_correlations(terms: Terms, targets: tuple[str, ...], residual: FloatArray) -> tuple[TermCorrelation, ...]:
    """By target, strongest first.

    Args:
        residual: (targets, rows), prediction less observation.
    """
    out: list[TermCorrelation] = []
    for t, target in enumerate(targets):
        r = -centred(residual[t][:, None], terms.group)[:, 0]
        r = r - terms.first @ (terms.first.T @ r)
        length = float(np.linalg.norm(r))
        values = terms.second.T @ r / length if length > 0 and np.isfinite(length) else np.zeros(len(terms.pairs))
        order = np.argsort(-np.abs(values), kind="stable")
        out.extend(TermCorrelation(target, terms.pairs[j][0], terms.pairs[j][1], float(values[j])) for j in order)
    return tuple(out)
