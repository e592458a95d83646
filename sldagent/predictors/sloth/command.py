"""How ``sldagent predictor sloth|pooled`` reads its options and tables."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.predictors.command import Command, Question, take

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor
    from sldagent.predictors.sloth.model import Interval


class FamilyCommand(Command):
    """Scores of several benchmarks from parameters, tokens and family."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--params", metavar="COLUMN", required=True, help="parameters, in any one unit")
        parser.add_argument("--tokens", metavar="COLUMN", required=True, help="training tokens, in any one unit")
        parser.add_argument("--family", metavar="COLUMN", required=True, help="model family")
        parser.add_argument("--scores", metavar="A,B", required=True, help="columns of benchmark scores, in [0, 1]")

    def predict(self, model: Predictor, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with the columns ``SCORE_predicted`` and, for the 80 % interval, ``SCORE_low`` and ``SCORE_high``."""
        take(frame, model.feature_names_in_)
        found = _interval(model, frame)
        added = {"predicted": found.scores, "low": found.low, "high": found.high}
        names = model.target_names_
        return frame.assign(**{f"{t}_{word}": v[:, k] for k, t in enumerate(names) for word, v in added.items()})

    def remarks(self, model: Predictor, frame: pd.DataFrame) -> tuple[str, ...]:
        return tuple(
            f"the family '{name}' was not in training: its scores are those of the mean family, and their range holds the "
            "spread between families"
            for name in _interval(model, frame).unknown
        )

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        scores = tuple(s.strip() for s in args.scores.split(",") if s.strip())
        return (args.params, args.tokens, args.family), scores


def _interval(model: Predictor, frame: pd.DataFrame) -> Interval:
    from sldagent.predictors.sloth.model import Sloth
    from sldagent.predictors.sloth.pooled import PooledLaw

    assert isinstance(model, (Sloth, PooledLaw))
    return model.predict_interval(frame)


class PooledCommand(FamilyCommand):
    """The partially pooled law."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--tuned", metavar="COLUMN", help="1 for models tuned to follow instructions, else 0")

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        features, scores = super().columns(args)
        return (features if args.tuned is None else (*features, args.tuned)), scores

    def make(self, args: argparse.Namespace) -> Predictor:
        from sldagent.predictors.sloth.pooled import PooledLaw

        return PooledLaw()

    def describe(self, model: Predictor) -> dict[str, Any]:
        from sldagent.predictors.sloth.pooled import PooledLaw

        assert isinstance(model, PooledLaw)
        return {"families": len(model.families_)}


class SlothCommand(FamilyCommand):
    """Sloth, and where to spend compute for one of its skills."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
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

    def describe(self, model: Predictor) -> dict[str, Any]:
        from sldagent.predictors.sloth.model import Sloth

        assert isinstance(model, Sloth)
        return {"families": len(model.families_), "training error (points)": 100.0 * model.training_error_}

    def questions(self) -> Mapping[str, Question]:
        summary = "parameters and tokens that serve a skill best for a compute budget"
        return {"allocate": Question(summary, _add_allocation, _allocate)}

    def figure(self, model: Predictor, frame: pd.DataFrame, path: Path) -> None:
        from sldagent.predictors.sloth.figure import draw_loadings
        from sldagent.predictors.sloth.model import Sloth

        assert isinstance(model, Sloth)
        draw_loadings(model, path)


def _add_allocation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compute",
        metavar="C",
        type=float,
        required=True,
        help="budget: 6 x parameters x tokens in the units of the fitted table (1e21 FLOPs for billions and trillions)",
    )
    parser.add_argument("--skill", metavar="K", type=int, default=1, help="skill to serve, from 1 (default: 1)")
    parser.add_argument(
        "--reach",
        metavar="LOW,HIGH",
        help="parameters to consider, in the table's unit (default: the range of the fitted models)",
    )


def _allocate(model: Predictor, args: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from sldagent.errors import ConfigError
    from sldagent.predictors.sloth.interpret import interpret, optimal_allocation
    from sldagent.predictors.sloth.model import Sloth

    assert isinstance(model, Sloth)
    sizes = np.exp(model.design_[:, 1])
    try:
        low, high = (float(sizes.min()), float(sizes.max())) if args.reach is None else map(float, args.reach.split(","))
    except ValueError:
        raise ConfigError(f"--reach takes two numbers separated by a comma, not '{args.reach}'") from None
    found = interpret(model)
    if not 1 <= args.skill <= len(found.loadings):
        raise ConfigError(f"--skill: there is no skill {args.skill}; this model has {len(found.loadings)}, from 1")
    best = optimal_allocation(found, args.compute, args.skill - 1, reach=(low, high))
    loadings = dict(zip(model.target_names_, found.loadings[args.skill - 1].tolist(), strict=True))
    edge = {"note": f"at the edge of the sizes considered, {low:.4g} to {high:.4g}: the law names no optimum inside"}
    return {
        model.feature_names_in_[0]: best.params,
        model.feature_names_in_[1]: best.tokens,
        f"skill {args.skill}": best.skill,
        **{f"loading of {name}": value for name, value in loadings.items()},
        **(edge if best.at_edge else {}),
    }


COMMAND = SlothCommand()
POOLED_COMMAND = PooledCommand()
