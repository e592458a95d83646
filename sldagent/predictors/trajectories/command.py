"""How ``sldagent predictor trajectories`` reads its options and tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sldagent.predictors.command import Command, take

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor


class TrajectoriesCommand(Command):
    """Long tables: one row per run, task and checkpoint."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--run", metavar="COLUMN", required=True, help="training run or model")
        parser.add_argument("--task", metavar="COLUMN", required=True, help="task")
        parser.add_argument("--step", metavar="COLUMN", required=True, help="training steps or tokens")
        parser.add_argument("--accuracy", metavar="COLUMN", required=True, help="accuracy in [0, 1]; empty where unknown")
        parser.add_argument(
            "--losses", metavar="A,B", help="columns about the losses at the checkpoint, such as a histogram"
        )
        parser.add_argument("--ratio", metavar="R", type=float, default=0.2, help="share that contexts hold (default: 0.2)")
        parser.add_argument("--members", metavar="N", type=int, default=2, help="networks averaged (default: 2)")
        parser.add_argument("--steps", metavar="N", type=int, default=500, help="training steps of each (default: 500)")

    def make(self, args: argparse.Namespace) -> Predictor:
        from sldagent.predictors.trajectories.model import TrajectoryForecaster

        return TrajectoryForecaster(ratio=args.ratio, losses=args.losses is not None, members=args.members, steps=args.steps)

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        losses = () if args.losses is None else tuple(c.strip() for c in args.losses.split(",") if c.strip())
        return (args.run, args.task, args.step, args.accuracy, *losses), (args.accuracy,)

    def evaluate(self, model: Predictor, frame: pd.DataFrame) -> dict[str, Any]:
        """Figures of anchored forecasts: accuracies after each trajectory's context are blanked, forecast and compared."""
        import numpy as np

        from sldagent.predictors.trajectories.data import blanked
        from sldagent.predictors.trajectories.model import TrajectoryForecaster

        assert isinstance(model, TrajectoryForecaster)
        take(frame, model.feature_names_in_)
        name = model.feature_names_in_[3]
        truth = frame[name].to_numpy(dtype=np.float64)
        seen = blanked(frame, model.feature_names_in_, model.ratio)
        quantiles = model.predict_quantiles(seen)
        ahead = np.isnan(seen[name].to_numpy(dtype=np.float64)) & np.isfinite(truth)
        miss = np.abs(quantiles[ahead, 2] - truth[ahead])
        inside = (truth[ahead] >= quantiles[ahead, 0]) & (truth[ahead] <= quantiles[ahead, 4])
        return {
            "rows": len(frame),
            "rows forecast": int(ahead.sum()),
            model.error_name: 100.0 * float(miss.mean()),
            "80 % interval covers (%)": 100.0 * float(inside.mean()),
        }

    def predict(self, model: Predictor, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with the columns ``ACCURACY_predicted`` and, for the 80 % interval, ``ACCURACY_low`` and ``_high``."""
        from sldagent.predictors.trajectories.model import TrajectoryForecaster

        assert isinstance(model, TrajectoryForecaster)
        take(frame, model.feature_names_in_)
        quantiles = model.predict_quantiles(frame)
        name = model.feature_names_in_[3]
        columns = {f"{name}_predicted": 2, f"{name}_low": 0, f"{name}_high": 4}
        return frame.assign(**{column: quantiles[:, k] for column, k in columns.items()})

    def describe(self, model: Predictor) -> dict[str, Any]:
        from sldagent.predictors.trajectories.model import TrajectoryForecaster

        assert isinstance(model, TrajectoryForecaster)
        return {
            "trajectories": model.trained_on_,
            "share of the mean curve's line": model.line_share_,
            "pinball loss (points)": float(model.pinball_.mean()),
        }


COMMAND = TrajectoriesCommand()
