"""The objective of a problem at a point, its gradient and bordered normal matrix, block after block, in numba."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sldagent.fitting.compiling import INNER, REASSOCIATE
from sldagent.fitting.kernels import BLOCK, backward, forward, vlog

SQUARED, HUBER = 0, 1
"""Loss codes.  SQUARED is r**2 / 2; HUBER is quadratic up to delta and linear beyond."""


TRANSFORM, LOWER, UPPER, RIDGE, LINEAR, SHRINK, CENTRE = range(7)
"""Rows of `spec` (7, parameters): see `CompiledLaw`; RIDGE: weight of a parameter's penalty; SHRINK: weight of the penalty
on its deviation from another, whose number is CENTRE."""
DEPENDS, AFFINE = 3, 4
"""Which derivatives `evaluate` takes: of all parameters, or of the affine ones (rows of the tape's `code`)."""


def workspace(height: int, p: int) -> tuple[NDArray[Any], ...]:
    """Buffers of `evaluate` for tapes of at most `height` nodes and p parameters, allocated once per minimisation.

    Values and derivatives of nodes; the Jacobian, then residuals, their slopes and scratch; the bits of the scratch row;
    physical parameters and their slopes; the numbers of the parameters that occur.
    """
    lines = np.empty((p + 3, BLOCK))
    return np.empty((2, height + 1, BLOCK)), lines, lines[p + 2].view(np.int64), np.empty((2, p)), np.empty(p, np.int64)


@njit(**REASSOCIATE)
def _residuals(f, data, t, r0, m, rule, r, s, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """Loss of m rows at predictions f; +inf where undefined.

    r = weighted residuals, s = weights that turn df into their Jacobian.  Beyond delta, Huber's loss has no curvature while
    iteratively reweighted least squares takes delta / |r| for it; `rule` says which share (squared) of that is taken.  The
    gradient, s * r, is the same.
    """
    loss, log_space, delta, curvature = rule
    rows = data[1]
    total = 0.0
    if log_space:
        vlog(f, r, m, fbuf, ibuf)
        for j in range(m):
            s[j] = 1.0 / f[j]
            r[j] = r[j] - rows[0, t, r0 + j] if f[j] < math.inf else math.nan
    else:
        for j in range(m):
            s[j] = rows[2, t, r0 + j]
            r[j] = s[j] * (f[j] - rows[0, t, r0 + j])
    if loss == HUBER:
        for j in range(m):
            size = abs(r[j])
            root = rows[1, t, r0 + j]
            outside = size > delta
            total += root * root * (delta * (size - 0.5 * delta) if outside else 0.5 * size * size)
            root *= math.sqrt(delta / size) if outside else 1.0
            turn = curvature if outside else 1.0
            r[j] *= root / turn
            s[j] *= root * turn
    else:
        for j in range(m):
            root = rows[1, t, r0 + j]
            r[j] *= root
            s[j] *= root
            total += 0.5 * r[j] * r[j]
    return total if total < math.inf else math.inf


@njit(**REASSOCIATE)
def _accumulate(J, r, active, n, m, k, H, g):  # type: ignore[no-untyped-def]
    """H[k] += J J' (lower triangle of ``active[:n]``), g[k] += J r over m rows."""
    for u in range(n):
        s = 0.0
        for j in range(m):
            s += J[u, j] * r[j]
        g[k, active[u]] += s
        for v in range(u + 1):
            s = 0.0
            for j in range(m):
                s += J[u, j] * J[v, j]
            H[k, active[u], active[v]] += s


@njit(**INNER)
def evaluate(tape, data, blocks, b0, b1, tl, ts, spec, rule, kind, work, H, g):  # type: ignore[no-untyped-def]
    """Objective of blocks b0 .. b1 at local parameters tl[b] and shared ts; fills H[b - b0], g[b - b0] (local then shared).

    With `kind` AFFINE only the part of the affine parameters is filled.  +inf where a prediction is undefined.

    Args:
        tape: `Tapes.kernel_arrays`.
        data: feature columns (features, rows), and (3, targets, rows): targets, weights, units of the residuals.
        blocks: segments (target, first row, row after the last), and where each block's segments begin.
        rule: loss, whether residuals are logarithms, delta, and the root of the share of curvature beyond it.
    """
    segments, block_seg = blocks
    nodes = tape[2]
    buffers, J, ibuf, at, active = work
    V, G, phys, slope = buffers[0], buffers[1], at[0], at[1]
    pl = tl.shape[1]
    p = pl + ts.shape[0]
    r, s, fbuf = J[p], J[p + 1], J[p + 2]
    total = 0.0
    for k in range(b0, b1):
        H[k - b0] = 0.0
        g[k - b0] = 0.0
        for q in range(p):
            theta = tl[k, q] if q < pl else ts[q - pl]
            phys[q] = math.exp(theta) if spec[TRANSFORM, q] == 1.0 else theta
            slope[q] = phys[q] if spec[TRANSFORM, q] == 1.0 else 1.0
        for seg in range(block_seg[k], block_seg[k + 1]):
            t = segments[seg, 0]
            n = np.int64(0)
            for q in range(p):
                if nodes[t, q + 1] >= 0 and (kind == DEPENDS or spec[LINEAR, q] == 1.0):
                    active[n] = q
                    n += 1
            for r0 in range(segments[seg, 1], segments[seg, 2], BLOCK):
                m = min(BLOCK, segments[seg, 2] - r0)
                forward(tape, t, data[0], r0, m, phys, V, fbuf, ibuf)
                part = _residuals(V[nodes[t, 0] - 1], data, t, r0, m, rule, r, s, fbuf, ibuf)
                if part == math.inf:
                    return math.inf
                total += part
                if n == 0:
                    continue
                backward(tape, t, kind, m, V, G, fbuf, ibuf)
                for u in range(n):
                    node = nodes[t, active[u] + 1]
                    z = slope[active[u]]
                    for j in range(m):
                        J[u, j] = G[node, j] * s[j] * z
                _accumulate(J, r, active, n, m, k - b0, H, g)
        for q in range(p):
            for u in range(q):
                H[k - b0, u, q] = H[k - b0, q, u]
        total += _penalty(spec, phys, slope, p if k == b0 else pl, k - b0, H, g)
        for q in range(p):
            if not (abs(g[k - b0, q]) < math.inf) or not (H[k - b0, q, q] < math.inf):
                return math.inf
    return total


@njit(**INNER)
def _penalty(spec, phys, slope, n, k, H, g):  # type: ignore[no-untyped-def]
    """Penalties of the first n parameters, added to H[k] and g[k]: ridge, and shrinkage in the engine's space."""
    total = 0.0
    for q in range(n):
        weight = spec[RIDGE, q]
        if weight > 0.0:
            total += 0.5 * weight * phys[q] * phys[q]
            g[k, q] += weight * phys[q] * slope[q]
            H[k, q, q] += weight * slope[q] * slope[q]
        weight = spec[SHRINK, q]
        if weight > 0.0:
            c = np.int64(spec[CENTRE, q])
            gap = (math.log(phys[q]) if spec[TRANSFORM, q] == 1.0 else phys[q]) - phys[c]
            total += 0.5 * weight * gap * gap
            g[k, q] += weight * gap
            g[k, c] -= weight * gap
            H[k, q, q] += weight
            H[k, c, c] += weight
            H[k, q, c] -= weight
            H[k, c, q] -= weight
    return total
