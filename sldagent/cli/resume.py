"""``sldagent resume RUN [TABLE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sldagent.cli.ending import show_outcome
from sldagent.cli.options import add_common, add_place, data_folder, open_existing, place_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or the beginning of one")
    parser.add_argument("table", metavar="TABLE", nargs="?", help="where the run's table is now, if it moved")
    parser.add_argument("--data", metavar="DIR", type=Path, help="where the built-in tasks' tables are now, if they moved")
    add_place(parser, "as many as before")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent import session
    from sldagent.report.progress import progress

    place = place_of(args)
    with open_existing(args) as archive:
        with progress(sys.stderr) as observer:
            outcome = session.resume(
                args.run, archive, observer, table=args.table, data=data_folder(args), workers=args.workers, place=place
            )
        return show_outcome(outcome, archive, args)
