"""M2 and M4 by a local optimiser from the single start of their authors' code, to be compared with the global optimum.

The authors' code (of arXiv 2209.06640) starts e at min y - 0.001 and e0 at max y + 0.001 and takes steps from there in the
squared error of log(y - e) - a log(e0 - y) - log b + c log x.  It solves M1 exactly and M3 by a grid, so that these need no
local twin.  Here SciPy's trust region takes the steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

FloatArray = NDArray[np.float64]

GAP = 1e-3
"""Distance of e below the smallest y and of e0 above the largest, at the start and at least, in units of y."""
CEILING = 1e6
"""e0 stays below this."""


def fit_m2_local(x: FloatArray, y: FloatArray) -> dict[str, float]:
    """Constants b, c, e >= 0 of y = e + b x^(-c): a local minimum of the squared error of log(y - e)."""
    found = _fit(x, y, implicit=False)
    return {"b": float(np.exp(found[1])), "c": float(found[2]), "e": float(found[0])}


def fit_m4_local(x: FloatArray, y: FloatArray) -> dict[str, float]:
    """Constants b, c, a >= 0, e >= 0, e0 of (y - e) / (e0 - y)^a = b x^(-c): a local minimum of its squared log error."""
    found = _fit(x, y, implicit=True)
    return {
        "b": float(np.exp(found[1])),
        "c": float(found[2]),
        "a": float(found[3]),
        "e": float(found[0]),
        "e0": float(found[4]),
    }


def _fit(x: FloatArray, y: FloatArray, *, implicit: bool) -> FloatArray:
    """(3,) e, log b, c; or (5,) with a and e0 too."""
    logs = np.log(x)
    # A smallest y within 0.001 of 0 leaves e no room but 0.
    floor = max(float(y.min()) - GAP, 0.0)
    top = float(y.max()) + GAP

    def residuals(theta: FloatArray) -> FloatArray:
        gap = theta[3] * np.log(theta[4] - y) if implicit else 0.0
        return np.asarray(np.log(y - theta[0]) - gap - theta[1] + theta[2] * logs)

    start = np.array([floor, *_linear(logs, y, floor, top, implicit=implicit), *([top] if implicit else [])])
    low = np.array([0.0, -np.inf, -np.inf, *([0.0, top] if implicit else [])])
    # Bounds need a positive width.
    high = np.array([max(floor, 1e-12), np.inf, np.inf, *([np.inf, CEILING + top] if implicit else [])])
    found = least_squares(residuals, start.clip(low, high), bounds=(low, high), x_scale="jac", max_nfev=2000)
    return np.asarray(found.x)


def _linear(logs: FloatArray, y: FloatArray, e: float, e0: float, *, implicit: bool) -> FloatArray:
    """log b, c and, where `implicit`, a >= 0, which for given e and e0 are a linear least-squares problem."""
    target = np.log(y - e)
    columns = [np.ones_like(logs), -np.ones_like(logs), -logs, logs]
    if implicit:
        columns.append(np.log(e0 - y))
    # Both signs of log b and c, as all solutions of nnls are at least 0.
    solution, _ = nnls(np.stack(columns, axis=1), target)
    return np.array([solution[0] - solution[1], solution[2] - solution[3], *solution[4:]])
