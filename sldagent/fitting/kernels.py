"""The tape interpreter in numba: forward values and reverse-mode derivatives of a formula over blocks of rows.

A *tape* is a formula as arrays (`Tapes.kernel_arrays`): instruction k computes node k from earlier nodes; the last node is
the prediction.  One compiled interpreter serves every formula, so a new formula costs no compilation.  Rows are processed
in blocks of `BLOCK` so that all nodes of a block stay in the first-level cache and every loop vectorises.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sldagent.fitting.compiling import INNER, entry
from sldagent.fitting.reference import reference

BLOCK = 128
"""Rows per block."""

CONST: int = reference.CONST
FEATURE: int = reference.FEATURE
PARAMETER: int = reference.PARAMETER
ADD: int = reference.ADD
SUB: int = reference.SUB
MUL: int = reference.MUL
DIV: int = reference.DIV
NEG: int = reference.NEG
EXP: int = reference.EXP
LOG: int = reference.LOG
SQRT: int = reference.SQRT
TANH: int = reference.TANH
SIGMOID: int = reference.SIGMOID
SOFTPLUS: int = reference.SOFTPLUS

_LOG2E = 1.4426950408889634
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it leaves round(x) in the low mantissa bits
_MAGIC_BITS = 4843621399236968448
_SQRT_HALF_BITS = 4604544271217802189  # bits of sqrt(1/2)
_EXPONENT_MASK = ~((1 << 52) - 1)


@njit(**INNER)
def vexp(src, dst, m, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """dst[:m] = exp(src[:m]) to about one ulp on [-708, 709]; clamped outside.  `ibuf` views the bits of `fbuf`."""
    for j in range(m):
        x = src[j]
        x = 709.0 if x > 709.0 else x
        x = -708.0 if x < -708.0 else x
        t = x * _LOG2E + _MAGIC
        k = t - _MAGIC
        r = (x - k * _LN2_HI) - k * _LN2_LO
        p = 1.6059043836821613e-10
        p = p * r + 2.08767569878681e-09
        p = p * r + 2.505210838544172e-08
        p = p * r + 2.755731922398589e-07
        p = p * r + 2.7557319223985893e-06
        p = p * r + 2.48015873015873e-05
        p = p * r + 0.0001984126984126984
        p = p * r + 0.001388888888888889
        p = p * r + 0.008333333333333333
        p = p * r + 0.041666666666666664
        p = p * r + 0.16666666666666666
        p = p * r + 0.5
        p = p * r + 1.0
        dst[j] = p * r + 1.0
        fbuf[j] = t
    for j in range(m):
        ibuf[j] = (ibuf[j] - _MAGIC_BITS + 1023) << 52
    for j in range(m):
        dst[j] *= fbuf[j]


@njit(**INNER)
def vlog(src, dst, m, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """dst[:m] = log(src[:m]); NaN where src <= 0.

    x = 2**k * z with z in [sqrt(1/2), sqrt(2)); log z = 2 atanh(s), s = (z - 1) / (z + 1), by its series (|s| < 0.172).
    """
    for j in range(m):
        fbuf[j] = src[j]
    for j in range(m):
        top = (ibuf[j] - _SQRT_HALF_BITS) & _EXPONENT_MASK
        dst[j] = float(top >> 52)
        ibuf[j] -= top
    for j in range(m):
        f = fbuf[j] - 1.0
        s = f / (2.0 + f)
        z = s * s
        p = 0.09523809523809523
        p = p * z + 0.10526315789473684
        p = p * z + 0.11764705882352941
        p = p * z + 0.13333333333333333
        p = p * z + 0.15384615384615385
        p = p * z + 0.18181818181818182
        p = p * z + 0.2222222222222222
        p = p * z + 0.2857142857142857
        p = p * z + 0.4
        p = p * z + 0.6666666666666666
        k = dst[j]
        dst[j] = k * _LN2_HI + (k * _LN2_LO + (2.0 * s + s * z * p))
    for j in range(m):
        if not (src[j] > 0.0):
            dst[j] = math.nan


@njit(**INNER)
def forward(tape, t, F, r0, m, phys, V, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """Fill V[k, :m] with the values of every node k of target t's tape for rows r0 .. r0 + m."""
    code, value, nodes = tape
    for k in range(nodes[t, 0]):
        op = code[0, t, k]
        ia = code[1, t, k]
        if op == CONST or op == PARAMETER:  # noqa: SIM109 (numba compiles comparisons, not membership)
            x = value[t, k] if op == CONST else phys[ia]
            for j in range(m):
                V[k, j] = x
        elif op == FEATURE:
            for j in range(m):
                V[k, j] = F[ia, r0 + j]
        elif op == ADD:
            ib = code[2, t, k]
            for j in range(m):
                V[k, j] = V[ia, j] + V[ib, j]
        elif op == SUB:
            ib = code[2, t, k]
            for j in range(m):
                V[k, j] = V[ia, j] - V[ib, j]
        elif op == MUL:
            ib = code[2, t, k]
            for j in range(m):
                V[k, j] = V[ia, j] * V[ib, j]
        elif op == DIV:
            ib = code[2, t, k]
            for j in range(m):
                V[k, j] = V[ia, j] / V[ib, j]
        elif op == NEG:
            for j in range(m):
                V[k, j] = -V[ia, j]
        elif op == EXP:
            vexp(V[ia], V[k], m, fbuf, ibuf)
        elif op == LOG:
            vlog(V[ia], V[k], m, fbuf, ibuf)
        elif op == SQRT:
            for j in range(m):
                V[k, j] = math.sqrt(V[ia, j])
        else:
            _squash(op, V[ia], V[k], m, fbuf, ibuf)


@njit(**INNER)
def _squash(op, u, out, m, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """tanh, sigmoid and softplus through e = exp(-|u|), which cannot overflow."""
    scale = 2.0 if op == TANH else 1.0
    for j in range(m):
        out[j] = -scale * abs(u[j])
    vexp(out, out, m, fbuf, ibuf)
    if op == SOFTPLUS:
        # log(1 + e): 1 + e rounds, so correct by the first-order term of the lost part
        for j in range(m):
            e = out[j]
            s = 1.0 + e
            out[j] = math.log(s) + (e - (s - 1.0)) / s + max(u[j], 0.0)
    elif op == TANH:
        for j in range(m):
            e = out[j]
            y = (1.0 - e) / (1.0 + e)
            out[j] = y if u[j] >= 0.0 else -y
    else:
        for j in range(m):
            e = out[j]
            out[j] = 1.0 / (1.0 + e) if u[j] >= 0.0 else e / (1.0 + e)


@njit(**INNER)
def backward(tape, t, kind, m, V, G, fbuf, ibuf):  # type: ignore[no-untyped-def]
    """G[k, :m] = d prediction / d node k of target t's tape.

    Only for nodes that depend on parameters (`kind` 3), or on affine ones (`kind` 4): a row of the tape's `code`.
    """
    code, length = tape[0], tape[2][t, 0]
    for k in range(length):
        if code[kind, t, k]:
            x = 1.0 if k == length - 1 else 0.0
            for j in range(m):
                G[k, j] = x
    for k in range(length - 1, -1, -1):
        op = code[0, t, k]
        if op <= PARAMETER or not code[kind, t, k]:
            continue
        ia = code[1, t, k]
        if op <= DIV:
            ib = code[2, t, k]
            if op <= SUB:
                sign = 1.0 if op == ADD else -1.0
                if code[kind, t, ia]:
                    for j in range(m):
                        G[ia, j] += G[k, j]
                if code[kind, t, ib]:
                    for j in range(m):
                        G[ib, j] += sign * G[k, j]
            elif op == MUL:
                if code[kind, t, ia]:
                    for j in range(m):
                        G[ia, j] += G[k, j] * V[ib, j]
                if code[kind, t, ib]:
                    for j in range(m):
                        G[ib, j] += G[k, j] * V[ia, j]
            else:
                for j in range(m):
                    fbuf[j] = G[k, j] / V[ib, j]
                if code[kind, t, ia]:
                    for j in range(m):
                        G[ia, j] += fbuf[j]
                if code[kind, t, ib]:
                    for j in range(m):
                        G[ib, j] -= fbuf[j] * V[k, j]
        elif op == NEG:
            for j in range(m):
                G[ia, j] -= G[k, j]
        elif op == EXP:
            for j in range(m):
                G[ia, j] += G[k, j] * V[k, j]
        elif op == LOG:
            for j in range(m):
                G[ia, j] += G[k, j] / V[ia, j]
        elif op == SQRT:
            for j in range(m):
                G[ia, j] += 0.5 * G[k, j] / V[k, j]
        elif op == TANH:
            for j in range(m):
                G[ia, j] += G[k, j] * (1.0 - V[k, j] * V[k, j])
        elif op == SIGMOID:
            for j in range(m):
                G[ia, j] += G[k, j] * V[k, j] * (1.0 - V[k, j])
        else:  # softplus' = sigmoid(u) = 1 - exp(-softplus(u)); the row of V after the last node is scratch
            for j in range(m):
                V[length, j] = -V[k, j]
            vexp(V[length], V[length], m, fbuf, ibuf)
            for j in range(m):
                G[ia, j] += G[k, j] * (1.0 - V[length, j])


@entry
def predict_blocks(tape, F, blocks, parameters, out):  # type: ignore[no-untyped-def]
    """out[t, lo:hi] = prediction for the segments (target, lo, hi) of every block at its physical `parameters`."""
    segments, block_seg = blocks
    V = np.empty((tape[1].shape[1] + 1, BLOCK))
    fbuf = np.empty(BLOCK)
    ibuf = fbuf.view(np.int64)
    for k in range(block_seg.shape[0] - 1):
        for seg in range(block_seg[k], block_seg[k + 1]):
            t = segments[seg, 0]
            last = tape[2][t, 0] - 1
            for r0 in range(segments[seg, 1], segments[seg, 2], BLOCK):
                m = min(BLOCK, segments[seg, 2] - r0)
                forward(tape, t, F, r0, m, parameters[k], V, fbuf, ibuf)
                for j in range(m):
                    out[t, r0 + j] = V[last, j]
