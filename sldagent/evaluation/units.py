"""Constants that a law hides in its units.

``1 + N**-a`` looks as if it had one constant, but it has three: the floor 1 and the amplitude 1 hold only while the target
is measured in nats and N in single parameters.  A law proper keeps its form when a unit changes, because its constants take
the change up.  Locally this is a question of tangents: the change of the predictions under a change of unit must be a
combination of their changes under changes of the parameters.  What is left over, beyond that, spans as many dimensions as
constants are hidden.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.grounds import Grounds
from sldagent.fitting.result import FitResult, Point, predict_point
from sldagent.fitting.rows import Rows

FloatArray = NDArray[np.float64]

ROWS = 64
"""Rows looked at, spread over the largest group."""
STEP = 1e-5
MISFIT = 1e-3
"""Share of a change that the parameters may leave over (finite differences and flat directions are not exact)."""


def hidden_constants(ground: Grounds, result: FitResult) -> int:
    """Number of constants that changes of unit (of the target, of scale variables and of settings) would bring to light.

    Judged on the group with most rows, and the first target.  A target with a range bounded on both sides has a natural
    unit and is not asked; neither are proportions.  0 where the rows are too few to tell.
    """
    task, law = ground.task, result.law
    sizes = np.diff(ground.rows.starts)
    g = int(np.argmax(sizes))
    index = ground.rows.starts[g] + np.unique(np.linspace(0, sizes[g] - 1, ROWS).astype(np.int64))
    rows = ground.rows.take(index)
    scalars = law.local + law.shared
    if rows.n <= scalars + 1:
        return 0
    blocks = result.blocks

    def predict(X: FloatArray, point: Point) -> FloatArray:
        moved = Rows(X, rows.Y, rows.group, rows.groups, rows.weight)
        return np.asarray(predict_point(law, law.tapes, moved, blocks, point)[0])

    base = predict(rows.X, result.point)
    columns = []
    for q in range(scalars):
        local, shared = result.point.local.copy(), result.point.shared.copy()
        values = local[:, q] if q < law.local else shared[:, q - law.local]
        step = STEP * np.maximum(np.abs(values), 1e-2)
        values += step
        columns.append((predict(rows.X, Point(local, shared)) - base) / float(step[0]))
    J = np.stack(columns, axis=1) if columns else np.zeros((rows.n, 0))
    changes = [] if all(math.isfinite(end) for end in task.targets[0].range) else [base]
    for k, v in enumerate(task.variables):
        if v.symbol in law.law.variables and v.role in ("scale", "setting") and (v.log or (rows.X[:, k] > 0).all()):
            X = rows.X.copy()
            X[:, k] = X[:, k] + STEP if v.log else X[:, k] * (1.0 + STEP)
            changes.append((predict(X, result.point) - base) / STEP)
    return _rank_left_over(J, np.stack(changes, axis=1)) if changes else 0


def _rank_left_over(J: FloatArray, changes: FloatArray) -> int:
    """Dimensions of the span of `changes` (columns) outside the span of J's columns."""
    if not (np.isfinite(J).all() and np.isfinite(changes).all()):
        return 0
    norms, sizes = np.linalg.norm(J, axis=0), np.linalg.norm(changes, axis=0)
    basis, wanted = J[:, norms > 0.0] / norms[norms > 0.0], changes[:, sizes > 0.0] / sizes[sizes > 0.0]
    rest = wanted - basis @ np.linalg.lstsq(basis, wanted, rcond=1e-10)[0] if basis.shape[1] else wanted
    return int((np.linalg.svd(rest, compute_uv=False) > MISFIT).sum()) if rest.shape[1] else 0
