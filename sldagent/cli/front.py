"""``sldagent front RUN``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive
from sldagent.report.tables import number, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or a unique beginning of it")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.report.build import law_summary

    with open_archive(args) as archive:
        record = archive.run(args.run)
        front = archive.front(record.run)
    groups = tuple(record.card["groups"])
    laws = [law_summary(f"{record.run}-{c.k}", c, groups) for c in front]
    if args.json:
        output.print_json({"run": record.run, "front": laws})
        return 0
    rows = [
        (
            ("* " if c.k == record.choice else "  ") + str(law["law"]),
            number(c.evaluation.complexity),
            number(c.evaluation.x),
            number(c.evaluation.x_se, 2),
            number(c.evaluation.mdl),
            law["formula"],
        )
        for c, law in zip(front, laws, strict=True)
    ]
    columns = ["law", "C", "X", "± se", "MDL", "formula"]
    output.show(f"Front of {record.run} on {record.task} (* the choice)")
    output.show(table(columns, rows, numbers=columns[1:5]))
    return 0
