"""The learning curves M1-M4 (Alabdulmohsin et al., arXiv 2209.06640) that BNSL is compared with, at their global optimum.

M1: y = b x^(-c).  M2: y = e + b x^(-c).  M3: y = b (1/x + g)^c.  M4: (y - e) / (e0 - y)^a = b x^(-c), solved for y.
M1-M3 minimise the squared error of log y through the engine; M4, which states y implicitly, the squared error of its own
equation's logarithm, as its authors do.  The authors' alternating optimiser need not reach these optima.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.bnsl import fit as fitting
from sldagent.predictors.bnsl.implicit import fit_m4, solve_m4
from sldagent.predictors.tables import inputs

FloatArray = NDArray[np.float64]
EFFORT = (64, 6)


class CurveForm(Predictor):
    """A curve with a fixed form.

    After `fit`: `constants_` by name, `limit_`, the value at infinite x, and `order_note_`, which row is out of the order of
    x ('' where none is).
    """

    error_name = "RMSLE"
    least: ClassVar[int]
    """Constants, and so the least number of different x."""

    constants_: dict[str, float]
    limit_: float
    order_note_: str

    def fit(self, X: Any, y: Any) -> Self:
        """Fit one curve.

        Args:
            X: (n,) or (n, 1) positive scales; points in another order are sorted, and `notes` says so.
            y: (n,) positive measures of performance.

        Raises:
            PredictorError, TableError: a cell cannot be used, or there are fewer different x than constants.
        """
        given, measured = fitting.checked(X, y)
        points = fitting.read_curve(given, measured)
        distinct = len(np.unique(points.x))
        if distinct < self.least:
            raise PredictorError(f"the curve has {distinct} different x for {self.least} constants: measure more")
        (self.constants_,) = self.fit_curves([points])
        self.limit_ = self.limit(self.constants_)
        self.order_note_ = fitting.order_note(given)
        self.feature_names_in_, self.target_names_ = given.names, measured.names
        return self

    def notes(self) -> tuple[str, ...]:
        """Whether the points had to be sorted, in one sentence."""
        self._check_fitted()
        return (self.order_note_,) if self.order_note_ else ()

    def predict(self, X: Any) -> FloatArray:
        """(n,) values of the fitted curve at (n,) positive scales."""
        self._check_fitted()
        given = inputs(X, ("x",), self.feature_names_in_)
        return self.values(self.constants_, given.positive(0))

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return fitting.rmsle(y[:, 0], predicted[:, 0])

    @classmethod
    def fit_curves(cls, curves: Sequence[fitting.Curve]) -> list[dict[str, float]]:
        """Constants of every curve, in one call."""
        raise PredictorError("this is the family of M1 to M4: fit one of them")

    @staticmethod
    def values(constants: dict[str, float], x: FloatArray) -> FloatArray:
        """(n,) values at x > 0."""
        raise PredictorError("this is the family of M1 to M4: fit one of them")

    @staticmethod
    def limit(constants: dict[str, float]) -> float:
        """The value at infinite x."""
        return constants.get("e", 0.0)


def _engine(curves: Sequence[fitting.Curve], formula: str, parameters: str, names: str) -> dict[str, FloatArray]:
    """Constants of a formula over u = x_first / x; y in units of its median."""
    program = f"def law(u, {names}):\n    return {formula}\n\nparameters = {{{parameters}}}\n" 'recipe = fit(loss="log")\n'
    values = [c.y / np.median(c.y) for c in curves]
    return fitting.run_engine(program, {"u": [c.x[0] / c.x for c in curves]}, values, EFFORT, 0)


class M1(CurveForm):
    """y = b x^(-c)."""

    name = "m1"
    least = 2

    @classmethod
    def fit_curves(cls, curves: Sequence[fitting.Curve]) -> list[dict[str, float]]:
        out = []
        for one in curves:
            slope, start = np.polyfit(np.log(one.x), np.log(one.y), 1)
            out.append({"b": float(np.exp(start)), "c": float(-slope)})
        return out

    @staticmethod
    def values(constants: dict[str, float], x: FloatArray) -> FloatArray:
        return np.asarray(constants["b"] * x ** -constants["c"])


class M2(CurveForm):
    """y = e + b x^(-c), e >= 0."""

    name = "m2"
    least = 3

    @classmethod
    def fit_curves(cls, curves: Sequence[fitting.Curve]) -> list[dict[str, float]]:
        declared = '"e": positive(), "b": positive(), "c": positive(start=(0.02, 2))'
        found = _engine(curves, "e + b*u**c", declared, "e, b, c")
        return [
            {
                "e": float(found["e"][k] * np.median(one.y)),
                "b": float(found["b"][k] * np.median(one.y) * one.x[0] ** found["c"][k]),
                "c": float(found["c"][k]),
            }
            for k, one in enumerate(curves)
        ]

    @staticmethod
    def values(constants: dict[str, float], x: FloatArray) -> FloatArray:
        return np.asarray(constants["e"] + constants["b"] * x ** -constants["c"])


class M3(CurveForm):
    """y = b (1/x + g)^c, g >= 0; `constants_` hold log_b, as b itself overflows where c is large."""

    name = "m3"
    least = 3

    @classmethod
    def fit_curves(cls, curves: Sequence[fitting.Curve]) -> list[dict[str, float]]:
        declared = '"b": positive(), "g": positive(start=(0.0001, 1)), "c": positive(start=(0.05, 3))'
        found = _engine(curves, "b*(u + g)**c", declared, "b, g, c")
        return [
            {
                "log_b": float(np.log(found["b"][k] * np.median(one.y)) + found["c"][k] * np.log(one.x[0])),
                "g": float(found["g"][k] / one.x[0]),
                "c": float(found["c"][k]),
            }
            for k, one in enumerate(curves)
        ]

    @staticmethod
    def values(constants: dict[str, float], x: FloatArray) -> FloatArray:
        return np.asarray(np.exp(constants["log_b"] + constants["c"] * np.log(1.0 / x + constants["g"])))

    @staticmethod
    def limit(constants: dict[str, float]) -> float:
        return float(np.exp(constants["log_b"] + constants["c"] * np.log(max(constants["g"], 1e-300))))


class M4(CurveForm):
    """(y - e) / (e0 - y)^a = b x^(-c), e >= 0, a >= 0, e < y < e0."""

    name = "m4"
    least = 5

    @classmethod
    def fit_curves(cls, curves: Sequence[fitting.Curve]) -> list[dict[str, float]]:
        return [fit_m4(one.x, one.y) for one in curves]

    @staticmethod
    def values(constants: dict[str, float], x: FloatArray) -> FloatArray:
        return solve_m4(constants, x)
