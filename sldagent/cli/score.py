"""``sldagent score LAW TABLE [--split test]``."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sldagent.cli import output
from sldagent.cli.laws_given import add_data, resolve_law, rows_argument
from sldagent.cli.options import add_common, open_archive
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    parser.add_argument("table", metavar="TABLE", help="CSV or Parquet table with variables and targets, or a built-in task")
    parser.add_argument(
        "--split", metavar="S", default="test", help="rows to score by the split column, or all (default: test)"
    )
    add_data(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.evaluation.metrics import mean_metrics, metrics
    from sldagent.fitted import check_split, is_file

    law = resolve_law(args, args.law)
    task = check_split(law.rows(rows_argument(args, args.table), require_target=True), args.split)
    predicted = law.predict_rows(task)
    parts = {name: metrics(task.Y[:, k], predicted[:, k]) for k, name in enumerate(law.targets)}
    total = mean_metrics(list(parts.values()))
    per_target = {name: asdict(m) for name, m in parts.items()}
    if not is_file(args.law):
        with open_archive(args, read_only=False) as archive:
            archive.log_scoring(law.law, args.split, task.source, len(task.X), {**asdict(total), "per_target": per_target})
    if args.json:
        output.print_json(
            {
                "law": law.law,
                "split": args.split,
                "rows": len(task.X),
                **asdict(total),
                "per_target": per_target,
            }
        )
        return 0
    rows = [(name, number(m.r2, 5), number(m.nmse), number(m.nmae)) for name, m in parts.items()]
    if len(rows) > 1:
        rows.append(("mean", number(total.r2, 5), number(total.nmse), number(total.nmae)))
    columns = ["target", "R2", "NMSE", "NMAE"]
    output.show(f"{law.law} on {len(task.X)} rows ({args.split}) of {task.source}")
    output.show(table(columns, rows, numbers=columns[1:]))
    return 0
