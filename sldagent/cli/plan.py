"""``sldagent plan LAW``: spend compute, choose settings, price a target, pick the next runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sldagent.cli import output
from sldagent.cli.laws_given import add_data, resolve_law, rows_argument
from sldagent.cli.options import (
    add_common,
    number_option,
    pairs_option,
    positive_float,
    positive_int,
    seed_int,
)

if TYPE_CHECKING:
    from sldagent.planning.question import Question


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    asked = parser.add_argument_group("what is asked (one of these)")
    one = asked.add_mutually_exclusive_group(required=True)
    one.add_argument("--compute", metavar="C", type=positive_float, help="the best inputs for this much compute")
    one.add_argument("--curve", metavar="LOW:HIGH", help="the frontier between two amounts of compute, and its exponents")
    one.add_argument("--target-loss", metavar="L", type=float, help="the least compute that reaches this prediction")
    one.add_argument("--minimise", metavar="A,B", help="the best values of these variables, the others given by --at")
    given = parser.add_argument_group("what is given")
    given.add_argument("--flops", metavar="FORMULA", help="what a run costs, over the law's variables (default: 6*N*D)")
    listed: dict[str, Any] = {"action": "append", "default": []}
    given.add_argument("--fix", "--at", dest="fix", metavar="A=VALUE,…", help="variables that are not chosen", **listed)
    given.add_argument("--bounds", metavar="A=LOW:HIGH,…", help="where a chosen variable may lie", **listed)
    given.add_argument("--group", metavar="G", help="of a law with constants per group")
    given.add_argument("--target", metavar="T", help="of a law with several targets")
    more = parser.add_argument_group("further runs and intervals")
    more.add_argument("--next", metavar="K", type=positive_int, default=0, help="which K more runs would narrow it most")
    more.add_argument("--budget", metavar="C", type=positive_float, help="compute of these runs together")
    more.add_argument("--table", metavar="TABLE", help="the law's training rows (default: where it was found)")
    more.add_argument("--draws", metavar="N", type=int, default=500, help="refits for intervals (default: 500; 0: none)")
    more.add_argument("--interval", metavar="P", type=float, default=0.9, help="share that an interval holds (default: 0.9)")
    more.add_argument("--seed", metavar="N", type=seed_int, default=0, help="of the resamples (default: 0)")
    add_data(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.planning.question import answer
    from sldagent.report.plan import answer_text

    law = resolve_law(args, args.law)
    table = None if args.table is None else rows_argument(args, args.table)
    found = answer(_question(args), law, law.others, table)
    if args.json:
        output.print_json(found)
    else:
        output.show(*answer_text(found))
    return 0


def _question(args: argparse.Namespace) -> Question:
    from sldagent.errors import ConfigError
    from sldagent.planning.question import Question

    if not 0 < args.interval < 1:
        raise ConfigError(f"--interval {args.interval} is not a share between 0 and 1")
    if args.draws < 0:
        raise ConfigError(f"--draws {args.draws} is negative: 0 means no intervals")
    if args.budget is not None and not args.next:
        raise ConfigError("--budget is for further runs: add --next K")
    if args.minimise is not None and args.flops is not None and not args.next:
        raise ConfigError("--flops is of no use with --minimise, which spends no compute: leave it out")
    return Question(
        compute=args.compute,
        span=None if args.curve is None else _span(args.curve, "--curve"),
        minimise=() if args.minimise is None else tuple(name.strip() for name in args.minimise.split(",")),
        target_loss=args.target_loss,
        flops=args.flops,
        fixed={name: number_option(value, f"--fix {name}") for name, value in pairs_option(args.fix, "--fix")},
        bounds={name: _span(value, f"--bounds {name}") for name, value in pairs_option(args.bounds, "--bounds")},
        group=args.group,
        target=args.target,
        next_runs=args.next,
        budget=args.budget,
        draws=args.draws,
        level=args.interval,
        seed=args.seed,
    )


def _span(text: str, option: str) -> tuple[float, float]:
    from sldagent.errors import ConfigError

    low, sign, high = text.partition(":")
    if not sign:
        raise ConfigError(f"'{option} {text}' is not LOW:HIGH")
    span = (number_option(low, option), number_option(high, option))
    if not span[0] < span[1]:
        raise ConfigError(f"'{option} {text}' is not in order: LOW:HIGH")
    return span
