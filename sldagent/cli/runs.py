"""``sldagent runs``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive
from sldagent.report.tables import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    with open_archive(args) as archive:
        runs = archive.runs()
    if args.json:
        output.print_json(
            {
                "runs": [
                    {
                        "run": r.run,
                        "task": r.task,
                        "status": r.status,
                        "mode": r.mode,
                        "seed": r.seed,
                        "started": r.started,
                        "finished": r.finished,
                        "candidates": r.candidates,
                        "failures": r.failures,
                        "seconds": r.seconds,
                        "choice": None if r.choice is None else f"{r.run}-{r.choice}",
                        "shortlist": [f"{r.run}-{k}" for k in r.shortlist],
                        "reason": r.reason,
                    }
                    for r in runs
                ]
            }
        )
        return 0
    if not runs:
        output.show("The archive has no runs yet; start one with: sldagent discover tiny_lm")
        return 0
    rows = [
        (
            r.run,
            r.task,
            r.status,
            r.seed,
            r.started.strftime("%Y-%m-%d %H:%M"),
            f"{r.seconds:.0f}",
            r.candidates,
            None if r.choice is None else f"{r.run}-{r.choice}",
        )
        for r in runs
    ]
    columns = ["run", "task", "status", "seed", "started (UTC)", "seconds", "candidates", "choice"]
    output.show(table(columns, rows, numbers=["seed", "seconds", "candidates"]))
    return 0
