"""The last digits of affine parameters whose columns are nearly dependent: least squares by orthogonal factors.

The kernels solve normal equations, which square the condition number: a polynomial of degree four in log N loses half of its
digits there.  One solve with the Jacobian itself (LAPACK, singular values) brings them back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.result import Blocks, Point, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw

FloatArray = NDArray[np.float64]
ILL_CONDITIONED = 1e-8
"""Smallest eigenvalue of the scaled normal matrix of the affine parameters below which a block is solved again."""


def refine_affine(
    law: CompiledLaw, rows: Rows, blocks: Blocks, point: Point, matrices: FloatArray, root: FloatArray
) -> Point:
    """`point` with the affine parameters of ill-conditioned blocks re-solved, where that lowers the sum of squares.

    Args:
        matrices: normal matrices (blocks, p, p) at `point`.
        root: (targets, rows) factors that make f - y the weighted residual of a squared loss.
    """
    affine = np.nonzero(law.linear[: law.local])[0]
    if affine.size < 2:
        return point
    chosen = np.nonzero(smallest(matrices, affine) < ILL_CONDITIONED)[0]
    if chosen.size == 0:
        return point
    for _ in range(2):
        residual = (predict_point(law, law.tapes, rows, blocks, point) - rows.Y) * root
        columns = [_column(law, rows, blocks, point, int(q)) * root for q in affine]
        local = point.local.copy()
        for b in chosen:
            part = _cells(rows, blocks, int(b))
            J = np.stack([c[part].ravel() for c in columns], axis=1)
            scale = np.linalg.norm(J, axis=0)
            scale[scale == 0.0] = 1.0
            step = np.linalg.lstsq(J / scale, -residual[part].ravel(), rcond=1e-14)[0] / scale
            local[b, affine] = np.clip(local[b, affine] + step, law.lower[affine], law.upper[affine])
        better = Point(local, point.shared)
        after = (predict_point(law, law.tapes, rows, blocks, better) - rows.Y) * root
        for b in chosen:
            part = _cells(rows, blocks, int(b))
            if not np.sum(after[part] ** 2) < np.sum(residual[part] ** 2):
                local[b] = point.local[b]
        point = better
    return point


def smallest(matrices: FloatArray, affine: NDArray[np.int64]) -> FloatArray:
    """(blocks,) smallest eigenvalue of the normal matrices (blocks, p, p) of the affine parameters, scaled to diagonal 1."""
    H = matrices[:, affine][:, :, affine]
    size = np.sqrt(np.maximum(np.einsum("bii->bi", H), 1e-300))
    return np.asarray(np.linalg.eigvalsh(H / size[:, :, None] / size[:, None, :])[:, 0])


def _cells(rows: Rows, blocks: Blocks, b: int) -> tuple[slice, slice]:
    """Where a block's residuals are in an array (targets, rows)."""
    group, target = blocks.group[b], int(blocks.target[b])
    span = slice(None) if target < 0 else slice(target, target + 1)
    return span, slice(int(rows.starts[group]), int(rows.starts[group + 1]))


def _column(law: CompiledLaw, rows: Rows, blocks: Blocks, point: Point, q: int) -> FloatArray:
    """Derivative of the predictions in an affine parameter: exact as a difference, whatever its step."""
    step = np.maximum(np.abs(point.local[:, q]), 1e-6)
    ends = []
    for sign in (1.0, -1.0):
        local = point.local.copy()
        local[:, q] += sign * step
        ends.append(predict_point(law, law.tapes, rows, blocks, Point(local, point.shared)))
    column = (ends[0] - ends[1]) / 2.0
    for b in range(len(step)):
        column[_cells(rows, blocks, b)] /= step[b]
    return np.asarray(column)
