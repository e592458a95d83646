"""Standard errors of fitted parameters from the curvature at the optimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.result import FitResult, Point, collect, predict_point
from sldagent.fitting.rows import Rows
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
STEP = 1e-5


def standard_errors(result: FitResult, rows: Rows, recipe: Recipe) -> dict[str, FloatArray]:
    """Standard errors by parameter name, with the axes of ``result.parameters``; NaN where the rows do not determine it.

    The sandwich (J'WJ)^-1 (J'W R^2 W J) (J'WJ)^-1 with the small-sample factor n / (n - p), where W are the weights of the
    squared residuals (Huber weights for robust losses) and R the residuals (Huber 1967, White 1980): valid when the noise
    differs between rows.  Parameters on the engine's log scale are brought back by the delta method.
    """
    law = result.law
    J, residual, weight = _linearised(result, rows, recipe)
    n, p = J.shape
    bread = J.T @ (J * weight[:, None])
    if result.shrinkage is not None:
        own = np.tile(result.shrinkage[: law.local], len(result.point.local))
        bread[np.arange(own.size), np.arange(own.size)] += own  # the groups' mean held fixed
    size = np.sqrt(np.maximum(np.diag(bread), 1e-300))
    scaled = bread / size[:, None] / size[None, :]
    values, vectors = np.linalg.eigh(scaled) if p else (np.zeros(0), np.zeros((0, 0)))
    good = values > 1e-12
    inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T / size[:, None] / size[None, :]
    score = J * (weight * residual)[:, None]
    covariance = inverse @ (score.T @ score) @ inverse * (n / max(n - p, 1))
    # a parameter that leans on a dropped direction is not determined
    loose = (vectors[:, ~good] ** 2).sum(axis=1) > 1e-6 if p else np.zeros(0, bool)
    error = np.where(loose, np.nan, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    nb, pl = result.point.local.shape
    local = error[: nb * pl].reshape(nb, pl)
    shared = error[nb * pl :].reshape(result.point.shared.shape)
    errors = collect(
        law, rows.groups, result.blocks, Point(_unlog(law.transform[:pl], local), _unlog(law.transform[pl:], shared))
    )
    log_scale = {name for q, (name, _) in enumerate(law.slots) if law.transform[q] == 1}
    return {name: values * result.parameters[name] if name in log_scale else values for name, values in errors.items()}


def _unlog(transform: NDArray[np.int64], values: FloatArray) -> FloatArray:
    """`collect` exponentiates parameters on a log scale; undo that for their standard errors."""
    with np.errstate(divide="ignore"):
        return np.where(transform[None, :] == 1, np.log(values), values)


def _linearised(result: FitResult, rows: Rows, recipe: Recipe) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Jacobian (rows x targets, all scalars), residuals and weights of the recipe's loss at the optimum."""
    law, blocks = result.law, result.blocks
    y = rows.Y
    f = predict_point(law, law.tapes, rows, blocks, result.point)
    slope, residual, weight = np.ones_like(f), f - y, rows.weights(recipe.emphasis) ** 2
    if recipe.space == "relative":
        slope, residual = 1.0 / np.abs(y), (f - y) / np.abs(y)
    if recipe.space == "log":
        slope, residual = 1.0 / f, np.log(f) - np.log(y)
    if recipe.loss != "squared":
        size = np.abs(residual)
        delta = recipe.delta if recipe.loss == "huber" else 1e-3 * float(np.median(size) or 1.0)
        weight = weight * np.minimum(1.0, delta / np.maximum(size, 1e-300))
    columns = []
    base = result.point
    for q in range(law.local):
        column = _difference(result, rows, base, q) * slope
        for b, (group, target) in enumerate(zip(blocks.group, blocks.target, strict=True)):
            own = np.zeros_like(f)
            lo, hi = rows.starts[group], rows.starts[group + 1]
            span = slice(None) if target < 0 else slice(target, target + 1)
            own[span, lo:hi] = column[span, lo:hi]
            columns.append((b, q, own.ravel()))
    columns.sort(key=lambda c: (c[0], c[1]))
    stacked = [c[2] for c in columns]
    for i in range(base.shared.shape[0]):
        for q in range(law.shared):
            column = _difference(result, rows, base, law.local + q) * slope
            if base.shared.shape[0] > 1:
                own = np.zeros_like(f)
                own[i] = column[i]
                column = own
            stacked.append(column.ravel())
    J = np.stack(stacked, axis=1) if stacked else np.zeros((f.size, 0))
    keep = np.isfinite(J).all(axis=1) & np.isfinite(residual.ravel())
    return J[keep], residual.ravel()[keep], weight.ravel()[keep]


def _difference(result: FitResult, rows: Rows, point: Point, q: int) -> FloatArray:
    """Central difference of the predictions in scalar q (of all blocks at once: blocks do not share rows)."""
    law = result.law
    out = []
    values = point.local[:, q] if q < law.local else point.shared[:, q - law.local]
    step = STEP * np.maximum(np.abs(values), 1e-3)
    for sign in (1.0, -1.0):
        local, shared = point.local.copy(), point.shared.copy()
        if q < law.local:
            local[:, q] += sign * step
        else:
            shared[:, q - law.local] += sign * step
        out.append(predict_point(law, law.tapes, rows, result.blocks, Point(local, shared)))
    difference = (out[0] - out[1]) / 2.0
    if q >= law.local:
        return np.asarray(difference / (step[:, None] if len(step) > 1 else step))
    scale = np.ones_like(difference)
    for b, (group, target) in enumerate(zip(result.blocks.group, result.blocks.target, strict=True)):
        lo, hi = rows.starts[group], rows.starts[group + 1]
        scale[slice(None) if target < 0 else slice(target, target + 1), lo:hi] = step[b]
    return np.asarray(difference / scale)
