"""Sloth as a predictor: benchmark scores from model size, training tokens and family through a few latent skills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.sloth.fitting import SETTINGS, Problem, Settings, fit_problems, predict_scores, skills_of
from sldagent.predictors.tables import Inputs, inputs, same_length, targets

FloatArray = NDArray[np.float64]

ROLES = ("params", "tokens", "family")
LEVEL = 0.8
"""Coverage of the intervals that are given."""


@dataclass(frozen=True)
class Interval:
    """Predicted scores with a range."""

    scores: FloatArray
    """(n, benchmarks)."""
    low: FloatArray
    high: FloatArray
    unknown: tuple[str, ...]
    """Families that were not in training: their rows use the mean intercept, and the range is that of all families."""


class Sloth(Predictor):
    """Skills scaling law (Maia Polo et al., arXiv 2412.06540).

    With s parameters, t tokens and family f:  x = (log t, log s, log t log s),  skills = W' x + alpha_f  in R^d,
    score_j = floor_j + (1 - floor_j) link_j(loadings_j' skills + b_j).

    Args:
        d: skills, at most the number of benchmarks.
        link: ``"sigmoid"`` (basic Sloth: logistic, floors fixed) or ``"monotone"`` (full Sloth: starts at the fitted basic
            model, then trains the floors and a monotone network for each benchmark too).
        family: whether each family has an own intercept alpha; else all share one.
        floors: lowest score of each benchmark, such as chance level; None for zeros.
        seed: of the random start.

    `X` has the columns params, tokens, family (in this order; any fixed unit for the first two); `y` the scores of at least
    one benchmark, fractions in [0, 1], missing cells allowed.  After `fit`: `weights_` (by name, as `training.Parameters`),
    `families_`, `training_error_` (mean absolute error), `residuals_` ((benchmarks,) its LEVEL quantile).
    """

    name = "sloth"
    error_name = "MAE (points)"

    weights_: dict[str, FloatArray]
    families_: tuple[str, ...]
    training_error_: float
    residuals_: FloatArray
    design_: FloatArray

    def __init__(
        self,
        d: int = 2,
        link: Literal["sigmoid", "monotone"] = "sigmoid",
        family: bool = True,
        floors: tuple[float, ...] | None = None,
        seed: int = 42,
    ) -> None:
        self.d = d
        self.link = link
        self.family = family
        self.floors = floors
        self.seed = seed

    def fit(self, X: Any, y: Any, settings: Settings = SETTINGS) -> Self:
        """Fit to n models.

        Args:
            X: (n, 3) params, tokens, family.
            y: (n, benchmarks) scores in [0, 1]; NaN where missing.
            settings: of the training; the default is the authors'.

        Raises:
            PredictorError, TableError: a parameter or a cell cannot be used, or there are fewer models than skills.
        """
        given, measured = inputs(X, ROLES), targets(y, missing=True)
        same_length(given, measured)
        self._check(given, measured.values, measured.names)
        labels = given.labels(2)
        self.families_ = tuple(dict.fromkeys(labels)) if self.family else ("all",)
        design = features(given.positive(0), given.positive(1))
        one_hot = self._one_hot(labels)
        problem = Problem(design, one_hot, measured.values, np.isfinite(measured.values), self._floors(measured.names))
        (fitted,) = fit_problems([problem], self.d, self.link, self.seed, settings)
        self.weights_, self.training_error_ = fitted.weights, fitted.error
        gaps = np.abs(predict_scores(self.weights_, design, one_hot) - measured.values)
        self.residuals_ = np.nanquantile(gaps, LEVEL, axis=0)
        self.design_ = np.concatenate([design, one_hot], axis=1)
        self.feature_names_in_, self.target_names_ = given.names, measured.names
        return self

    def predict(self, X: Any) -> FloatArray:
        """(n, benchmarks) expected scores; a family that was not in training gets the mean intercept of those that were."""
        return self.predict_interval(X).scores

    def predict_interval(self, X: Any) -> Interval:
        """Expected scores with a range: the training residuals' for known families; for unknown ones the range, over all
        known families' intercepts, of the predictions, widened by these residuals.
        """
        self._check_fitted()
        given = inputs(X, ROLES, self.feature_names_in_)
        labels = given.labels(2)
        design = features(given.positive(0), given.positive(1))
        one_hot = self._one_hot(labels)
        scores = predict_scores(self.weights_, design, one_hot)
        low, high = scores.copy(), scores.copy()
        unknown = tuple(f for f in dict.fromkeys(labels) if self.family and f not in self.families_)
        rows = np.array([k for k, label in enumerate(labels) if label in unknown], dtype=np.int64)
        if rows.size:
            each = np.stack(
                [
                    predict_scores(self.weights_, design[rows], np.tile(one, (len(rows), 1)))
                    for one in np.eye(len(self.families_))
                ]
            )
            tail = 0.5 * (1.0 - LEVEL)
            low[rows], high[rows] = np.quantile(each, tail, axis=0), np.quantile(each, 1.0 - tail, axis=0)
        low, high = low - self.residuals_, high + self.residuals_
        return Interval(scores, low.clip(0.0, 1.0), high.clip(0.0, 1.0), unknown)

    def skills(self, X: Any) -> FloatArray:
        """(n, d) latent skills, not rotated; see `interpret`."""
        self._check_fitted()
        given = inputs(X, ROLES, self.feature_names_in_)
        return skills_of(self.weights_, features(given.positive(0), given.positive(1)), self._one_hot(given.labels(2)))

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return 100.0 * float(np.nanmean(np.abs(y - predicted)))

    def _one_hot(self, labels: list[str]) -> FloatArray:
        """(n, families); rows of unknown families are the mean over families."""
        if not self.family:
            return np.ones((len(labels), 1))
        known = {f: k for k, f in enumerate(self.families_)}
        out = np.full((len(labels), len(known)), 1.0 / len(known))
        for row, label in enumerate(labels):
            if label in known:
                out[row] = np.eye(len(known))[known[label]]
        return out

    def _floors(self, names: tuple[str, ...]) -> FloatArray:
        floors = np.zeros(len(names)) if self.floors is None else np.asarray(self.floors, dtype=np.float64)
        if floors.shape != (len(names),) or not ((floors >= 0.0) & (floors < 1.0)).all():
            raise PredictorError(f"floors must be {len(names)} numbers in [0, 1), one for each of {', '.join(names)}")
        return floors

    def _check(self, given: Inputs, Y: FloatArray, names: tuple[str, ...]) -> None:
        if self.link not in ("sigmoid", "monotone"):
            raise PredictorError(f"link is 'sigmoid' or 'monotone', not {self.link!r}")
        if not isinstance(self.d, int) or not 1 <= self.d <= Y.shape[1]:
            raise PredictorError(f"d is a whole number from 1 to the number of benchmarks ({Y.shape[1]}), not {self.d!r}")
        if len(Y) < self.d + 1:
            raise PredictorError(f"too few models ({len(Y)}) for {self.d} skills: give at least {self.d + 1}")
        for row, j in np.argwhere(~np.isnan(Y) & ((Y < 0.0) | (Y > 1.0))):
            raise PredictorError(
                f"{given.table.where(int(row))}: score '{names[j]}' is {Y[row, j]:g}, outside [0, 1]; give fractions, not "
                "percent"
            )
        for j in np.flatnonzero(np.isnan(Y).all(axis=0)):
            raise PredictorError(f"benchmark '{names[j]}' has no score in any row: leave it out")
        for row in np.flatnonzero(np.isnan(Y).all(axis=1)):
            raise PredictorError(f"{given.table.where(int(row))}: the model has no score at all; remove the row")


def features(params: FloatArray, tokens: FloatArray) -> FloatArray:
    """(n, 3): log tokens, log params and their product."""
    s, t = np.log(params), np.log(tokens)
    return np.stack([t, s, t * s], axis=1)
