"""``sldagent replay RUN [TABLE] --archive NEW``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.options import DEFAULT_ARCHIVE, add_common, data_folder, open_archive, positive_int

DIFFERS = 1
"""Exit code of a replay whose candidates are not those recorded."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or the beginning of one")
    parser.add_argument("table", metavar="TABLE", nargs="?", help="where the run's table is now, if it moved")
    parser.add_argument(
        "--from", dest="source", metavar="URL", default=DEFAULT_ARCHIVE, help=f"its archive (default: {DEFAULT_ARCHIVE})"
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="where the built-in tasks' tables are now, if they moved")
    parser.add_argument("--workers", metavar="W", type=positive_int, help="processes (default: as many as the run had)")
    parser.add_argument("--reuse", action="store_true", help="take the recorded evaluations in place of fitting again")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.archive.store import Archive
    from sldagent.replay import replay
    from sldagent.report.progress import progress

    with Archive.open(args.source, read_only=True) as source, open_archive(args, read_only=False) as target:
        with progress(sys.stderr) as observer:
            found = replay(
                args.run, source, target, observer, table=args.table, data=data_folder(args), workers=args.workers,
                reuse=args.reuse,
            )  # fmt: skip
        run, place = found.outcome.summary.run, target.place
    if args.json:
        output.print_json({"run": run, "candidates": found.candidates, "differing": found.differing, "archive": place})
    elif found.differing:
        some = ", ".join(f"{run}-{k}" for k in found.differing[:5])
        output.show(f"{len(found.differing)} of {found.candidates} candidates are not as recorded: {some}")
    else:
        output.show(f"Run {run}: all {found.candidates} candidates are as recorded", f"Archive: {place}")
    return DIFFERS if found.differing else 0
