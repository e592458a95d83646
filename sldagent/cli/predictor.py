"""``sldagent predictor NAME fit TABLE -o MODEL.npz | predict MODEL.npz TABLE | evaluate MODEL.npz TABLE``.

A predictor may add actions of its own on a fitted model, such as ``sldagent predictor sloth allocate MODEL.npz ...``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.cli import output

if TYPE_CHECKING:
    import pandas as pd

    from sldagent.predictors.base import Predictor
    from sldagent.predictors.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sldagent.predictors.registry import PREDICTORS, command

    names = parser.add_subparsers(dest="name", metavar="NAME", required=True, title="predictors")
    for name, entry in PREDICTORS.items():
        kind = names.add_parser(name, help=entry.summary, description=entry.summary[0].upper() + entry.summary[1:] + ".")
        _add_actions(kind, command(name))


def _add_actions(parser: argparse.ArgumentParser, words: Command) -> None:
    known = "|".join(("fit", "predict", "evaluate", *words.questions()))
    actions = parser.add_subparsers(dest="action", metavar=known, required=True)
    fit = actions.add_parser("fit", help="learn from a table and keep the fitted predictor in a file")
    fit.add_argument("table", metavar="TABLE", type=Path, help="CSV or Parquet table")
    words.add_arguments(fit)
    fit.add_argument("-o", "--output", metavar="MODEL.npz", type=Path, required=True, help="file of the fitted predictor")
    fit.add_argument("--figure", metavar="FILE.png", type=Path, help="draw the fit")
    predict = actions.add_parser("predict", help="predict for the rows of a table")
    predict.add_argument("-o", "--output", metavar="FILE", type=Path, help=".csv or .parquet (default: CSV to the terminal)")
    evaluate = actions.add_parser("evaluate", help="measure predictions against a table's targets")
    evaluate.add_argument("--figure", metavar="FILE.png", type=Path, help="draw the fit and the table")
    for action in (predict, evaluate):
        action.add_argument("model", metavar="MODEL.npz", type=Path, help="file that 'fit' wrote")
        action.add_argument("table", metavar="TABLE", type=Path, help="CSV or Parquet table with the same columns")
    for word, question in words.questions().items():
        sentence = question.summary[0].upper() + question.summary[1:] + "."
        asked = actions.add_parser(word, help=question.summary, description=sentence)
        asked.add_argument("model", metavar="MODEL.npz", type=Path, help="file that 'fit' wrote")
        question.add_arguments(asked)
        asked.add_argument("--json", action="store_true", help="print JSON, and only JSON, to standard output")
    for action in (fit, predict, evaluate):
        action.add_argument("--rows", metavar="COLUMN=VALUE", help="use only the rows with this value, such as split=fit")
        action.add_argument("--json", action="store_true", help="print JSON, and only JSON, to standard output")


def run(args: argparse.Namespace) -> int:
    return {"fit": _fit, "predict": _predict, "evaluate": _evaluate}.get(args.action, _ask)(args)


def _fit(args: argparse.Namespace) -> int:
    from sldagent.predictors.registry import command

    frame = _frame(args)
    words = command(args.name)
    model = words.fit(args, frame)
    model.save(args.output)
    if args.figure is not None:
        words.figure(model, frame, args.figure)
    learnt = words.describe(model)
    if args.json:
        output.print_json({"predictor": args.name, "rows": len(frame), "file": args.output, "fitted": learnt})
        return 0
    _show_figures({"rows": len(frame), **learnt})
    output.show(f"kept in {args.output}")
    return 0


def _predict(args: argparse.Namespace) -> int:
    from sldagent.export.files import write_whole
    from sldagent.predictors.registry import command

    model, frame, words = _model(args), _frame(args), command(args.name)
    made, remarks = words.predict(model, frame), words.remarks(model, frame)
    if args.json:
        added = {t: made[f"{t}_predicted"].to_numpy() for t in model.target_names_}
        output.print_json(
            {"predictor": args.name, "rows": len(made), "predictions": added, "notes": remarks, "file": args.output}
        )
    else:
        # Standard output may be the table.
        print(*(f"sldagent: note: {remark}\n" for remark in remarks), sep="", end="", file=sys.stderr)
    if args.output is None:
        if not args.json:
            made.to_csv(sys.stdout, index=False)
    elif args.output.suffix == ".parquet":
        write_whole(args.output, lambda place: made.to_parquet(place, index=False))
    else:
        output.write_text(made.to_csv(index=False), args.output)
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from sldagent.predictors.registry import command

    model, frame = _model(args), _frame(args)
    words = command(args.name)
    figures = words.evaluate(model, frame)
    if args.figure is not None:
        words.figure(model, frame, args.figure)
    if args.json:
        output.print_json({"predictor": args.name, **figures})
    else:
        _show_figures(figures)
    return 0


def _ask(args: argparse.Namespace) -> int:
    """A question that only this kind of predictor answers."""
    from sldagent.predictors.registry import command

    answer = command(args.name).questions()[args.action].answer(_model(args), args)
    if args.json:
        output.print_json({"predictor": args.name, **answer})
    else:
        _show_figures(answer)
    return 0


def _show_figures(figures: dict[str, Any]) -> None:
    """Names and values as a table of two columns."""
    from sldagent.report.tables import number, table

    rows = [(name, number(v, 6) if isinstance(v, float) else "-" if v is None else str(v)) for name, v in figures.items()]
    output.show(table(["figure", "value"], rows, numbers=["value"]))


def _model(args: argparse.Namespace) -> Predictor:
    from sldagent.predictors.registry import predictor_class

    return predictor_class(args.name).load(args.model)


def _frame(args: argparse.Namespace) -> pd.DataFrame:
    from sldagent.predictors.frames import read_frame

    return read_frame(args.table, args.rows)
