"""The observational scaling law: a score of models from their other benchmark scores, through capability components."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.observational.link import Link, fit_link
from sldagent.predictors.observational.scores import check_unit, read_scores
from sldagent.predictors.observational.space import CapabilitySpace, fit_space
from sldagent.predictors.tables import targets

FloatArray = NDArray[np.float64]


class ObservationalLaw(Predictor):
    """score = b + (1 - b) * sigmoid(w . S + beta), S the first components of the models' benchmark scores.

    X has one row per model and one column per benchmark, scores in [0, 1], empty where unknown; y holds one or several
    target scores in [0, 1], empty where unknown.  Imputation and components are learnt from the rows given to `fit` and no
    others.  Source: arXiv 2405.10938.

    Args:
        components: principal components that enter the law.
        floor_max: largest floor b.
        starts: random starts of the fit; 1 is the original procedure.
        seed: of the random starts.

    Attributes:
        explained_variance_: (benchmarks,) share of variance of each component, in falling order.
        loadings_: (components, benchmarks).
        weights_: (targets, components); intercepts_, floors_: (targets,).
        optima_: (targets,) distinct optima that the starts led to.
    """

    name: ClassVar[str] = "observational"
    error_name: ClassVar[str] = "MSE"

    space_: dict[str, Any]
    explained_variance_: FloatArray
    loadings_: FloatArray
    weights_: FloatArray
    intercepts_: FloatArray
    floors_: FloatArray
    training_mse_: FloatArray
    optima_: NDArray[np.int64]
    flat_: bool

    def __init__(self, components: int = 3, floor_max: float = 0.2, starts: int = 16, seed: int = 0) -> None:
        self.components = components
        self.floor_max = floor_max
        self.starts = starts
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the capability space from all rows and the law of each target from the rows that have it.

        Raises:
            PredictorError, TableError: a parameter is out of range; a score is outside [0, 1]; a model has no score; there
                are fewer models than components or constants.
        """
        if self.starts < 1 or not 0.0 <= self.floor_max < 1.0:
            raise PredictorError(f"starts is {self.starts} and floor_max {self.floor_max}: give 1 or more, and 0 to below 1")
        scores, names = read_scores(X)
        measured = targets(y, missing=True)
        if len(measured.values) != len(scores):
            raise PredictorError(f"X has {len(scores)} rows and y has {len(measured.values)}: they must be the same models")
        check_unit(measured.values, measured.names, measured.table.where)
        space = fit_space(scores, self.components)
        S = space.transform(scores)
        links = []
        for k, target in enumerate(measured.names):
            known = np.isfinite(measured.values[:, k])
            try:
                links.append(
                    fit_link(
                        S[known], measured.values[known, k], floor_max=self.floor_max, starts=self.starts, seed=self.seed
                    )
                )
            except PredictorError as error:
                raise PredictorError(f"target '{target}': {error}") from None
        self._keep(space, links)
        self.flat_ = measured.flat
        self.feature_names_in_, self.target_names_ = names, measured.names
        return self

    def predict(self, X: Any) -> FloatArray:
        """(n,) or (n, targets) predicted scores in [0, 1]."""
        S = self.transform(X)
        columns = [link.predict(S) for link in self._links()]
        return columns[0] if self.flat_ else np.stack(columns, axis=1)

    def transform(self, X: Any) -> FloatArray:
        """(n, components) capability components of models; missing scores are filled from the training rows' component."""
        self._check_fitted()
        return self._space().transform(read_scores(X, self.feature_names_in_)[0])

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return float(np.nanmean((y - predicted) ** 2))

    def _keep(self, space: CapabilitySpace, links: list[Link]) -> None:
        self.space_ = space.as_dict()
        self.explained_variance_ = space.explained
        self.loadings_ = space.loadings
        self.weights_ = np.stack([link.weights for link in links])
        self.intercepts_ = np.array([link.intercept for link in links])
        self.floors_ = np.array([link.floor for link in links])
        self.training_mse_ = np.array([link.mse for link in links])
        self.optima_ = np.array([link.optima for link in links])

    def _space(self) -> CapabilitySpace:
        return CapabilitySpace.of_dict(self.space_)

    def _links(self) -> list[Link]:
        parts = zip(self.intercepts_, self.weights_, self.floors_, self.training_mse_, self.optima_, strict=True)
        return [Link(float(a), w, float(b), float(e), int(o)) for a, w, b, e, o in parts]
