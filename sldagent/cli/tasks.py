"""``sldagent tasks``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.options import add_common, data_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")


def run(args: argparse.Namespace) -> int:
    from sldagent.tasks.builtin import builtin_tasks

    entries = builtin_tasks(data_folder(args))
    if args.json:
        output.print_json({"tasks": entries})
        return 0
    rows = [(e.name, ", ".join(e.variables), ", ".join(e.targets), e.where, e.title) for e in entries]
    output.show(output.table(["task", "variables", "targets", "table", "about"], rows))
    return 0
