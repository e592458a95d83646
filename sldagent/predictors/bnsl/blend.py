"""A rule that needs no test rows: four forms of a curve, weighted by how each extrapolated within the training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.bnsl import fit as fitting
from sldagent.predictors.bnsl import form
from sldagent.predictors.bnsl.curves import M2, M3
from sldagent.predictors.bnsl.model import CUTS
from sldagent.predictors.tables import inputs

FloatArray = NDArray[np.float64]
Constants = dict[str, float]

LEAST = 6
"""Different x that a curve needs: as many as the largest form has constants."""
LEAST_KEPT = 3
"""Different x that a cut must leave: with fewer than its constants a form shows how it errs where it is not determined."""
FLOOR = 1e-4
"""Cut errors below this count as this: no form earns all weight by chance."""


def _bnsl(curves: Sequence[fitting.Curve]) -> list[Constants]:
    return [one.named() for one in fitting.fit_breaks(curves, 1)]


def _flat_start(curves: Sequence[fitting.Curve]) -> list[Constants]:
    return [one.named() for one in fitting.fit_breaks(curves, 1, first_slope=False)]


def _bnsl_values(constants: Constants, x: FloatArray) -> FloatArray:
    return form.constants(constants).values(x)


Fit = Callable[[Sequence[fitting.Curve]], list[Constants]]
Evaluate = Callable[[Constants, FloatArray], FloatArray]
FORMS: dict[str, tuple[Fit, Evaluate]] = {
    "bnsl": (_bnsl, _bnsl_values),
    "bnsl, c0 = 0": (_flat_start, _bnsl_values),
    "m2": (M2.fit_curves, M2.values),
    "m3": (M3.fit_curves, M3.values),
}
"""How each form is fitted and evaluated.  With c0 = 0 the law is a + b (1 + (x/d)^(1/f))^(-c f): flat, then a power."""


class CurveBlend(Predictor):
    """The weighted geometric mean of BNSL with one break, the same with c0 = 0, M2 and M3.

    A form's weight is the inverse of its mean squared error of log y over cuts that hold out the largest x of the training
    rows (above the largest divided by sqrt 2, 2 and 4).  Curves too short for a cut leave it out; without any, weights are
    equal.

    After `fit`: `constants_` and `weights_` by form; `limit_`, the value of the blend at infinite x; `order_note_`, which
    row is out of the order of x ('' where none is).
    """

    name = "curve_blend"
    error_name = "RMSLE"

    constants_: dict[str, Constants]
    weights_: dict[str, float]
    limit_: float
    order_note_: str

    def fit(self, X: Any, y: Any) -> Self:
        """Fit one curve; `X` (n,) or (n, 1) positive scales, `y` (n,) positive.

        Raises:
            PredictorError, TableError: a cell cannot be used, or there are fewer than six different x.
        """
        given, measured = fitting.checked(X, y)
        points = fitting.read_curve(given, measured)
        if len(np.unique(points.x)) < LEAST:
            raise PredictorError(f"the curve has {len(np.unique(points.x))} different x; the blend needs at least {LEAST}")
        ((self.constants_, self.weights_),) = blend_curves([points])
        logs = {
            "bnsl": self.constants_["bnsl"]["a"],
            "bnsl, c0 = 0": self.constants_["bnsl, c0 = 0"]["a"],
            "m2": M2.limit(self.constants_["m2"]),
            "m3": M3.limit(self.constants_["m3"]),
        }
        self.limit_ = float(np.exp(sum(w * np.log(max(logs[n], 1e-300)) for n, w in self.weights_.items())))
        self.order_note_ = fitting.order_note(given)
        self.feature_names_in_, self.target_names_ = given.names, measured.names
        return self

    def notes(self) -> tuple[str, ...]:
        """Whether the points had to be sorted, in one sentence."""
        self._check_fitted()
        return (self.order_note_,) if self.order_note_ else ()

    def predict(self, X: Any) -> FloatArray:
        """(n,) values of the blend at (n,) positive scales."""
        self._check_fitted()
        given = inputs(X, ("x",), self.feature_names_in_)
        return blended(self.constants_, self.weights_, given.positive(0))

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return fitting.rmsle(y[:, 0], predicted[:, 0])


def blend_curves(curves: Sequence[fitting.Curve]) -> list[tuple[dict[str, Constants], dict[str, float]]]:
    """Constants and weights by form, for every curve."""
    final = {name: fit(curves) for name, (fit, _) in FORMS.items()}
    squares = {name: np.zeros(len(curves)) for name in FORMS}
    counts = np.zeros(len(curves))
    for factor in CUTS:
        kept = [one.x <= one.x[-1] / factor for one in curves]
        index = [k for k, one in enumerate(curves) if len(np.unique(one.x[kept[k]])) >= LEAST_KEPT]
        if not index:
            continue
        parts = [fitting.Curve(curves[k].x[kept[k]], curves[k].y[kept[k]]) for k in index]
        counts[index] += 1
        for name, (fit, values) in FORMS.items():
            for k, constants in zip(index, fit(parts), strict=True):
                held = ~kept[k]
                error = fitting.rmsle(curves[k].y[held], values(constants, curves[k].x[held]))
                squares[name][k] += min(error, 1e3) ** 2
    out = []
    for k in range(len(curves)):
        raw = {name: 1.0 / max(squares[name][k] / max(counts[k], 1.0), FLOOR**2) for name in FORMS}
        total = sum(raw.values())
        out.append(({name: final[name][k] for name in FORMS}, {name: w / total for name, w in raw.items()}))
    return out


def blended(constants: dict[str, Constants], weights: dict[str, float], x: FloatArray) -> FloatArray:
    """(n,) weighted geometric means of the forms' values."""
    logs = [weights[name] * np.log(np.maximum(values(constants[name], x), 1e-300)) for name, (_, values) in FORMS.items()]
    return np.asarray(np.exp(np.sum(logs, axis=0)))
