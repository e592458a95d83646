"""How ``sldagent predictor observational`` reads its options and tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sldagent.predictors.command import Command

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor


class ObservationalCommand(Command):
    """Target scores from benchmark scores."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--scores", metavar="A,B", required=True, help="columns of benchmark scores in [0, 1]; may have gaps"
        )
        parser.add_argument("--target", metavar="T[,T2]", required=True, help="column(s) to predict, in [0, 1]")
        parser.add_argument("--components", metavar="K", type=int, default=3, help="capability components (default: 3)")
        parser.add_argument(
            "--floor", metavar="B", type=float, default=0.2, help="largest floor of the sigmoid (default: 0.2)"
        )
        parser.add_argument("--starts", metavar="N", type=int, default=16, help="starts; 1: as published (default: 16)")
        parser.add_argument(
            "--at-most", metavar="COLUMN=VALUE", help="learn only from rows up to this value, such as 'FLOPs (1E21)=84'"
        )

    def make(self, args: argparse.Namespace) -> Predictor:
        from sldagent.predictors.observational.model import ObservationalLaw

        return ObservationalLaw(components=args.components, floor_max=args.floor, starts=args.starts)

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        return _list(args.scores), _list(args.target)

    def fit(self, args: argparse.Namespace, frame: pd.DataFrame) -> Predictor:
        return super().fit(args, frame if args.at_most is None else _below(frame, args.at_most))

    def describe(self, model: Predictor) -> dict[str, Any]:
        from sldagent.predictors.observational.model import ObservationalLaw

        assert isinstance(model, ObservationalLaw)
        shares = {f"variance of PC{k + 1}": float(v) for k, v in enumerate(model.explained_variance_[: model.components])}
        return {
            **shares,
            **{f"training MSE, {t}": float(e) for t, e in zip(model.target_names_, model.training_mse_, strict=True)},
        }


def _below(frame: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows that the option ``--at-most COLUMN=VALUE`` keeps."""
    import numpy as np
    import pandas as pd

    from sldagent.errors import PredictorError
    from sldagent.predictors.command import take
    from sldagent.predictors.observational.split import split_by_cutoff

    column, _, value = text.rpartition("=")
    try:
        cutoff = float(value)
    except ValueError:
        raise PredictorError(f"--at-most takes COLUMN=VALUE, such as 'FLOPs (1E21)=84', not '{text}'") from None
    take(frame, [column])
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
    kept = split_by_cutoff(values, cutoff)
    if not kept.any():
        raise PredictorError(f"--at-most {text}: no row is left to learn from")
    return frame[kept]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


COMMAND = ObservationalCommand()
