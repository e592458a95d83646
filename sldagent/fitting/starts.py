"""Random starts on the data's own scale.

Only parameters that enter non-affinely need starts.  Declared ranges (`Parameter.start`) are drawn from as they are.
Others are *balanced*: where a parameter is added to something it starts at that thing's size, where it multiplies
something inside a sum it starts so that the product is comparable to its neighbours, where it is a slope inside an
exponential it starts so that the exponent varies by order one over the rows.  Independent log-uniform boxes hit the
optimum half as often.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.graph import BINARY, NUMPY, Graph
from sldagent.fitting.reference import reference as op
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Parameter

FloatArray = NDArray[np.float64]
SAMPLE = 24
"""Rows on which sizes are measured."""


def quasi_random(count: int, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """(count, dimensions) points of the additive recurrence with generalised golden ratios, randomly shifted."""
    if dimensions == 0:
        return np.zeros((count, 0))
    if dimensions > 16:
        return rng.random((count, dimensions))
    phi = 2.0
    for _ in range(40):
        phi = (1.0 + phi) ** (1.0 / (dimensions + 1))
    alpha = phi ** -np.arange(1.0, dimensions + 1)
    return np.asarray((rng.random(dimensions) + np.arange(1, count + 1)[:, None] * alpha) % 1.0)


def start_matrix(law: CompiledLaw, rows: Rows, count: int, rng: np.random.Generator, power: float = 1.0) -> FloatArray:
    """(count, local + shared) starts in the engine's space.

    Args:
        power: an interval that holds 0 without a declared start is drawn from as +-|u|**power: the larger, the nearer to 0.
    """
    n = law.local + law.shared
    u = quasi_random(count, n, rng)
    phys = np.zeros((count, n))
    open_ = []
    for q in range(n):
        p = law.parameter_of(q)
        if law.linear[q]:
            phys[:, q] = min(max(0.0, law.lower[q]), law.upper[q])
        elif p.start is not None:
            phys[:, q] = _spread(p, u[:, q])
        elif p.kind == "interval" and math.isfinite(p.upper - p.lower):
            lo, hi = p.lower, min(p.upper, p.lower + 1.0) if p.lower >= 0 else p.upper
            phys[:, q] = lo + (hi - lo) * (0.03 + 0.94 * u[:, q])
            if power != 1.0 and lo < 0.0 < hi:
                phys[:, q] *= (np.abs(phys[:, q]) / np.where(phys[:, q] > 0.0, hi, -lo)) ** (power - 1.0)
        else:
            phys[:, q] = 1.0 if p.kind == "positive" else 0.5
            open_.append(q)
    if open_:
        index = np.unique(np.linspace(0, rows.n - 1, SAMPLE).astype(np.int64))
        sample = rows.take(index)
        for q in open_:
            graph = next((g for g in law.graphs if _node_of(g, q) >= 0), None)
            if graph is not None:
                phys[:, q] = _balanced(law.parameter_of(q), graph, q, phys, sample, u[:, q])
    theta = phys
    for q in range(n):
        if law.transform[q]:
            theta[:, q] = np.log(np.maximum(phys[:, q], 1e-99))
        theta[:, q] = np.clip(theta[:, q], law.lower[q], law.upper[q])
    return theta


def _spread(p: Parameter, u: FloatArray) -> FloatArray:
    assert p.start is not None
    lo, hi = p.start
    if p.kind == "positive" and lo > 0.0 and hi / lo > 20.0:
        return np.asarray(lo * (hi / lo) ** u)
    return np.asarray(lo + (hi - lo) * u)


def _node_of(g: Graph, q: int) -> int:
    for k, code in enumerate(g.code):
        if code == op.PARAMETER and g.left[k] == q:
            return k
    return -1


def _consumers(g: Graph, node: int) -> list[int]:
    """Nodes that use `node`, among those that the prediction is computed from."""
    return [
        k
        for k in g.needed()
        if g.depends[k] and g.code[k] != op.PARAMETER and (g.left[k] == node or (g.code[k] in BINARY and g.right[k] == node))
    ]


def _values(g: Graph, phys: FloatArray, rows: Rows) -> list[FloatArray]:
    """Values of every node, (starts, rows) each (or broadcastable to it)."""
    out: list[FloatArray] = []
    with np.errstate(all="ignore"):
        for k, code in enumerate(g.code):
            if code == op.PARAMETER:
                out.append(phys[:, g.left[k], None])
            elif code == op.CONST:
                out.append(np.full((1, 1), g.value[k]))
            elif not g.depends[k]:
                out.append(rows.feature(g, k)[None, :])
            elif code in BINARY:
                out.append(NUMPY[code](out[g.left[k]], out[g.right[k]]))
            else:
                out.append(NUMPY[code](out[g.left[k]]))
    return out


def _size(x: FloatArray, starts: int) -> FloatArray:
    """Typical magnitude (geometric mean of the non-zero values) over the rows, per start; 1 where there is none."""
    size = np.abs(x)
    good = (size > 1e-200) & (size < 1e200)
    with np.errstate(all="ignore"):
        s = np.exp(np.where(good, np.log(size), 0.0).sum(axis=1) / good.sum(axis=1))
    return np.asarray(np.broadcast_to(np.where(np.isfinite(s), s, 1.0), (starts,)))


def _balanced(p: Parameter, g: Graph, q: int, phys: FloatArray, rows: Rows, u: FloatArray) -> FloatArray:
    node = _node_of(g, q)
    starts = phys.shape[0]
    values = _values(g, phys, rows)
    users = _consumers(g, node)
    factor = 10.0 ** (2.0 * u - 1.0)  # 0.1 .. 10
    sign = np.where((u * 7919.0) % 1.0 < 0.3, -1.0, 1.0) if p.kind == "real" else np.ones(starts)
    if not users:
        return sign * factor
    k = users[0]
    code = g.code[k]
    other = values[g.right[k] if g.left[k] == node else g.left[k]] if code in BINARY else None
    if code in (op.ADD, op.SUB) and other is not None:
        if p.kind == "real":
            with np.errstate(all="ignore"):
                mean = np.broadcast_to(np.nanmean(other, axis=1), (starts,))
                width = np.broadcast_to(np.nanstd(other, axis=1), (starts,)) + 1e-6 * np.abs(mean)
            turn = 1.0 if code == op.SUB else -1.0
            centre = turn * np.nan_to_num(mean) + np.nan_to_num(width) * (6.0 * u - 3.0)
            return np.asarray(np.clip(centre, -1e30, 1e30))
        return np.asarray(np.clip(_size(other, starts) * factor**1.5, 1e-90, 1e90))
    if code == op.MUL and other is not None:
        return sign * _amplitude(g, k, values, other, factor, starts)
    if code == op.DIV and other is not None:
        if g.left[k] == node:
            return np.asarray(sign * factor * _size(other, starts))
        return np.asarray(sign * np.clip(factor * _size(other, starts), 1e-90, 1e90))
    return sign * factor if p.kind == "positive" else np.asarray(4.0 * u - 2.0)


def _amplitude(g: Graph, k: int, values: list[FloatArray], other: FloatArray, factor: FloatArray, starts: int) -> FloatArray:
    """Start of a factor of node k: a slope where the product is an exponent, else comparable to its neighbours in a sum."""
    if _bends(g, k):
        with np.errstate(all="ignore"):
            spread = np.broadcast_to(np.nanstd(other, axis=1), (starts,))
        spread = np.where(np.isfinite(spread) & (spread > 1e-12), spread, _size(other, starts))
        return np.asarray(0.55 * factor**0.75 / spread)
    users = [c for c in _consumers(g, k) if g.code[c] in (op.ADD, op.SUB, op.DIV)]
    if users:
        sibling = g.right[users[0]] if g.left[users[0]] == k else g.left[users[0]]
        return np.asarray(factor * _size(values[sibling], starts) / _size(other, starts))
    return np.asarray(factor / _size(other, starts))


def _bends(g: Graph, k: int) -> bool:
    """Whether node k reaches a bounded or exponential function through sums only."""
    for _ in range(len(g.code)):
        users = _consumers(g, k)
        if not users:
            return False
        k = users[0]
        if g.code[k] in (op.EXP, op.TANH, op.SIGMOID, op.SOFTPLUS):
            return True
        if g.code[k] not in (op.ADD, op.SUB, op.NEG):
            return False
    return False
