"""Which models to measure: the union of families, within a budget, that best determines a law over capability components.

V-optimality (arXiv 2405.10938, section 5): minimise trace(X'X (X_S'X_S)^-1), the sum over all models of the variance of a
linear prediction learnt from the subset S alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError

FloatArray = NDArray[np.float64]
MOST = 2_000_000
"""Most unions that are tried."""
CHUNK = 20_000
"""Unions whose matrices are inverted at once."""


@dataclass(frozen=True)
class Selection:
    """The chosen families."""

    families: tuple[str, ...]
    rows: tuple[int, ...]
    """Rows of the chosen families' models."""
    variance: float
    """trace(X'X (X_S'X_S)^-1) / n: mean variance of a prediction in units of the noise; with all models (k + 1) / n."""
    tried: int
    """Unions within the budget."""


def select_models(S: FloatArray, family: Sequence[str], budget: int) -> Selection:
    """The best union of whole families with at most `budget` models, by trying all.

    Args:
        S: (n, k) capability components of the candidates.
        family: n family names.

    Raises:
        PredictorError: the budget is below the k + 1 constants of a linear law, or so large that there are too many unions.
    """
    n, k = S.shape
    if budget < k + 1:
        raise PredictorError(f"a budget of {budget} models cannot determine {k + 1} constants: give at least {k + 1}")
    names = tuple(sorted(set(family)))
    labels = np.array([names.index(x) for x in family])
    sizes = np.bincount(labels, minlength=len(names))
    unions = _unions(sizes, budget, k + 1)
    if not len(unions):
        raise PredictorError(f"no union of families has between {k + 1} and {budget} models: raise the budget")
    X = np.column_stack([np.ones(n), S])
    grams = np.stack([X[labels == f].T @ X[labels == f] for f in range(len(names))])
    total = grams.sum(axis=0)
    traces = np.concatenate([_traces(unions[i : i + CHUNK], grams, total) for i in range(0, len(unions), CHUNK)])
    best = unions[int(np.argmin(traces))]
    chosen = np.flatnonzero(best)
    return Selection(
        tuple(names[f] for f in chosen),
        tuple(int(r) for r in np.flatnonzero(np.isin(labels, chosen))),
        float(traces.min() / n),
        len(unions),
    )


def _unions(sizes: NDArray[np.int64], budget: int, least: int) -> NDArray[np.bool_]:
    """(unions, families) members of every union with `least` to `budget` models."""
    members, totals = np.zeros((1, 0), dtype=bool), np.zeros(1, dtype=np.int64)
    for size in sizes:
        fits = totals + size <= budget
        members = np.concatenate(
            [
                np.column_stack([members, np.zeros(len(members), bool)]),
                np.column_stack([members, np.ones(len(members), bool)])[fits],
            ]
        )
        totals = np.concatenate([totals, (totals + size)[fits]])
        if len(totals) > MOST:
            raise PredictorError(f"more than {MOST} unions of families are within the budget: lower it")
    return np.asarray(members[totals >= least])


def _traces(unions: NDArray[np.bool_], grams: FloatArray, total: FloatArray) -> FloatArray:
    """trace(total inverse(gram of the union)); infinite where a union does not determine the law."""
    own = np.einsum("uf,fij->uij", unions.astype(np.float64), grams)
    usable = np.linalg.cond(own) < 1e10
    out = np.full(len(unions), np.inf)
    out[usable] = np.trace(np.linalg.solve(own[usable], np.broadcast_to(total, own[usable].shape)), axis1=1, axis2=2)
    return out
