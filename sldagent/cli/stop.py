"""``sldagent stop RUN``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common, open_existing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or the beginning of one")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    with open_existing(args) as archive:
        record = archive.run(args.run)
        session = archive.sessions().ask_to_stop(record.run)
    if args.json:
        output.print_json({"run": record.run, "asked": session.owner.words})
    else:
        output.show(
            f"{session.owner.words} was asked to end run {record.run}, and does so within seconds; "
            f"go on later with: sldagent resume {record.run}"
        )
    return 0
