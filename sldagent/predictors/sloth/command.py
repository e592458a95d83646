"""How ``sldagent predictor sloth`` reads its options and tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.predictors.command import Command

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor


class SlothCommand(Command):
    """Scores of several benchmarks from parameters, tokens and family."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--params", metavar="COLUMN", required=True, help="parameters, in any one unit")
        parser.add_argument("--tokens", metavar="COLUMN", required=True, help="training tokens, in any one unit")
        parser.add_argument("--family", metavar="COLUMN", required=True, help="model family")
        parser.add_argument("--scores", metavar="A,B", required=True, help="columns of benchmark scores, in [0, 1]")
        parser.add_argument("--skills", metavar="D", type=int, default=2, help="latent skills (default: 2)")
        parser.add_argument(
            "--link", choices=["sigmoid", "monotone"], default="sigmoid", help="logistic or trained monotone link"
        )
        parser.add_argument("--shared", action="store_true", help="one intercept for all families")
        parser.add_argument("--floors", metavar="A,B", help="lowest score of each benchmark, such as chance (default: 0)")

    def make(self, args: argparse.Namespace) -> Predictor:
        from sldagent.errors import ConfigError
        from sldagent.predictors.sloth.model import Sloth

        try:
            floors = None if args.floors is None else tuple(float(v) for v in args.floors.split(","))
        except ValueError:
            raise ConfigError(f"--floors takes numbers separated by commas, not '{args.floors}'") from None
        return Sloth(d=args.skills, link=args.link, family=not args.shared, floors=floors)

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        scores = tuple(s.strip() for s in args.scores.split(",") if s.strip())
        return (args.params, args.tokens, args.family), scores

    def describe(self, model: Predictor) -> dict[str, Any]:
        from sldagent.predictors.sloth.model import Sloth

        assert isinstance(model, Sloth)
        return {"families": len(model.families_), "training error (points)": 100.0 * model.training_error_}

    def figure(self, model: Predictor, frame: pd.DataFrame, path: Path) -> None:
        from sldagent.predictors.sloth.figure import draw_loadings
        from sldagent.predictors.sloth.model import Sloth

        assert isinstance(model, Sloth)
        draw_loadings(model, path)


COMMAND = SlothCommand()
