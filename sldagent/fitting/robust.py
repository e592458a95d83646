"""Huber's loss minimised through exactly solved linear models, in numba.

Gauss-Newton for robust losses (Anderson & Osborne 1977 for least absolute values; Madsen & Nielsen 1990 for Huber's linear
problem): at every point the predictions are linearised, and Huber's loss of the linear model, which is piecewise quadratic,
is minimised within the box by Newton steps on the rows inside the threshold with exact line searches.
Where few rows lie inside, the loss is nearly that of least absolute values, and reweighted least squares (`solver`) needs
hundreds of steps along the valleys of formulas whose terms nearly cancel; this needs a fifth of the evaluations.

As in `solver`, the affine parameters are re-solved at every trial point of the others, here for Huber's loss too.  For
problems of one block (no shared parameters).  Compiled only when a thorough fit first asks for it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sldagent.fitting.compiling import INNER, REASSOCIATE, entry
from sldagent.fitting.equations import AFFINE, DEPENDS, LINEAR, LOWER, RIDGE, TRANSFORM, UPPER
from sldagent.fitting.kernels import BLOCK, backward, forward, vlog
from sldagent.fitting.linalg import bounded_step
from sldagent.fitting.solver import _affine, _projected

STEPS = 6
"""Newton steps on one linear model: more gain nothing, since the model itself is only good for one step."""
LEAST = 1e-13
"""Share of the diagonal of reweighted least squares that is added, since the rows inside may be fewer than parameters."""


@njit(**INNER)
def _linearise(tape, data, segments, s0, s1, theta, spec, log_space, kind, work, r, J):  # type: ignore[no-untyped-def]
    """Unweighted residuals r (rows,) of segments s0 .. s1 at theta, and their derivatives J (p, rows).

    With `kind` AFFINE only the derivatives of the affine parameters are filled.
    """
    nodes, rows = tape[2], data[1]
    buffers, lines, ibuf, at, _ = work
    V, G, phys, slope = buffers[0], buffers[1], at[0], at[1]
    p = theta.shape[0]
    s, fbuf = lines[p + 1], lines[p + 2]
    for q in range(p):
        phys[q] = math.exp(theta[q]) if spec[TRANSFORM, q] == 1.0 else theta[q]
        slope[q] = phys[q] if spec[TRANSFORM, q] == 1.0 else 1.0
    first = np.int64(0)
    for seg in range(s0, s1):
        t = segments[seg, 0]
        for r0 in range(segments[seg, 1], segments[seg, 2], BLOCK):
            m = min(BLOCK, segments[seg, 2] - r0)
            forward(tape, t, data[0], r0, m, phys, V, fbuf, ibuf)
            _residual(V[nodes[t, 0] - 1], rows, t, r0, m, log_space, r, first, s, fbuf, ibuf)
            backward(tape, t, kind, m, V, G, fbuf, ibuf)
            for q in range(p):
                if kind == DEPENDS or spec[LINEAR, q] == 1.0:
                    _column(G, nodes[t, q + 1], s, slope[q], m, J[q], first)
            first += m


@njit(**REASSOCIATE)
def _residual(f, rows, t, r0, m, log_space, r, first, s, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """Residuals r[first:] of m rows at predictions f (NaN: undefined), and factors s that turn df into their derivatives."""
    if log_space:
        vlog(f, s, m, fbuf, ibuf)
        for j in range(m):
            r[first + j] = s[j] - rows[0, t, r0 + j] if f[j] < math.inf else math.nan
            s[j] = 1.0 / f[j]
    else:
        for j in range(m):
            s[j] = rows[2, t, r0 + j]
            r[first + j] = s[j] * (f[j] - rows[0, t, r0 + j])


@njit(**REASSOCIATE)
def _column(G, node, s, slope, m, out, first):  # type: ignore[no-untyped-def]
    """Derivatives in a parameter, from those in its node (-1: it does not occur)."""
    for j in range(m):
        out[first + j] = G[node, j] * s[j] * slope if node >= 0 else 0.0


@njit(**REASSOCIATE)
def _loss(r, c, delta):  # type: ignore[no-untyped-def]
    """Sum of c times Huber's function of r."""
    total = 0.0
    for j in range(r.shape[0]):
        size = abs(r[j])
        inside = min(size, delta)
        total += c[j] * inside * (size - 0.5 * inside)
    return total


@njit(**REASSOCIATE)
def _gradient(J, u, c, delta, idx, g, psi):  # type: ignore[no-untyped-def]
    """g[idx] = derivatives of Huber's loss at residuals u."""
    for j in range(u.shape[0]):
        psi[j] = c[j] * min(max(u[j], -delta), delta)
    for q in idx:
        total = 0.0
        for j in range(u.shape[0]):
            total += J[q, j] * psi[j]
        g[q] = total


@njit(**REASSOCIATE)
def _gram(J, w, idx, H, packed):  # type: ignore[no-untyped-def]
    """H[idx, idx] = J diag(w) J', over the rows of positive weight."""
    m = np.int64(0)
    for j in range(w.shape[0]):
        if w[j] > 0.0:
            root = math.sqrt(w[j])
            for a in range(idx.shape[0]):
                packed[a, m] = J[idx[a], j] * root
            m += 1
    for a in range(idx.shape[0]):
        for b in range(a + 1):
            total = 0.0
            for j in range(m):
                total += packed[a, j] * packed[b, j]
            H[idx[a], idx[b]] = total
            H[idx[b], idx[a]] = total


@njit(**REASSOCIATE)
def _weights(u, c, delta, beyond, w):  # type: ignore[no-untyped-def]
    """Second derivatives w of the loss (outside: `beyond` times those of reweighted least squares), and the rows inside."""
    inside = np.int64(0)
    for j in range(u.shape[0]):
        size = abs(u[j])
        inside += size <= delta
        w[j] = c[j] if size <= delta else c[j] * beyond * delta / size
    return inside


@njit(**REASSOCIATE)
def _along(u, v, c, delta, t):  # type: ignore[no-untyped-def]
    """First and second derivative in t of the loss at residuals u + t v."""
    first = 0.0
    second = 0.0
    for j in range(u.shape[0]):
        x = u[j] + t * v[j]
        first += c[j] * v[j] * min(max(x, -delta), delta)
        second += c[j] * v[j] * v[j] if abs(x) <= delta else 0.0
    return first, second


@njit(**REASSOCIATE)
def _change(J, step, idx, v):  # type: ignore[no-untyped-def]
    """v = J' step, over the parameters in idx."""
    for j in range(v.shape[0]):
        v[j] = 0.0
    for q in idx:
        for j in range(v.shape[0]):
            v[j] += J[q, j] * step[q]


@njit(**REASSOCIATE)
def _add(u, v, t):  # type: ignore[no-untyped-def]
    """u += t v."""
    for j in range(u.shape[0]):
        u[j] += t * v[j]


@njit(**INNER)
def _line(u, v, c, delta, linear, square):  # type: ignore[no-untyped-def]
    """t in [0, 1] that minimises the loss at u + t v plus linear t + square t**2 / 2; 0 where v leads uphill.

    The derivative is increasing and piecewise linear: Newton's method in a bracket, which it reaches exactly.
    """
    start, _ = _along(u, v, c, delta, 0.0)
    start += linear
    if not (start < 0.0):
        return 0.0
    lo, hi, t = 0.0, 1.0, 1.0
    for k in range(30):
        slope, bend = _along(u, v, c, delta, t)
        slope += linear + t * square
        bend += square
        if (t == 1.0 and slope <= 0.0) or abs(slope) < 1e-6 * abs(start):
            break
        if slope > 0.0:
            hi = t
        else:
            lo = t
        t = t - slope / bend if bend > 0.0 else -1.0
        if not (lo < t < hi) or k >= 15:
            t = 0.5 * (lo + hi)
    return t


@njit(**INNER)
def _solve(model, c, delta, x, spec, idx, d, buffers):  # type: ignore[no-untyped-def]
    """d[idx] that minimises Huber's loss of r + J'd plus linear'd + d'diag(square)d / 2, with x + d in the box.

    Returns the least value, plus the constant.  `model` is (r, J, linear, square, constant).
    """
    r, J, linear, square, constant = model
    H, packed, small, long = buffers
    g, step, at, least = small[0], small[1], small[2], small[3]
    u, v, w = long[0], long[1], long[2]
    for q in idx:
        d[q] = 0.0
    for j in range(u.shape[0]):
        u[j] = r[j]
    value = _loss(u, c, delta)
    start = value
    _weights(r, c, delta, 1.0, w)
    _squares(J, w, idx, least)
    for _ in range(STEPS):
        _gradient(J, u, c, delta, idx, g, w)
        if _weights(u, c, delta, 0.0, w) < 2 * idx.shape[0]:  # too few rows inside to determine a step
            _weights(u, c, delta, 1e-2, w)
        _gram(J, w, idx, H, packed)
        for q in idx:
            g[q] += linear[q] + square[q] * d[q]
            H[q, q] = H[q, q] * (1.0 + 1e-12) + square[q] + LEAST * least[q]
            at[q] = x[q] + d[q]
        bounded_step(H, g, idx, idx.shape[0], at, spec[LOWER], spec[UPPER], step)
        _change(J, step, idx, v)
        slope, bend = 0.0, 0.0
        for q in idx:
            slope += step[q] * (linear[q] + square[q] * d[q])
            bend += square[q] * step[q] * step[q]
        t = _line(u, v, c, delta, slope, bend)
        if t == 0.0:
            break
        _add(u, v, t)
        new = _loss(u, c, delta)
        for q in idx:
            d[q] += t * step[q]
            new += d[q] * (linear[q] + 0.5 * square[q] * d[q])
        gain = value - new
        value = new
        if gain <= (1e-3 if t == 1.0 else 1e-5) * (start - value) or gain <= 1e-13 * value:
            break
    return value + constant[0]


@njit(**INNER)
def _ridge(theta, spec, linear, square):  # type: ignore[no-untyped-def]
    """Penalties at theta; their first and second derivatives go to `linear` and `square`."""
    total = 0.0
    for q in range(theta.shape[0]):
        phys = math.exp(theta[q]) if spec[TRANSFORM, q] == 1.0 else theta[q]
        slope = phys if spec[TRANSFORM, q] == 1.0 else 1.0
        linear[q] = spec[RIDGE, q] * phys * slope
        square[q] = spec[RIDGE, q] * slope * slope
        total += 0.5 * spec[RIDGE, q] * phys * phys
    return total


@njit(**REASSOCIATE)
def _squares(J, w, idx, out):  # type: ignore[no-untyped-def]
    """out[idx] = diagonal of J diag(w) J'."""
    for q in idx:
        total = 0.0
        for j in range(w.shape[0]):
            total += w[j] * J[q, j] * J[q, j]
        out[q] = total


@njit(**INNER)
def _evaluate(where, theta, spec, rule, kind, work, c, model):  # type: ignore[no-untyped-def]
    """Fill `model` (see `_solve`) at theta; returns the objective, +inf where a residual is undefined."""
    tape, data, segments, s0, s1 = where
    log_space, delta = rule
    _linearise(tape, data, segments, s0, s1, theta, spec, log_space, kind, work, model[0], model[1])
    model[4][0] = _ridge(theta, spec, model[2], model[3])
    total = _loss(model[0], c, delta) + model[4][0]
    return total if total < math.inf else math.inf


@njit(**INNER)
def _try(where, trial, spec, rule, affine, best, work, c, model, d, buffers):  # type: ignore[no-untyped-def]
    """Objective at a trial point, its affine parameters re-solved in place (+inf: not below `best`), and evaluations."""
    full = np.int64(DEPENDS)  # not literals: numba would compile one kernel for each
    kind = np.int64(AFFINE) if affine.shape[0] > 0 else full
    new = _evaluate(where, trial, spec, rule, kind, work, c, model)
    if kind == full or not (new < math.inf):
        return new, 1
    if not (_solve(model, c, rule[1], trial, spec, affine, d, buffers) < best):
        return math.inf, 1
    _move(trial, trial, d, affine, spec)
    return _evaluate(where, trial, spec, rule, full, work, c, model), 2


@njit(**INNER)
def _move(out, theta, d, idx, spec):  # type: ignore[no-untyped-def]
    """out[idx] = theta + d within the box."""
    for q in idx:
        out[q] = min(max(theta[q] + d[q], spec[LOWER, q]), spec[UPPER, q])


@njit(**INNER)
def _curvature(model, c, delta, every, H, scale, buffers):  # type: ignore[no-untyped-def]
    """H = matrix of reweighted least squares, scale = inverse roots of its diagonal (0 for 0); whether it is finite."""
    w = buffers[3][0]
    _weights(model[0], c, delta, 1.0, w)
    _gram(model[1], w, every, H, buffers[1])
    finite = True
    for q in every:
        H[q, q] += model[3][q]
        finite = finite and H[q, q] < math.inf
        scale[q] = 1.0 / math.sqrt(H[q, q]) if H[q, q] > 0.0 else 0.0
    return finite


@njit(**INNER)
def _row_weights(data, segments, s0, s1):  # type: ignore[no-untyped-def]
    """(rows,) weights of the losses of the segments' rows."""
    n = np.int64(0)
    for seg in range(s0, s1):
        n += segments[seg, 2] - segments[seg, 1]
    c = np.empty(n)
    n = np.int64(0)
    for seg in range(s0, s1):
        for j in range(segments[seg, 1], segments[seg, 2]):
            root = data[1][1, segments[seg, 0], j]
            c[n] = root * root
            n += 1
    return c


@njit(**INNER)
def _minimise_block(where, theta, spec, rule, limit, tolerance, work):  # type: ignore[no-untyped-def]
    """Minimise the loss of one block in place on theta; returns (objective, evaluations).

    Damping is raised where a trial fails and lowered where the model foretold its gain; it acts on what is left of each bent
    parameter's column after projection on the affine ones, as in `solver`.
    """
    delta = rule[1]
    p = theta.shape[0]
    c = _row_weights(where[1], where[2], where[3], where[4])
    n = c.shape[0]
    model = (np.empty(n), np.empty((p, n)), np.zeros(p), np.zeros(p), np.zeros(1))
    other = (np.empty(n), np.empty((p, n)), np.zeros(p), np.zeros(p), np.zeros(1))
    buffers = (np.zeros((p, p)), np.empty((p, n)), np.zeros((4, p)), np.empty((3, n)))
    H, A, skip = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p, np.bool_)
    scale, extra, x, d, square = np.zeros(p), np.zeros(p), np.zeros(p), np.zeros(p), np.zeros(p)
    every, local = np.arange(p), np.empty(p, np.int64)
    affine = local[: _affine(spec[LINEAR], p, local)]
    solved = affine
    trial = np.empty(p)
    _move(trial, theta, d, every, spec)
    obj, expected, damping = math.inf, -math.inf, 1e-2
    count, small = 0, 0
    while True:
        # the first round re-solves the affine parameters only: a step of length 0 from the start
        new, used = _try(where, trial, spec, rule, solved, obj, work, c, other, d, buffers)
        count += used
        if new < obj and _curvature(other, c, delta, every, H, scale, buffers):
            gain = (obj - new) / obj if obj < math.inf else 1.0
            share = (obj - new) / max(obj - expected, 1e-300) if obj < math.inf else 1.0
            damping = max(damping * (0.1 if share > 0.5 else 0.5 if share > 0.25 else 2.0), 1e-12)
            for q in range(p):
                theta[q] = trial[q]
            model, other = other, model
            obj = new
            small = small + 1 if gain < tolerance else 0
            if small >= 2 or obj < 1e-290:
                break
            _projected(H, scale, spec[LINEAR], 1.0, A, x, skip, extra)
            solved = affine
        else:
            damping *= 8.0
            if damping > 1e9 or (solved.shape[0] == 0 and not (obj < math.inf)):
                break
            if not (obj < math.inf):  # re-solved, the start is undefined: take it as it is
                solved = affine[:0]
                _move(trial, theta, extra, every, spec)
                continue
        if count >= limit:
            break
        for q in range(p):
            square[q] = model[3][q] + 1.0
            if scale[q] > 0.0:
                square[q] = model[3][q] + extra[q] / scale[q] ** 2 * (1.0 if spec[LINEAR, q] == 1.0 else damping)
        expected = _solve((model[0], model[1], model[2], square, model[4]), c, delta, theta, spec, every, d, buffers)
        _move(trial, theta, d, every, spec)
    return obj, count


@entry
def minimise_blocks(tape, data, blocks, TL, spec, rule, limit, tolerance, work):  # type: ignore[no-untyped-def]
    """Minimise Huber's loss of every block from every start, in place on TL (starts, blocks, p).

    Args:
        rule: whether residuals are logarithms, and the threshold delta.
        limit, tolerance: as in `solver.minimise`.

    Returns objectives (starts, blocks) and the number of evaluations; the other arguments are those of `equations.evaluate`.
    """
    segments, block_seg = blocks
    out = np.empty(TL.shape[:2])
    total = 0
    for s in range(TL.shape[0]):
        for k in range(TL.shape[1]):
            where = (tape, data, segments, block_seg[k], block_seg[k + 1])
            out[s, k], count = _minimise_block(where, TL[s, k], spec, rule, limit, tolerance, work)
            total += count
    return out, total
