"""``sldagent select TABLE --law LAW --at SIZE=VALUE``: which group will be best at a scale that none has reached."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.laws_given import rows_argument
from sldagent.cli.options import add_common, add_roles, load_task, number_option, pairs_option, seed_int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE|CARD|NAME", help="small trials of every group: CSV, Parquet, card or task")
    parser.add_argument("--law", metavar="LAW", required=True, help="published law, formula or program file, as for 'fit'")
    parser.add_argument("--at", dest="inputs", metavar="A=VALUE,…", action="append", required=True, help="the input wanted")
    parser.add_argument("--within", metavar="REGEX", help="only groups with the same match compete (its first parenthesis)")
    parser.add_argument("--highest", action="store_true", help="the highest prediction is the best (default: the lowest)")
    parser.add_argument("--loss", metavar="LOSS", help="mse, relative, log, huber:DELTA or lad (default: the law's own)")
    parser.add_argument("--draws", metavar="N", type=int, default=200, help="refits for probabilities (default: 200)")
    parser.add_argument("--seed", metavar="N", type=seed_int, default=0, help="of starts and resamples (default: 0)")
    add_roles(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.api import fit_task
    from sldagent.errors import ConfigError
    from sldagent.planning.contest import select
    from sldagent.planning.draws import Evidence, evidence
    from sldagent.report.plan import contest_text

    if args.draws < 0:
        raise ConfigError(f"--draws {args.draws} is negative: 0 means no probabilities")
    task = load_task(args, args.table)
    law = fit_task(task, args.law, args.loss, args.seed)
    rows = Evidence(missing="no probabilities were asked for")
    if args.draws:
        rows = evidence(law, rows_argument(args, args.table), args.draws, args.seed)
    at = {name: number_option(value, f"--at {name}") for name, value in pairs_option(args.inputs, "--at")}
    found = select(law, at, rows, pattern=args.within, highest=args.highest, seed=args.seed)
    if args.json:
        output.print_json({"law": args.law, "at": at, "contests": found})
    else:
        output.show(*contest_text(found, law, at, resampled=bool(rows.draws)))
    return 0
