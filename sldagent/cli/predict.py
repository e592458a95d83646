"""``sldagent predict LAW TABLE [-o FILE]``: the table's columns and one more for each target.

With ``--interval P`` two more for each target: the ends of central intervals that hold a share P of new measurements.
With ``--blend`` two more: the mean of the run's short list, and its spread (largest less smallest prediction).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.cli import output
from sldagent.cli.laws_given import add_blend, add_data, original_table, resolve_blend, resolve_law, rows_argument
from sldagent.cli.options import add_common

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray

    from sldagent.tasks.task import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    parser.add_argument("table", metavar="TABLE", help="CSV or Parquet table with the law's variables, or a built-in task")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help=".csv or .parquet (default: CSV to the terminal)")
    parser.add_argument(
        "--interval", metavar="P", type=float, help="also columns <target>_low and <target>_high of P intervals, such as 0.9"
    )
    add_blend(parser)
    add_data(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.export.files import write_whole
    from sldagent.report.reach import beyond_notes

    if args.interval is not None:
        _check_interval(args)
    given = rows_argument(args, args.table)
    made = _blended(args, given) if args.blend else _predicted(args, given)
    frame = original_table(given)
    for k, name in enumerate(made.targets):
        frame = frame.assign(**{f"{name}_{what}": values[:, k] for what, values in made.columns.items()})
    if args.output is None:
        if not args.json:
            frame.to_csv(sys.stdout, index=False)
    elif args.output.suffix == ".parquet":
        write_whole(args.output, lambda place: frame.to_parquet(place, index=False))
    else:
        output.write_text(frame.to_csv(index=False), args.output)
    if args.json:
        path = None if args.output is None else str(args.output)
        figures = {
            _KEYS[what]: {name: values[:, k] for k, name in enumerate(made.targets)} for what, values in made.columns.items()
        }
        output.print_json({**made.of, "rows": len(made.task.X), **figures, "file": path})
    for note in (*made.notes, *beyond_notes(made.card, made.task)):
        print(f"note: {note}", file=sys.stderr)
    return 0


def _check_interval(args: argparse.Namespace) -> None:
    from sldagent.errors import ConfigError
    from sldagent.uncertainty.bootstrap import check_level

    check_level(args.interval)
    if args.blend:
        raise ConfigError("--interval is of one law, and a blend has its spread instead: leave out --interval or --blend")


_KEYS = {"predicted": "predictions", "spread": "spread", "low": "low", "high": "high"}
"""Name of each kind of column in the JSON."""


@dataclass(frozen=True)
class _Made:
    """What to write, by a law or a blend."""

    of: Mapping[str, Any]
    """What predicted, for the JSON."""
    card: Mapping[str, Any]
    targets: tuple[str, ...]
    task: Task
    columns: Mapping[str, NDArray[np.float64]]
    """By the ending of their columns' names; each (rows, targets)."""
    notes: tuple[str, ...] = ()


def _predicted(args: argparse.Namespace, given: str | pandas.DataFrame) -> _Made:
    law = resolve_law(args, args.law)
    task = law.rows(given)
    columns = {"predicted": law.predict_rows(task)}
    of: dict[str, Any] = {"law": law.law}
    if args.interval is not None:
        of["interval"] = args.interval
        columns["low"], columns["high"] = law.interval_rows(task, args.interval)
    return _Made(of, law.card, law.targets, task, columns)


def _blended(args: argparse.Namespace, given: str | pandas.DataFrame) -> _Made:
    blend = resolve_blend(args, args.law)
    task = blend.rows(given)
    columns = {"predicted": blend.predict_rows(task), "spread": blend.spread_rows(task)}
    of = {"run": blend.run, "blend": blend.members}
    return _Made(of, blend.laws[0].card, blend.targets, task, columns, blend.notes(task))
