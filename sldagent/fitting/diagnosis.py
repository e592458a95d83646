"""What to know about a fitted point before its parameters are read: bounds reached, trade-offs, conditioning."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.fit import normal_matrices
from sldagent.fitting.result import FitResult, Point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]

DISAPPEARED = 92.0
"""A positive parameter beyond exp(+-92) = 1e+-40 has left for 0 or infinity: what it governs is switched off."""
UNDETERMINED = 1e-12
"""Eigenvalue of the scaled normal matrix below which its direction is not determined."""
CORRELATED = 0.999
LARGEST = 600
"""Scalars up to which parameters shared between groups are looked at together with all groups' own."""


@dataclass(frozen=True)
class FitDiagnosis:
    """How well the rows determine a fitted point, in its worst group."""

    condition: float
    """Condition number of the normal matrix with columns scaled to unit length; inf where it is singular."""
    at_bounds: tuple[str, ...] = ()
    """Parameters that ended at a declared bound, or at 0 or infinity, in some group."""
    undetermined: tuple[str, ...] = ()
    """Parameters of which the rows determine only a combination."""
    correlated: tuple[tuple[str, str, float], ...] = ()
    """Pairs of parameters and the correlation of their estimates, where beyond +-0.999; largest over groups."""

    def sentences(self) -> tuple[str, ...]:
        """One sentence for each thing a reader must know; empty for a well-determined fit."""
        out = []
        if self.at_bounds:
            out.append(f"at a bound: {', '.join(self.at_bounds)}")
        if self.undetermined:
            names = ", ".join(self.undetermined)
            out.append(f"not determined by the rows, only in combination: {names}; use a law with fewer parameters")
        if self.correlated:
            pairs = ", ".join(f"{a} and {b} ({c:+.4f})" for a, b, c in self.correlated[:6])
            out.append(f"nearly perfectly correlated: {pairs}; their values trade off against each other")
        if self.condition > 1e8 and not self.undetermined:
            out.append(f"ill-conditioned: condition number {self.condition:.1e}")
        return tuple(out)


def at_bounds(law: CompiledLaw, point: Point) -> tuple[str, ...]:
    """Names of the parameters with an element at a bound, or that left for 0 or infinity, in some group."""
    names = []
    for q, (name, _) in enumerate(law.slots):
        values = point.local[:, q] if q < law.local else point.shared[:, q - law.local]
        lo, hi = law.lower[q], law.upper[q]
        if law.transform[q] == 1:
            stuck = np.abs(values) >= DISAPPEARED
        else:
            tight = 1e-9 * (hi - lo if np.isfinite(hi - lo) else 1.0)
            stuck = (values <= lo + tight) | (values >= hi - tight)
        if stuck.any():
            names.append(name)
    return tuple(dict.fromkeys(names))


def diagnose(result: FitResult, rows: Rows, recipe: Recipe) -> FitDiagnosis:
    """Diagnosis of a successful fit from its Gauss-Newton matrices; parameters at bounds are left out of the matrices."""
    law, point = result.law, result.point
    matrices, _ = normal_matrices(result, rows, recipe)
    worst = 1.0
    loose: dict[str, None] = {}
    pairs: dict[tuple[str, str], float] = {}
    for H, labels, values in _systems(result, matrices):
        free = _free(law, labels, values) & (np.diag(H) > 0)
        silent = [law.slots[q] for q in labels[np.diag(H) <= 0]]
        loose.update(dict.fromkeys(_label(s) for s in silent))
        q = labels[free]
        if q.size == 0:
            continue
        size = np.sqrt(np.diag(H)[free])
        eigen, vectors = np.linalg.eigh(H[np.ix_(free, free)] / size[:, None] / size)
        low = eigen < UNDETERMINED * eigen[-1]
        worst = np.inf if low.any() else max(worst, float(eigen[-1] / eigen[0]))
        lean = (vectors[:, low] ** 2).sum(axis=1)
        loose.update(dict.fromkeys(_label(law.slots[k]) for k in q[lean > 1e-2]))
        inverse = (vectors[:, ~low] / eigen[~low]) @ vectors[:, ~low].T
        spread = np.sqrt(np.diag(inverse))
        correlation = inverse / spread[:, None] / spread
        for u, v in zip(*np.nonzero(np.tril(np.abs(correlation) > CORRELATED, -1)), strict=True):
            if q[u] == q[v]:
                continue
            key = (_label(law.slots[q[v]]), _label(law.slots[q[u]]))
            if abs(correlation[u, v]) > abs(pairs.get(key, 0.0)):
                pairs[key] = float(np.clip(correlation[u, v], -1.0, 1.0))
    ordered = sorted(((a, b, c) for (a, b), c in pairs.items()), key=lambda p: -abs(p[2]))
    found = tuple(p for p in ordered if p[0] not in loose or p[1] not in loose)
    return FitDiagnosis(worst, at_bounds(law, point), tuple(loose), found)


def _label(slot: tuple[str, tuple[int, ...]]) -> str:
    name, element = slot
    return f"{name}[{', '.join(map(str, element))}]" if element else name


def _free(law: CompiledLaw, labels: NDArray[np.int64], values: FloatArray) -> NDArray[np.bool_]:
    """Scalars away from their bounds."""
    lo, hi = law.lower[labels], law.upper[labels]
    tight = np.where(np.isfinite(hi - lo), 1e-9 * (hi - lo), 1e-9)
    inside = (values > lo + tight) & (values < hi - tight)
    return np.asarray(np.where(law.transform[labels] == 1, np.abs(values) < DISAPPEARED, inside))


def _systems(result: FitResult, matrices: FloatArray) -> list[tuple[FloatArray, NDArray[np.int64], FloatArray]]:
    """Normal matrices to look at, each with the numbers and values of its scalars: one per block, or per problem."""
    law, point, problems = result.law, result.point, result.blocks.problems
    pl, ps = law.local, law.shared
    local, shared = np.arange(pl), np.arange(pl, pl + ps)
    if ps == 0:
        return [(H, local, theta) for H, theta in zip(matrices, point.local, strict=True)]
    out = []
    for i, (b0, b1) in enumerate(pairwise(problems)):
        own = (b1 - b0) * pl
        if own + ps > LARGEST:
            out.append((matrices[b0:b1, pl:, pl:].sum(axis=0), shared, point.shared[i]))
            continue
        H = np.zeros((own + ps, own + ps))
        for k, M in enumerate(matrices[b0:b1]):
            span = slice(k * pl, (k + 1) * pl)
            H[span, span] = M[:pl, :pl]
            H[span, own:], H[own:, span] = M[:pl, pl:], M[pl:, :pl]
            H[own:, own:] += M[pl:, pl:]
        labels = np.concatenate([np.tile(local, b1 - b0), shared])
        out.append((H, labels, np.concatenate([point.local[b0:b1].ravel(), point.shared[i]])))
    return out
