"""``sldagent status RUN``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or the beginning of one")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.report.status import run_status, status_text

    with open_archive(args) as archive:
        status = run_status(archive, args.run)
    if args.json:
        output.print_json(status.document())
    else:
        output.show(*status_text(status))
    return 0
