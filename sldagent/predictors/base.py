"""The one manner of all predictors: `fit`, `predict`, `score`, `error`, `save`, `load`, in scikit-learn's conventions.

Parameters given to ``__init__`` are stored untouched under their own names and checked in `fit`; everything learnt from data
is an attribute whose name ends in an underscore.  `save` writes exactly these two and nothing else.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors import storage
from sldagent.predictors.tables import targets

FloatArray = NDArray[np.float64]


class Predictor(ABC):
    """A system that learns from measured models or runs and predicts others.

    `X` and `y` are arrays or pandas data frames of n rows; each class says which columns X has.  Data frames are read by
    column name once fitted: `feature_names_in_` and `target_names_` hold the names, and a frame given to `predict` may have
    further columns.
    """

    name: ClassVar[str]
    """Name in the registry, on the command line and in files."""
    error_name: ClassVar[str]
    """The published measure that `error` returns, with its unit, such as ``RMSLE``."""

    feature_names_in_: tuple[str, ...]
    target_names_: tuple[str, ...]

    @abstractmethod
    def fit(self, X: Any, y: Any) -> Self:
        """Learn from n rows; returns the predictor itself.

        Raises:
            PredictorError, TableError: a parameter or the data cannot be used; the message names the row and column.
        """

    @abstractmethod
    def predict(self, X: Any) -> FloatArray:
        """(n,) predictions, or (n, targets) where the predictor was fitted to a table of targets.

        Raises:
            PredictorError, TableError: it is not fitted, or a row cannot be predicted; the message names it.
        """

    @abstractmethod
    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        """The measure named by `error_name`, of (n, targets) measured values (NaN where missing) and predictions."""

    def error(self, X: Any, y: Any) -> float:
        """The published measure of the predictions' error (`error_name`); lower is better."""
        measured, predicted = self._compared(X, y)
        return self._error(measured, predicted)

    def score(self, X: Any, y: Any) -> float:
        """R2 of the predictions, averaged over targets; missing targets are left out.

        Raises:
            PredictorError: a target does not vary over the rows, so that R2 is undefined.
        """
        measured, predicted = self._compared(X, y)
        scores = []
        for k, (truth, guess) in enumerate(zip(measured.T, predicted.T, strict=True)):
            known = np.isfinite(truth)
            spread = float(np.sum((truth[known] - truth[known].mean()) ** 2)) if known.any() else 0.0
            if spread == 0.0:
                raise PredictorError(
                    f"R2 is undefined: target '{self.target_names_[k]}' does not vary over these rows; use error() instead"
                )
            scores.append(1.0 - float(np.sum((truth[known] - guess[known]) ** 2)) / spread)
        return float(np.mean(scores))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of ``__init__`` by name; `deep` is scikit-learn's and changes nothing here."""
        return {name: getattr(self, name) for name in _parameters(type(self))}

    def set_params(self, **params: Any) -> Self:
        """Change parameters of ``__init__``.

        Raises:
            PredictorError: a name is no parameter.
        """
        known = _parameters(type(self))
        for name, value in params.items():
            if name not in known:
                raise PredictorError(f"{type(self).__name__} has no parameter '{name}'; it has: {', '.join(known)}")
            setattr(self, name, value)
        return self

    def save(self, path: str | Path) -> None:
        """Write parameters and fitted attributes to one file: JSON and raw numbers in an ``.npz``, nothing pickled.

        Raises:
            PredictorError: the predictor is not fitted.
            ExportError: the file cannot be written.
        """
        self._check_fitted()
        fitted = {k: v for k, v in vars(self).items() if k.endswith("_") and not k.startswith("_")}
        storage.write(Path(path), storage.Saved(self.name, self.get_params(), fitted))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A predictor that `save` wrote; ``Predictor.load`` reads one of any class.

        Raises:
            PredictorError: the file is not a predictor's, or one of another class or a newer version.
        """
        from sldagent.predictors.registry import predictor_class

        saved = storage.read(Path(path))
        kind = predictor_class(saved.predictor)
        if not issubclass(kind, cls):
            raise PredictorError(f"{path} holds a predictor of kind '{saved.predictor}': load it with {kind.__name__}.load")
        lost = [name for name in _learnt(kind) if name not in saved.fitted]
        if lost:
            raise PredictorError(
                f"{path} was written by a version of sldagent whose {kind.__name__} had no '{lost[0]}': fit anew"
            )
        try:
            made = kind(**saved.params)
        except TypeError:
            raise PredictorError(f"{path} has parameters that {kind.__name__} does not: save() did not write it") from None
        for name, value in saved.fitted.items():
            setattr(made, name, value)
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"

    def _check_fitted(self) -> None:
        if not hasattr(self, "target_names_"):
            raise PredictorError(f"this {type(self).__name__} is not fitted: call fit() or load() first")

    def _compared(self, X: Any, y: Any) -> tuple[FloatArray, FloatArray]:
        """Measured and predicted values, (n, targets) each."""
        self._check_fitted()
        predicted = self.predict(X)
        predicted = predicted[:, None] if predicted.ndim == 1 else predicted
        measured = targets(y, self.target_names_, missing=True).values
        if measured.shape != predicted.shape:
            raise PredictorError(
                f"X gives {predicted.shape[0]} rows of {predicted.shape[1]} targets, y has {measured.shape[0]} rows of "
                f"{measured.shape[1]}: they must agree"
            )
        return measured, predicted


def _parameters(kind: type[Predictor]) -> tuple[str, ...]:
    """Names of the arguments of ``__init__``."""
    return tuple(inspect.signature(kind).parameters)


def _learnt(kind: type[Predictor]) -> list[str]:
    """Fitted attributes that a predictor's class, or one between it and `Predictor`, declares."""
    own = kind.__mro__[: kind.__mro__.index(Predictor)]
    return [name for part in own for name in inspect.get_annotations(part) if name.endswith("_")]
