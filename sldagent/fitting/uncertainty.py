"""Standard errors of fitted parameters from the curvature at the optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.fit import scalar_penalties
from sldagent.fitting.result import FitResult, Point, collect, predict_point
from sldagent.fitting.rows import Rows
from sldagent.laws.program import Recipe

FloatArray = NDArray[np.float64]
STEP = 1e-5


@dataclass(frozen=True)
class Linearised:
    """A fit near its optimum: one line per row and target where everything is finite (m of them)."""

    J: FloatArray
    """(m, scalars) derivatives of the residuals: the local scalars block by block, then the shared ones."""
    residual: FloatArray
    """(m,) residuals of the recipe's space, f - y where that is raw."""
    weight: FloatArray
    """(m,) weights of the squared residuals, Huber's included."""
    slope: FloatArray
    """(m,) derivative of the residual in the prediction."""
    position: NDArray[np.int64]
    """(m,) target * rows + row."""

    def inverse(self, penalty: FloatArray | None = None) -> tuple[FloatArray, NDArray[np.bool_]]:
        """(J'WJ + penalty)^-1 without undetermined directions, and (scalars,) which scalars lean on one of those."""
        p = self.J.shape[1]
        bread = self.J.T @ (self.J * self.weight[:, None])
        if penalty is not None:
            bread = bread + np.diag(penalty)
        size = np.sqrt(np.maximum(np.diag(bread), 1e-300))
        values, vectors = np.linalg.eigh(bread / size[:, None] / size[None, :]) if p else (np.zeros(0), np.zeros((0, 0)))
        good = values > 1e-12
        inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T / size[:, None] / size[None, :]
        loose = (vectors[:, ~good] ** 2).sum(axis=1) > 1e-6 if p else np.zeros(0, bool)
        return inverse, loose


def standard_errors(result: FitResult, rows: Rows, recipe: Recipe) -> dict[str, FloatArray]:
    """Standard errors by parameter name, with the axes of ``result.parameters``; NaN where the rows do not determine it.

    The sandwich (J'WJ)^-1 (J'W R^2 W J) (J'WJ)^-1 with the small-sample factor n / (n - p), where W are the weights of the
    squared residuals (Huber weights for robust losses) and R the residuals (Huber 1967, White 1980): valid when the noise
    differs between rows.  Penalties add to the curvature.  Parameters on the engine's log scale are brought back by the
    delta method.
    """
    law = result.law
    lines = linearise(result, rows, recipe)
    n, p = lines.J.shape
    inverse, loose = lines.inverse(scalar_penalties(result, rows, recipe))
    score = lines.J * (lines.weight * lines.residual)[:, None]
    covariance = inverse @ (score.T @ score) @ inverse * (n / max(n - p, 1))
    # a parameter that leans on a dropped direction is not determined
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


def linearise(result: FitResult, rows: Rows, recipe: Recipe) -> Linearised:
    """Jacobian, residuals and weights of the recipe's loss at the optimum."""
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
    return Linearised(J[keep], residual.ravel()[keep], weight.ravel()[keep], slope.ravel()[keep], np.flatnonzero(keep))


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
