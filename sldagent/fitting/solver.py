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

from sldagent.fitting.kernels import BLOCK, JIT, backward, forward
from sldagent.fitting.linalg import bounded_step, cholesky, cholesky_solve

SQUARED, HUBER = 0, 1
"""Loss codes.  SQUARED is r**2 / 2; HUBER is quadratic up to delta and linear beyond."""


@njit(**JIT)
def _residuals(f, y, w, u, m, loss, delta, log_space, r, s):  # type: ignore[no-untyped-def]
    """Loss of m rows; u = units of the residuals (1, or 1 / |y|).

    r = weighted residuals, s = weights that turn df into their Jacobian.  +inf when undefined."""
    total = 0.0
    for j in range(m):
        if log_space:
            if not (f[j] > 0.0):
                return math.inf
            e = math.log(f[j]) - y[j]
            scale = 1.0 / f[j]
        else:
            e = u[j] * (f[j] - y[j])
            scale = u[j]
        root = w[j]
        if loss == HUBER:
            size = abs(e)
            if size > delta:
                total += root * root * delta * (size - 0.5 * delta)
                root *= math.sqrt(delta / size)
            else:
                total += 0.5 * root * root * e * e
        else:
            total += 0.5 * root * root * e * e
        r[j] = root * e
        s[j] = root * scale
    if not (total < math.inf):
        return math.inf
    return total


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc", "contract"})
def _accumulate(J, r, active, n, m, H, g):  # type: ignore[no-untyped-def]
    """H += J J', g += J r over m rows, for the parameters ``active[:n]``."""
    for u in range(n):
        row = J[u]
        s = 0.0
        for j in range(m):
            s += row[j] * r[j]
        g[active[u]] += s
        for v in range(u + 1):
            other = J[v]
            s = 0.0
            for j in range(m):
                s += row[j] * other[j]
            H[active[u], active[v]] += s
            if u != v:
                H[active[v], active[u]] += s


@njit(**JIT)
def evaluate(tape, data, blocks, b0, b1, tl, ts, spec, loss, delta, log_space, H, g):  # type: ignore[no-untyped-def]
    """Objective of blocks b0 .. b1 at local parameters tl[b] and shared ts; fills H[b], g[b] (local then shared)."""
    ops, a, b, c, dep, lengths, nodes = tape
    F, Y, W, U = data
    seg_target, seg_lo, seg_hi, block_seg = blocks
    transform, ridge = spec[0], spec[3]
    pl = tl.shape[1]
    p = pl + ts.shape[0]
    height = ops.shape[1]
    V = np.empty((height + 1, BLOCK))
    G = np.empty((height, BLOCK))
    J = np.empty((p, BLOCK))
    r = np.empty(BLOCK)
    s = np.empty(BLOCK)
    fbuf = np.empty(BLOCK)
    ibuf = fbuf.view(np.int64)
    phys = np.empty(p)
    slope = np.empty(p)
    active = np.empty(p, np.int64)
    total = 0.0
    for k in range(b0, b1):
        H[k] = 0.0
        g[k] = 0.0
        for q in range(p):
            theta = tl[k, q] if q < pl else ts[q - pl]
            if transform[q] == 1:
                phys[q] = math.exp(theta)
                slope[q] = phys[q]
            else:
                phys[q] = theta
                slope[q] = 1.0
        for seg in range(block_seg[k], block_seg[k + 1]):
            t = seg_target[seg]
            length = lengths[t]
            n = 0
            for q in range(p):
                if nodes[t, q] >= 0:
                    active[n] = q
                    n += 1
            for r0 in range(seg_lo[seg], seg_hi[seg], BLOCK):
                m = min(BLOCK, seg_hi[seg] - r0)
                forward(ops[t], a[t], b[t], c[t], length, F, r0, m, phys, V, fbuf, ibuf)
                part = _residuals(V[length - 1], Y[t, r0:], W[t, r0:], U[t, r0:], m, loss, delta, log_space, r, s)
                if part == math.inf:
                    return math.inf
                total += part
                if n == 0:
                    continue
                backward(ops[t], a[t], b[t], dep[t], length, m, V, G, fbuf, ibuf)
                for u in range(n):
                    row = G[nodes[t, active[u]]]
                    col = J[u]
                    z = slope[active[u]]
                    for j in range(m):
                        col[j] = row[j] * s[j] * z
                _accumulate(J, r, active, n, m, H[k], g[k])
        for q in range(pl):
            if ridge[q] > 0.0:
                total += 0.5 * ridge[q] * phys[q] * phys[q]
                g[k, q] += ridge[q] * phys[q] * slope[q]
                H[k, q, q] += ridge[q] * slope[q] * slope[q]
        for q in range(p):
            if not (abs(g[k, q]) < math.inf) or not (H[k, q, q] < math.inf):
                return math.inf
    for q in range(pl, p):
        if ridge[q] > 0.0:
            total += 0.5 * ridge[q] * phys[q] * phys[q]
            g[b0, q] += ridge[q] * phys[q] * slope[q]
            H[b0, q, q] += ridge[q] * slope[q] * slope[q]
    return total


@njit(**JIT)
def _step(H, g, b0, b1, tl, ts, spec, damping, inner, dl, ds):  # type: ignore[no-untyped-def]
    """Damped Gauss-Newton step by the Schur complement; coordinates held at a bound by the gradient do not move.

    With `inner` the affine parameters are not damped (they are re-solved afterwards).
    """
    lower, upper, linear = spec[1], spec[2], spec[4]
    pl = tl.shape[1]
    ps = ts.shape[0]
    C = np.zeros((ps, ps))
    gs = np.zeros(ps)
    for k in range(b0, b1):
        for u in range(ps):
            gs[u] += g[k, pl + u]
            for v in range(ps):
                C[u, v] += H[k, pl + u, pl + v]
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
    for i in range(nb):
        k = b0 + i
        for q in range(pl):
            stuck = (tl[k, q] <= lower[q] and g[k, q] > 0.0) or (tl[k, q] >= upper[q] and g[k, q] < 0.0)
            if H[k, q, q] > 0.0 and not stuck:
                sl[i, q] = 1.0 / math.sqrt(H[k, q, q])
        for u in range(pl):
            for v in range(u + 1):
                A[u, v] = H[k, u, v] * sl[i, u] * sl[i, v]
            extra = damping
            if inner and linear[u]:
                extra = 1e-12
            A[u, u] = 1.0 + extra
        cholesky(A, pl, skip)
        for u in range(ps):
            for q in range(pl):
                X[i, u, q] = H[k, q, pl + u] * sl[i, q] * ss[u]
            cholesky_solve(A, pl, skip, X[i, u])
        for q in range(pl):
            X[i, ps, q] = -g[k, q] * sl[i, q]
        cholesky_solve(A, pl, skip, X[i, ps])
        for u in range(ps):
            for q in range(pl):
                bq = H[k, q, pl + u] * sl[i, q] * ss[u]
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
            dl[b0 + i, q] = z * sl[i, q]
    for u in range(ps):
        ds[u] = rhs_s[u] * ss[u]


@njit(**JIT)
def _project(H, g, b0, b1, tl, spec, idx, n, d):  # type: ignore[no-untyped-def]
    """Re-solve the affine parameters of every block within bounds; returns the change of the objective it predicts."""
    change = 0.0
    for k in range(b0, b1):
        bounded_step(H[k], g[k], idx, n, tl[k], spec[1], spec[2], d)
        for u in range(n):
            q = idx[u]
            z = 0.0
            for v in range(n):
                z += H[k, q, idx[v]] * d[idx[v]]
            change += d[q] * (g[k, q] + 0.5 * z)
        for u in range(n):
            q = idx[u]
            tl[k, q] = min(max(tl[k, q] + d[q], spec[1][q]), spec[2][q])
    return change


@njit(**JIT)
def minimise(tape, data, blocks, b0, b1, tl, ts, spec, loss, delta, log_space, inner, limit, tolerance):  # type: ignore[no-untyped-def]
    """Levenberg-Marquardt on one problem, in place on tl[b0:b1] and ts; returns (objective, evaluations).

    Stops after `limit` trial points, or when two accepted steps in a row gain less than `tolerance` of the objective.
    """
    lower, upper, linear = spec[1], spec[2], spec[4]
    nb = tl.shape[0]
    pl = tl.shape[1]
    ps = ts.shape[0]
    p = pl + ps
    H = np.empty((nb, p, p))
    g = np.empty((nb, p))
    H2 = np.empty((nb, p, p))
    g2 = np.empty((nb, p))
    dl = np.zeros((nb, pl))
    ds = np.zeros(ps)
    d = np.zeros(p)
    idx = np.empty(pl, np.int64)
    n = 0
    for q in range(pl):
        if linear[q]:
            idx[n] = q
            n += 1
    inner = inner and n > 0
    count = 1
    obj = evaluate(tape, data, blocks, b0, b1, tl, ts, spec, loss, delta, log_space, H, g)
    if not (obj < math.inf):
        return math.inf, count
    if inner:
        _project(H, g, b0, b1, tl, spec, idx, n, d)
        obj = evaluate(tape, data, blocks, b0, b1, tl, ts, spec, loss, delta, log_space, H, g)
        count += 1
        if not (obj < math.inf):
            return math.inf, count
        if n == p and loss == SQUARED and not log_space:
            return obj, count
    trial = tl.copy()
    shared = ts.copy()
    damping = 1e-2
    small = 0
    while count < limit:
        _step(H, g, b0, b1, tl, ts, spec, damping, inner, dl, ds)
        for k in range(b0, b1):
            for q in range(pl):
                trial[k, q] = min(max(tl[k, q] + dl[k, q], lower[q]), upper[q])
        for u in range(ps):
            shared[u] = min(max(ts[u] + ds[u], lower[pl + u]), upper[pl + u])
        new = evaluate(tape, data, blocks, b0, b1, trial, shared, spec, loss, delta, log_space, H2, g2)
        count += 1
        if inner and new < math.inf:
            guess = new + _project(H2, g2, b0, b1, trial, spec, idx, n, d)
            if guess < obj * (1.0 + 1e-9):
                new = evaluate(tape, data, blocks, b0, b1, trial, shared, spec, loss, delta, log_space, H2, g2)
                count += 1
            else:
                new = math.inf
        if new < obj:
            gain = (obj - new) / obj
            for k in range(b0, b1):
                for q in range(pl):
                    tl[k, q] = trial[k, q]
                for u in range(p):
                    g[k, u] = g2[k, u]
                    for v in range(p):
                        H[k, u, v] = H2[k, u, v]
            for u in range(ps):
                ts[u] = shared[u]
            obj = new
            damping = max(damping * 0.2, 1e-12)
            if gain < tolerance:
                small += 1
                if small >= 2:
                    break
            else:
                small = 0
            if obj < 1e-290:
                break
        else:
            damping *= 5.0
            if damping > 1e9:
                break
    return obj, count


@njit(**JIT)
def minimise_all(tape, data, blocks, problems, TL, TS, spec, loss, delta, log_space, inner, limit, tolerance):  # type: ignore[no-untyped-def]
    """`minimise` for every problem and every start.

    `problems` (np + 1,) bounds the blocks of each problem; TL (starts, blocks, pl) and TS (starts, problems, ps) are updated
    in place.  Returns objectives (starts, problems) and the number of evaluations.
    """
    ns = TL.shape[0]
    npr = problems.shape[0] - 1
    out = np.empty((ns, npr))
    total = 0
    for i in range(npr):
        b0 = problems[i]
        b1 = problems[i + 1]
        lo = blocks[3][b0]
        hi = blocks[3][b1]
        seg = np.empty(b1 - b0 + 1, np.int64)
        for k in range(b0, b1 + 1):
            seg[k - b0] = blocks[3][k] - lo
        own = (blocks[0][lo:hi], blocks[1][lo:hi], blocks[2][lo:hi], seg)
        for s in range(ns):
            obj, count = minimise(
                tape,
                data,
                own,
                0,
                b1 - b0,
                TL[s, b0:b1],
                TS[s, i],
                spec,
                loss,
                delta,
                log_space,
                inner,
                limit,
                tolerance,
            )
            out[s, i] = obj
            total += count
    return out, total
