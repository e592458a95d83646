"""``sldagent discover TABLE|CARD|NAME``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.ending import show_outcome
from sldagent.cli.options import (
    add_common,
    add_jail,
    add_models,
    add_place,
    add_roles,
    data_folder,
    given_roles,
    jail_warning,
    load_task,
    model_options,
    open_archive,
    place_of,
    positive_float,
    positive_int,
    seed_int,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE|CARD|NAME", help="CSV or Parquet table, task card (.toml) or built-in task")
    add_roles(parser)
    parser.add_argument("--at", metavar="TABLE", type=Path, help="table of inputs at which predictions are wanted")
    search = parser.add_argument_group("search (ends after two minutes where neither bound is given)")
    search.add_argument("--minutes", metavar="M", type=positive_float, help="end after M minutes")
    search.add_argument("--candidates", metavar="N", type=positive_int, help="end after N candidates")
    search.add_argument("--seed", metavar="N", type=seed_int, default=0, help="of every random decision (default: 0)")
    search.add_argument("--islands", metavar="K", type=positive_int, help="sub-populations (default: 4)")
    add_place(search)
    search.add_argument(
        "--seed-program",
        metavar="FILE.py",
        type=Path,
        action="append",
        default=[],
        help="a program to begin with, a law of this language or scaling_law_func and fit_scaling_law; may be repeated",
    )
    add_jail(search)
    add_models(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent import session
    from sldagent.api import run_config
    from sldagent.llm import LiveModels
    from sldagent.origin import origin_of
    from sldagent.report.progress import progress
    from sldagent.report.text import opening
    from sldagent.seeds import seed_lines

    task = load_task(args, args.table)
    grounds = session.prepare(task)
    config = run_config(
        minutes=args.minutes, candidates=args.candidates, seed=args.seed, islands=args.islands, workers=args.workers,
        **model_options(args),
    )  # fmt: skip
    models = LiveModels(config)
    place = place_of(args)
    origin = origin_of(task, args.table, given_roles(args), data=data_folder(args), at=args.at, jail=args.jail)
    with open_archive(args, read_only=False) as archive:
        if not args.json:
            output.show(*opening(grounds))
            sys.stdout.flush()
        seeds = session.read_program_files(args.seed_program, grounds, args.jail)
        if args.seed_program and not args.json:
            output.show("Programs to begin with:", *seed_lines(seeds), *jail_warning(seeds.layers))
            sys.stdout.flush()
        with progress(sys.stderr) as observer:
            outcome = session.run(
                grounds, config, archive, observer, seeds=seeds, jail=args.jail, origin=origin, models=models, place=place
            )
        return show_outcome(outcome, archive, args)
