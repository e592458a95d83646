"""``sldagent fit TABLE --law LAW``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.options import add_common, add_jail, add_roles, load_task, seed_int
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE|CARD|NAME", help="CSV or Parquet table, task card (.toml) or built-in task")
    parser.add_argument(
        "--law",
        metavar="LAW",
        required=True,
        help="a published law ('sldagent laws'), a formula such as \"E + A*N**-a\", or a program file (.py)",
    )
    parser.add_argument("--loss", metavar="LOSS", help="mse, relative, log, huber:DELTA or lad (default: the law's own)")
    parser.add_argument("--seed", metavar="N", type=seed_int, default=0, help="of the random starts (default: 0)")
    parser.add_argument(
        "--engine",
        choices=("auto", "cpu", "jax"),
        default="auto",
        help="cpu, jax (an accelerator, or JAX's CPU device), or whichever is faster (default: auto)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="also export the law (.py, .json or .tex)")
    add_roles(parser)
    add_jail(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.api import fit_task
    from sldagent.report.formula import formula_text
    from sldagent.report.parameters import parameter_lines

    task = load_task(args, args.table)
    fitted = fit_task(task, args.law, args.loss, args.seed, jail=args.jail, engine=args.engine)
    if args.output is not None:
        fitted.export(args.output)
    if args.json:
        output.print_json({**fitted.summary(), "standard_errors": fitted.standard_errors})
        return 0
    for note in task.notes:
        output.show(f"guessed: {note}")
    output.show(f"{', '.join(fitted.targets)} = {formula_text(fitted.program.law)}")
    errors = fitted.standard_errors or {}
    rows = [
        (
            group,
            label,
            number(float(fitted.parameters[name][index]), 6),
            number(float(errors[name][index]), 2) if name in errors else None,
        )
        for group, label, name, index in parameter_lines(fitted)
    ]
    columns = ["group", "parameter", "value", "± se"]
    output.show(table(columns, rows, numbers=columns[2:]))
    n = len(task.part("train").X)
    output.show(f"objective {number(fitted.objective, 6)}, R2 {number(fitted.r2, 6)} on the {n} rows fitted")
    return 0
