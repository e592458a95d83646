"""``sldagent score LAW|PROGRAM.py TABLE [--split test]``.

With ``--blend`` the mean of a run's short list is scored.  The archive logs that too, under the run's id and ``-blend`` and
beside no law (`run` and `k` are NULL): it is a reading of the rows, not a score of one of the run's laws.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from sldagent.cli import output
from sldagent.cli.laws_given import add_blend, resolve_blend, resolve_law, rows_argument
from sldagent.cli.options import add_common, add_jail, add_roles, open_archive, refuse_roles
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "law",
        metavar="LAW|PROGRAM.py",
        help="a law's id, a run's id (its choice), an exported JSON file, or a program file, which is fitted to the table's "
        "training rows first (in the jail)",
    )
    parser.add_argument("table", metavar="TABLE", help="CSV or Parquet table with variables and targets, or a built-in task")
    parser.add_argument(
        "--split", metavar="S", default="test", help="rows to score by the split column, or all (default: test)"
    )
    add_blend(parser)
    add_roles(parser)
    add_jail(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    if args.law.endswith(".py") and not args.blend:
        from sldagent.cli import score_program

        return score_program.run(args)
    refuse_roles(args, "a law that is already fitted brings its columns with it")
    from sldagent.blend import Blend
    from sldagent.evaluation.metrics import mean_metrics, metrics
    from sldagent.fitted import Fitted, check_split, is_file

    law: Fitted | Blend
    if args.blend:
        law = resolve_blend(args, args.law)
        name, of, title = law.name, {"run": law.run, "blend": law.members}, f"{law.name} (mean of {', '.join(law.members)})"
    else:
        law = resolve_law(args, args.law)
        name, of, title = law.law, {"law": law.law}, law.law
    task = check_split(law.rows(rows_argument(args, args.table), require_target=True), args.split)
    predicted = law.predict_rows(task)
    parts = {target: metrics(task.Y[:, k], predicted[:, k]) for k, target in enumerate(law.targets)}
    total = mean_metrics(list(parts.values()))
    per_target = {target: asdict(m) for target, m in parts.items()}
    if not is_file(args.law):
        with open_archive(args, read_only=False) as archive:
            archive.log_scoring(name, args.split, task.source, len(task.X), {**asdict(total), "per_target": per_target})
    for note in law.notes(task) if isinstance(law, Blend) else ():
        print(f"note: {note}", file=sys.stderr)
    if args.json:
        output.print_json(
            {
                **of,
                "split": args.split,
                "rows": len(task.X),
                **asdict(total),
                "per_target": per_target,
            }
        )
        return 0
    rows = [(target, number(m.r2, 5), number(m.nmse), number(m.nmae)) for target, m in parts.items()]
    if len(rows) > 1:
        rows.append(("mean", number(total.r2, 5), number(total.nmse), number(total.nmae)))
    columns = ["target", "R2", "NMSE", "NMAE"]
    output.show(f"{title} on {len(task.X)} rows ({args.split}) of {task.source}")
    output.show(table(columns, rows, numbers=columns[1:]))
    return 0
