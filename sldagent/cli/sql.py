"""``sldagent sql "QUERY"``: read-only."""

from __future__ import annotations

import argparse
import csv
import sys

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive
from sldagent.jsonable import jsonable
from sldagent.report.tables import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", metavar="QUERY", help="one SELECT statement, or '-' to read it from standard input")
    parser.add_argument("--format", choices=["table", "csv", "json"], help="how rows are printed (default: table)")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    query = sys.stdin.read() if args.query == "-" else args.query
    with open_archive(args) as archive:
        columns, rows = archive.query(query)
    form = args.format or ("json" if args.json else "table")
    if form == "json":
        output.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if v is None else jsonable(v) for v in row] for row in rows])
    else:
        numbers = [c for i, c in enumerate(columns) if rows and all(isinstance(r[i], (int, float)) for r in rows)]
        output.show(table(columns, rows, numbers=numbers))
        output.show(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")
    return 0
