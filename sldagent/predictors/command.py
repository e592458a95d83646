"""What the verb ``predictor`` needs to know of one predictor: its options, and how it reads a table.

A predictor of the usual kind overrides `add_arguments`, `make` and `columns`; one whose rows are not one model or run each
overrides `fit`, `predict` or `evaluate` as a whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.errors import PredictorError

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor


@dataclass(frozen=True)
class Question:
    """What a fitted predictor can be asked beside predictions: a further action of the command line."""

    summary: str
    """One line for ``--help``."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    answer: Callable[[Predictor, argparse.Namespace], dict[str, Any]]
    """Numbers and texts by name.  Raises SldagentError where it cannot be answered."""


class Command:
    """How the command line fits a predictor to a table, applies it and measures it."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Options of ``fit``: the columns' names and the predictor's parameters."""
        raise TypeError(f"{type(self).__name__} defines no options")

    def make(self, args: argparse.Namespace) -> Predictor:
        """A predictor that is not fitted yet, from the options."""
        raise TypeError(f"{type(self).__name__} makes no predictor")

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        """Names of the input columns and of the target columns, from the options."""
        raise TypeError(f"{type(self).__name__} names no columns")

    def fit(self, args: argparse.Namespace, frame: pd.DataFrame) -> Predictor:
        """The predictor fitted to a table."""
        features, target = self.columns(args)
        take(frame, (*features, *target))
        y = frame[target[0]] if len(target) == 1 else frame[list(target)]
        return self.make(args).fit(frame[list(features)], y)

    def predict(self, model: Predictor, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with one further column for each target: ``TARGET_predicted``."""
        take(frame, model.feature_names_in_)
        predicted = model.predict(frame)
        predicted = predicted[:, None] if predicted.ndim == 1 else predicted
        return frame.assign(**{f"{t}_predicted": predicted[:, k] for k, t in enumerate(model.target_names_)})

    def remarks(self, model: Predictor, frame: pd.DataFrame) -> tuple[str, ...]:
        """What has to be said of the predictions for a table, one sentence each."""
        return ()

    def evaluate(self, model: Predictor, frame: pd.DataFrame) -> dict[str, Any]:
        """Figures of a fitted predictor on a table with measured targets."""
        take(frame, (*model.feature_names_in_, *model.target_names_))
        y = frame[list(model.target_names_)]
        return {"rows": len(frame), model.error_name: model.error(frame, y), "R2": _r2(model, frame, y)}

    def describe(self, model: Predictor) -> dict[str, Any]:
        """What a fitted predictor learnt, for the terminal and the JSON: numbers and texts by name."""
        return {}

    def questions(self) -> Mapping[str, Question]:
        """Further actions on a fitted predictor, by their word on the command line."""
        return {}

    def figure(self, model: Predictor, frame: pd.DataFrame, path: Path) -> None:
        """Draw a fitted predictor beside a table to an image file."""
        raise PredictorError(f"the predictor '{model.name}' has no figure: leave --figure out")


def take(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raises PredictorError where the table lacks one of the columns."""
    from sldagent.tasks.table import suggest

    for name in names:
        if name not in frame.columns:
            raise PredictorError(f"the table has no column '{name}'; {suggest(name, [str(c) for c in frame.columns])}")


def _r2(model: Predictor, frame: pd.DataFrame, y: pd.DataFrame) -> float | None:
    try:
        return model.score(frame, y)
    except PredictorError:
        return None
