"""``sldagent tasks``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common
from sldagent.report.tables import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.tasks.builtin import tasks

    entries = tasks()
    if args.json:
        output.print_json({"tasks": entries})
        return 0
    output.show(table(["task", "about", "its table"], [(e.name, e.title, e.where) for e in entries]))
    return 0
