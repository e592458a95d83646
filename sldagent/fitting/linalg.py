"""Small dense linear algebra for the solver, in numba: a Cholesky factor that skips undetermined directions, and bounded
least squares in Gram space."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sldagent.fitting.compiling import INNER

PIVOT = 1e-13
"""A pivot below this share of its (unit) diagonal marks a direction that the rows do not determine."""


@njit(**INNER)
def cholesky(A, n, skip):  # type: ignore[no-untyped-def]
    """In-place lower Cholesky factor of A[:n, :n] with unit-scale diagonal; undetermined pivots are skipped.

    Returns the number skipped; ``skip[k]`` is True where row k was.
    """
    lost = 0
    for k in range(n):
        d = A[k, k]
        for q in range(k):
            d -= A[k, q] * A[k, q]
        if not (d > PIVOT):
            skip[k] = True
            lost += 1
            for r in range(k, n):
                A[r, k] = 0.0
            continue
        skip[k] = False
        root = math.sqrt(d)
        A[k, k] = root
        for r in range(k + 1, n):
            s = A[r, k]
            for q in range(k):
                s -= A[r, q] * A[k, q]
            A[r, k] = s / root
    return lost


@njit(**INNER)
def cholesky_solve(A, n, skip, x):  # type: ignore[no-untyped-def]
    """Solve A A' x = rhs in place (x holds rhs); skipped rows get 0."""
    for k in range(n):
        if skip[k]:
            x[k] = 0.0
            continue
        s = x[k]
        for q in range(k):
            s -= A[k, q] * x[q]
        x[k] = s / A[k, k]
    for k in range(n - 1, -1, -1):
        if skip[k]:
            continue
        s = x[k]
        for q in range(k + 1, n):
            s -= A[q, k] * x[q]
        x[k] = s / A[k, k]


@njit(**INNER)
def bounded_step(H, g, idx, k, x, lo, hi, d):  # type: ignore[no-untyped-def]
    """Step d on the coordinates ``idx[:k]`` that minimises d'Hd/2 + g'd subject to lo <= x + d <= hi.

    Primal active set: solve on the free coordinates, walk to the first bound met, drop it; when no bound is met, free the
    fixed coordinate whose multiplier has the wrong sign.  H is the Gram matrix, so each solve is one small Cholesky.
    """
    state = np.zeros(k, np.int64)  # 0 free, -1 at lower, 1 at upper
    cur = np.empty(k)
    scale = np.empty(k)
    for p in range(k):
        i = idx[p]
        scale[p] = 1.0 / math.sqrt(H[i, i]) if H[i, i] > 0.0 else 0.0
        cur[p] = min(max(x[i], lo[i]), hi[i]) - x[i]
        if x[i] + cur[p] <= lo[i]:
            state[p] = -1
        elif x[i] + cur[p] >= hi[i]:
            state[p] = 1
        if scale[p] == 0.0 and state[p] == 0:
            state[p] = 2  # no row depends on it: leave it
    grad = np.empty(k)
    A = np.empty((k, k))
    rhs = np.empty(k)
    skip = np.zeros(k, np.bool_)
    free = np.empty(k, np.int64)
    for _ in range(3 * k + 3):
        for p in range(k):
            s = g[idx[p]]
            for q in range(k):
                s += H[idx[p], idx[q]] * cur[q]
            grad[p] = s
        n = np.int64(0)
        for p in range(k):
            if state[p] == 0:
                free[n] = p
                n += 1
        moved = False
        if n > 0:
            for u in range(n):
                for v in range(u + 1):
                    A[u, v] = H[idx[free[u]], idx[free[v]]] * scale[free[u]] * scale[free[v]]
                rhs[u] = -grad[free[u]] * scale[free[u]]
            cholesky(A, n, skip)
            cholesky_solve(A, n, skip, rhs)
            t = 1.0
            hit = -1
            side = 0
            for u in range(n):
                p = free[u]
                step = rhs[u] * scale[p]
                new = x[idx[p]] + cur[p] + step
                if new < lo[idx[p]] and step < 0.0:
                    room = (lo[idx[p]] - x[idx[p]] - cur[p]) / step
                    if room < t:
                        t, hit, side = room, p, -1
                elif new > hi[idx[p]] and step > 0.0:
                    room = (hi[idx[p]] - x[idx[p]] - cur[p]) / step
                    if room < t:
                        t, hit, side = room, p, 1
            t = max(t, 0.0)
            for u in range(n):
                cur[free[u]] += t * rhs[u] * scale[free[u]]
            if hit >= 0:
                state[hit] = side
                cur[hit] = (lo[idx[hit]] if side < 0 else hi[idx[hit]]) - x[idx[hit]]
                moved = True
        if moved:
            continue
        worst = -1
        gain = 1e-12
        for p in range(k):
            if state[p] == 1 or state[p] == -1:
                s = g[idx[p]]
                for q in range(k):
                    s += H[idx[p], idx[q]] * cur[q]
                pull = s * scale[p] * state[p]  # > 0: the objective falls by leaving the bound
                if pull > gain and hi[idx[p]] > lo[idx[p]]:
                    gain = pull
                    worst = p
        if worst < 0:
            break
        state[worst] = 0
    for p in range(k):
        d[idx[p]] = cur[p]
