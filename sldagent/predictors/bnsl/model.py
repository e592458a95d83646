"""Broken neural scaling laws as a predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.bnsl import fit as fitting
from sldagent.predictors.bnsl import form
from sldagent.predictors.tables import inputs

FloatArray = NDArray[np.float64]

MAX_BREAKS = 3
CUTS = (2.0**0.5, 2.0, 4.0)
"""Extrapolation cuts: rows above the largest x divided by this are held out."""
MIN_KEPT = 3
"""Points more than constants that a cut must leave."""


@dataclass(frozen=True)
class Segment:
    """A stretch between two breaks, on which y - a is close to a power of x."""

    start: float
    """x of the break before it; 0 for the first segment."""
    end: float
    """x of the break after it; infinite for the last segment."""
    slope: float
    """d log(y - a) / d log x between the breaks: -(c0 + changes of all breaks before)."""


class BNSL(Predictor):
    """y = a + b x^(-c0) prod_i (1 + (x/d_i)^(1/f_i))^(-c_i f_i)  (Caballero et al., arXiv 2210.14891, equation 1).

    Args:
        n_breaks: 0 to 3, or ``"auto"``: the number with the lowest mean RMSLE over cuts that hold out the largest x.
        space: least squares of log y (``"log"``: relative errors) or of log(y + 1) (``"log1p"``, as in the paper).
        monotone: whether y may only fall with x; else slopes take both signs, as in the paper and as double descent needs.
        seed: of the random starts.

    After `fit`: `constants_` (a, b, c0, c1, d1, f1, ... by name), `breaks_` ((n,) positions), `limit_` (a, the value at
    infinite x), `n_breaks_`, `reach_` ((2,) smallest and largest x fitted), `cut_errors_` (mean RMSLE over cuts by number of
    breaks; empty unless chosen by cuts), `order_note_` (which row is out of the order of x; else '').  A break outside
    `reach_` is not determined by the data: see `notes`.
    """

    name = "bnsl"
    error_name = "RMSLE"

    constants_: dict[str, float]
    breaks_: FloatArray
    limit_: float
    n_breaks_: int
    reach_: FloatArray
    cut_errors_: dict[str, float]
    order_note_: str

    def __init__(
        self,
        n_breaks: int | Literal["auto"] = 1,
        space: Literal["log", "log1p"] = "log",
        monotone: bool = False,
        seed: int = 0,
    ) -> None:
        self.n_breaks = n_breaks
        self.space = space
        self.monotone = monotone
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Fit one curve.

        Args:
            X: (n,) or (n, 1) positive scales, such as dataset sizes; in another order they are sorted, and `notes` says so.
            y: (n,) positive measures of performance.

        Raises:
            PredictorError, TableError: a parameter or cell cannot be used, or the points are fewer than the constants.
        """
        self._check_parameters()
        given, measured = fitting.checked(X, y)
        points = fitting.read_curve(given, measured)
        distinct = len(np.unique(points.x))
        self.cut_errors_ = {}
        if self.n_breaks == "auto":
            self.cut_errors_ = {str(n): e for n, e in self._judged(points).items()}
            count = min(self.cut_errors_, key=lambda n: (self.cut_errors_[n], n)) if self.cut_errors_ else "0"
        else:
            count = str(self.n_breaks)
        if distinct < 3 + 3 * int(count):
            raise PredictorError(
                f"the curve has {distinct} different x for {3 + 3 * int(count)} constants: measure more, or use fewer breaks"
            )
        found = self._fitted(points, int(count))
        self.n_breaks_ = int(count)
        self.constants_ = found.named()
        self.breaks_ = np.array([one.position for one in found.breaks])
        self.limit_ = found.a
        self.reach_ = points.x[[0, -1]]
        self.order_note_ = fitting.order_note(given)
        self.feature_names_in_, self.target_names_ = given.names, measured.names
        return self

    def predict(self, X: Any) -> FloatArray:
        """(n,) values of the fitted law at (n,) positive scales."""
        self._check_fitted()
        given = inputs(X, ("x",), self.feature_names_in_)
        return form.constants(self.constants_).values(given.positive(0))

    def segments(self) -> tuple[Segment, ...]:
        """The stretches between breaks, from small to large x."""
        self._check_fitted()
        found = form.constants(self.constants_)
        edges = [0.0, *self.breaks_.tolist(), float("inf")]
        slopes = -np.cumsum([found.c0, *(one.change for one in found.breaks)])
        return tuple(Segment(edges[k], edges[k + 1], float(slope)) for k, slope in enumerate(slopes))

    def notes(self) -> tuple[str, ...]:
        """What the data do not determine, and whether they had to be sorted; one sentence each."""
        self._check_fitted()
        low, high = self.reach_
        outside = tuple(
            f"the break at {d:.4g} lies outside the data ({low:.4g} to {high:.4g}): its position is not determined by them"
            for d in self.breaks_
            if not low <= d <= high
        )
        return (*outside, self.order_note_) if self.order_note_ else outside

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return fitting.rmsle(y[:, 0], predicted[:, 0])

    def _check_parameters(self) -> None:
        if self.n_breaks != "auto" and (not isinstance(self.n_breaks, int) or not 0 <= self.n_breaks <= MAX_BREAKS):
            raise PredictorError(f"n_breaks is 'auto' or a whole number from 0 to {MAX_BREAKS}, not {self.n_breaks!r}")
        if self.space not in ("log", "log1p"):
            raise PredictorError(f"space is 'log' or 'log1p', not {self.space!r}")

    def _fitted(self, points: fitting.Curve, count: int) -> form.Constants:
        shift = 1.0 if self.space == "log1p" else 0.0
        (found,) = fitting.fit_breaks([points], count, shift=shift, signed=not self.monotone, seed=self.seed)
        return found

    def _judged(self, points: fitting.Curve) -> dict[int, float]:
        """Mean RMSLE over the cuts by number of breaks, for the numbers that every cut's kept points can carry."""
        cuts = [points.x <= points.x[-1] / factor for factor in CUTS]
        out: dict[int, float] = {}
        for count in range(MAX_BREAKS + 1):
            usable = [kept for kept in cuts if len(np.unique(points.x[kept])) >= 3 + 3 * count + MIN_KEPT]
            if len(usable) < len(cuts) and out:
                break
            errors = []
            for kept in usable:
                found = self._fitted(fitting.Curve(points.x[kept], points.y[kept]), count)
                errors.append(fitting.rmsle(points.y[~kept], found.values(points.x[~kept])))
            if errors:
                out[count] = float(np.mean(errors))
        return out
