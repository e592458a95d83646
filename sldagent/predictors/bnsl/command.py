"""How ``sldagent predictor bnsl|m1|m2|m3|m4`` reads its options and tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.predictors.command import Command

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor


class CurveCommand(Command):
    """A curve of one column over another."""

    def __init__(self, module: str, kind: str) -> None:
        self.module, self.kind = module, kind
        """Where the predictor is: a module of `sldagent.predictors.bnsl` and its class."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--x", metavar="COLUMN", required=True, help="scale: model size, data, compute or steps")
        parser.add_argument("--y", metavar="COLUMN", required=True, help="measure of performance, above 0")

    def make(self, args: argparse.Namespace) -> Predictor:
        made: Predictor = getattr(import_module(f"sldagent.predictors.bnsl.{self.module}"), self.kind)()
        return made

    def columns(self, args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str]]:
        return (args.x,), (args.y,)

    def describe(self, model: Predictor) -> dict[str, Any]:
        from sldagent.predictors.bnsl.blend import CurveBlend
        from sldagent.predictors.bnsl.curves import CurveForm
        from sldagent.predictors.bnsl.model import BNSL

        assert isinstance(model, BNSL | CurveForm | CurveBlend)
        learnt: dict[str, Any] = model.weights_ if isinstance(model, CurveBlend) else model.constants_
        notes = {"note": " ".join(model.notes())} if model.notes() else {}
        return {**learnt, "limit": model.limit_, **notes}


class BnslCommand(CurveCommand):
    """A broken power law of one column over another."""

    def __init__(self) -> None:
        super().__init__("model", "BNSL")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--breaks", metavar="N|auto", default="1", help="breaks; auto: chosen by extrapolation cuts (default: 1)"
        )
        parser.add_argument(
            "--space",
            choices=["log", "log1p"],
            default="log",
            help="squared errors of log y, or of log(y + 1) as in the paper (default: log)",
        )

    def make(self, args: argparse.Namespace) -> Predictor:
        from sldagent.predictors.bnsl.model import BNSL

        return BNSL(n_breaks=int(args.breaks) if args.breaks.isdigit() else args.breaks, space=args.space)

    def figure(self, model: Predictor, frame: pd.DataFrame, path: Path) -> None:
        from sldagent.predictors.bnsl.figure import draw
        from sldagent.predictors.bnsl.model import BNSL

        assert isinstance(model, BNSL)
        draw(model, frame, path)


COMMAND = BnslCommand()
M1_COMMAND, M2_COMMAND, M3_COMMAND, M4_COMMAND = (CurveCommand("curves", f"M{k}") for k in (1, 2, 3, 4))
BLEND_COMMAND = CurveCommand("blend", "CurveBlend")
