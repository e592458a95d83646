"""Levenberg-Marquardt and variable projection over the tape, in numba.

A *problem* is a set of blocks (groups, or group and target) that share parameters; without shared parameters every block is
a problem of its own.  Parameters of a block are numbered locally 0 .. pl-1, shared ones pl .. pl+ps-1.  The normal equations
have the bordered form

    [ A_1           B_1 ] [d_1]       [g_1]
    [      ...      ... ] [...]  =  - [...]
    [           A_m B_m ] [d_m]       [g_m]
    [ B_1' ...  B_m' C  ] [d_s]       [g_s]

and are solved by eliminating the blocks (Schur complement).  Variable projection (Golub & Pereyra 1973, Kaufman 1975): the
parameters in which the formula is jointly affine are re-solved, within their bounds, at every trial point of the others.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sldagent.fitting.compiling import INNER, entry
from sldagent.fitting.equations import AFFINE, DEPENDS, LINEAR, LOWER, SQUARED, UPPER, evaluate
from sldagent.fitting.linalg import bounded_step, cholesky, cholesky_solve


@njit(**INNER)
def _projected(H, scale, linear, damping, A, x, skip, extra):  # type: ignore[no-untyped-def]
    """extra[q] = damping times what is left of column q (of unit length) after projection on the affine columns.

    Most of a bent parameter's column is usually taken over by the affine ones; damping relative to the whole of it would
    hold the step far below its length.
    """
    p = scale.shape[0]
    n = np.int64(0)
    for u in range(p):
        if linear[u] == 1.0:
            m = np.int64(0)
            for v in range(u + 1):
                if linear[v] == 1.0:
                    A[n, m] = H[u, v] * scale[u] * scale[v]
                    m += 1
            A[n, n] = 1.0 + 1e-12
            n += 1
    cholesky(A, n, skip)
    for q in range(p):
        if linear[q] == 1.0:
            extra[q] = 1e-12
            continue
        m = np.int64(0)
        for u in range(p):
            if linear[u] == 1.0:
                x[m] = H[u, q] * scale[u] * scale[q]
                m += 1
        cholesky_solve(A, n, skip, x)
        left = 1.0
        m = np.int64(0)
        for u in range(p):
            if linear[u] == 1.0:
                left -= H[u, q] * scale[u] * scale[q] * x[m]
                m += 1
        extra[q] = damping * max(left, 1e-7)


@njit(**INNER)
def _step(H, g, b0, b1, tl, ts, spec, damping, inner, dl, ds):  # type: ignore[no-untyped-def]
    """Damped Gauss-Newton step by the Schur complement; coordinates held at a bound by the gradient do not move.

    With `inner` the affine parameters are not damped (they are re-solved afterwards), the others relative to `_projected`.
    """
    lower, upper, linear = spec[LOWER], spec[UPPER], spec[LINEAR]
    pl = tl.shape[1]
    ps = ts.shape[0]
    C = np.zeros((ps, ps))
    gs = np.zeros(ps)
    for i in range(b1 - b0):
        for u in range(ps):
            gs[u] += g[i, pl + u]
            for v in range(ps):
                C[u, v] += H[i, pl + u, pl + v]
    ss = np.zeros(ps)
    for u in range(ps):
        stuck = (ts[u] <= lower[pl + u] and gs[u] > 0.0) or (ts[u] >= upper[pl + u] and gs[u] < 0.0)
        if C[u, u] > 0.0 and not stuck:
            ss[u] = 1.0 / math.sqrt(C[u, u])
    S = np.zeros((ps, ps))
    rhs_s = np.zeros(ps)
    for u in range(ps):
        rhs_s[u] = -gs[u] * ss[u]
        for v in range(ps):
            S[u, v] = C[u, v] * ss[u] * ss[v]
        S[u, u] = 1.0 + damping if ss[u] > 0.0 else 1.0
    nb = b1 - b0
    X = np.zeros((nb, ps + 1, pl))  # columns of A^-1 [B, -g], scaled
    sl = np.zeros((nb, pl))
    A = np.empty((pl, pl))
    skip = np.zeros(max(pl, ps), np.bool_)
    extra = np.empty(pl)
    for i in range(nb):
        k = b0 + i
        for q in range(pl):
            stuck = (tl[k, q] <= lower[q] and g[i, q] > 0.0) or (tl[k, q] >= upper[q] and g[i, q] < 0.0)
            if H[i, q, q] > 0.0 and not stuck:
                sl[i, q] = 1.0 / math.sqrt(H[i, q, q])
            extra[q] = damping
        if inner:
            _projected(H[i], sl[i], linear, damping, A, X[i, ps], skip, extra)
        for u in range(pl):
            for v in range(u + 1):
                A[u, v] = H[i, u, v] * sl[i, u] * sl[i, v]
            A[u, u] = 1.0 + extra[u]
        cholesky(A, pl, skip)
        for u in range(ps):
            for q in range(pl):
                X[i, u, q] = H[i, q, pl + u] * sl[i, q] * ss[u]
            cholesky_solve(A, pl, skip, X[i, u])
        for q in range(pl):
            X[i, ps, q] = -g[i, q] * sl[i, q]
        cholesky_solve(A, pl, skip, X[i, ps])
        for u in range(ps):
            for q in range(pl):
                bq = H[i, q, pl + u] * sl[i, q] * ss[u]
                rhs_s[u] -= bq * X[i, ps, q]
                for v in range(ps):
                    S[u, v] -= bq * X[i, v, q]
    if ps > 0:
        cholesky(S, ps, skip)
        cholesky_solve(S, ps, skip, rhs_s)
    for i in range(nb):
        for q in range(pl):
            z = X[i, ps, q]
            for u in range(ps):
                z -= X[i, u, q] * rhs_s[u]
            dl[i, q] = z * sl[i, q]
    for u in range(ps):
        ds[u] = rhs_s[u] * ss[u]


@njit(**INNER)
def _project(H, g, b0, b1, tl, spec, idx, n, d):  # type: ignore[no-untyped-def]
    """Re-solve the affine parameters of every block within bounds; returns the change of the objective it predicts."""
    lower, upper = spec[LOWER], spec[UPPER]
    change = 0.0
    for i in range(b1 - b0):
        k = b0 + i
        bounded_step(H[i], g[i], idx, n, tl[k], lower, upper, d)
        for u in range(n):
            q = idx[u]
            z = 0.0
            for v in range(n):
                z += H[i, q, idx[v]] * d[idx[v]]
            change += d[q] * (g[i, q] + 0.5 * z)
        for u in range(n):
            q = idx[u]
            tl[k, q] = min(max(tl[k, q] + d[q], lower[q]), upper[q])
    return change


@njit(**INNER)
def _affine(linear, pl, idx):  # type: ignore[no-untyped-def]
    """Numbers of the affine local parameters in idx[:n]; returns n."""
    n = np.int64(0)
    for q in range(pl):
        if linear[q] == 1.0:
            idx[n] = q
            n += 1
    return n


@njit(**INNER)
def minimise(tape, data, blocks, b0, b1, TL, TS, spec, rule, inner, limit, tolerance, work, normal):  # type: ignore[no-untyped-def]
    """Levenberg-Marquardt on one problem, in place on TL[b0:b1] and TS; returns (objective, evaluations).

    The normal matrices and gradients there, (blocks, p, p) and (blocks, p), go to the problem's part of `normal`.
    Stops after `limit` trial points, or when two accepted steps in a row gain less than `tolerance` of the objective.
    """
    lower, upper, linear = spec[LOWER], spec[UPPER], spec[LINEAR]
    nb = b1 - b0
    pl = TL.shape[1]
    ps = TS.shape[0]
    p = pl + ps
    H, g = np.empty((nb, p, p)), np.empty((nb, p))
    H2, g2 = np.empty((nb, p, p)), np.empty((nb, p))
    dl, ds, d = np.zeros((nb, pl)), np.zeros(ps), np.zeros(p)
    idx = np.empty(pl, np.int64)
    n = _affine(linear, pl, idx)
    inner = inner and n > 0
    full = np.int64(DEPENDS)  # not literals: numba would compile one kernel for each
    affine = np.int64(AFFINE) if inner else full
    trial, shared = TL.copy(), TS.copy()
    count = 0
    damping = 1e-2
    small = 0
    obj = math.inf
    while True:
        # the first round re-solves the affine parameters only: a step of length 0 from the start
        new = evaluate(tape, data, blocks, b0, b1, trial, shared, spec, rule, affine, work, H2, g2)
        count += 1
        if inner and new < math.inf:
            guess = new + _project(H2, g2, b0, b1, trial, spec, idx, n, d)
            if guess < obj * (1.0 + 1e-9):
                new = evaluate(tape, data, blocks, b0, b1, trial, shared, spec, rule, full, work, H2, g2)
                count += 1
            else:
                new = math.inf
        if new < obj:
            gain = (obj - new) / obj if obj < math.inf else 1.0
            for k in range(b0, b1):
                for q in range(pl):
                    TL[k, q] = trial[k, q]
            for u in range(ps):
                TS[u] = shared[u]
            H, H2 = H2, H
            g, g2 = g2, g
            if obj < math.inf:
                damping = max(damping * 0.2, 1e-12)
            obj = new
            small = small + 1 if gain < tolerance else 0
            if small >= 2 or obj < 1e-290:
                break
        else:
            damping *= 5.0
            if damping > 1e9 or not (obj < math.inf):
                break
        if count >= limit or (inner and n == p and rule[0] == SQUARED and not rule[1]):
            break
        _step(H, g, b0, b1, TL, TS, spec, damping, inner, dl, ds)
        for k in range(b0, b1):
            for q in range(pl):
                trial[k, q] = min(max(TL[k, q] + dl[k - b0, q], lower[q]), upper[q])
        for u in range(ps):
            shared[u] = min(max(TS[u] + ds[u], lower[pl + u]), upper[pl + u])
    for i in range(nb):
        for q in range(p):
            normal[1][b0 + i, q] = g[i, q]
            for u in range(p):
                normal[0][b0 + i, q, u] = H[i, q, u]
    return obj, count


@entry
def minimise_all(tape, data, blocks, problems, TL, TS, spec, rule, inner, limit, tolerance, work, normal):  # type: ignore[no-untyped-def]
    """`minimise` for every problem and every start.

    `problems` (np + 1,) bounds the blocks of each problem; TL (starts, blocks, pl) and TS (starts, problems, ps) are updated
    in place.  Returns objectives (starts, problems) and the number of evaluations; `normal` gets the matrices of the last
    start.  With `limit` 1 it evaluates.
    """
    out = np.empty((TL.shape[0], problems.shape[0] - 1))
    total = 0
    for i in range(out.shape[1]):
        for s in range(out.shape[0]):
            b0, b1 = problems[i], problems[i + 1]
            out[s, i], count = minimise(
                tape, data, blocks, b0, b1, TL[s], TS[s, i], spec, rule, inner, limit, tolerance, work, normal
            )
            total += count
    return out, total
