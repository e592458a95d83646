"""``sldagent predict LAW TABLE [-o FILE]``: the table's columns and one more for each target."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.laws_given import add_data, original_table, resolve_law, rows_argument
from sldagent.cli.options import add_common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    parser.add_argument("table", metavar="TABLE", help="CSV or Parquet table with the law's variables, or a built-in task")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help=".csv or .parquet (default: CSV to the terminal)")
    add_data(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.export.files import write_whole
    from sldagent.report.reach import beyond_notes

    law = resolve_law(args, args.law)
    given = rows_argument(args, args.table)
    task = law.rows(given)
    predicted = law.predict_rows(task)
    names = [f"{name}_predicted" for name in law.targets]
    frame = original_table(given).assign(**{name: predicted[:, k] for k, name in enumerate(names)})
    if args.output is None:
        if not args.json:
            frame.to_csv(sys.stdout, index=False)
    elif args.output.suffix == ".parquet":
        write_whole(args.output, lambda place: frame.to_parquet(place, index=False))
    else:
        output.write_text(frame.to_csv(index=False), args.output)
    if args.json:
        predictions = {name: predicted[:, k] for k, name in enumerate(law.targets)}
        path = None if args.output is None else str(args.output)
        output.print_json({"law": law.law, "rows": len(predicted), "predictions": predictions, "file": path})
    for note in beyond_notes(law.card, task):
        print(f"note: {note}", file=sys.stderr)
    return 0
