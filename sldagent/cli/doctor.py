"""``sldagent doctor``."""

from __future__ import annotations

import argparse

from sldagent.cli import output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jail",
        choices=("auto", "no-namespaces", "docker", "unsafe-local"),
        default="auto",
        help="the jail to examine (default: auto, every layer that this host has)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and only JSON, to standard output")


def run(args: argparse.Namespace) -> int:
    """0 where this host is safe for untrusted code, 1 where not."""
    from sldagent.report.tables import table
    from sldagent.sandbox.doctor import examine

    report = examine(args.jail)
    if args.json:
        output.print_json(
            {
                "safe": report.safe,
                "verdict": report.verdict,
                "advice": report.advice,
                "layers": None if report.layers is None else report.layers.as_json(),
                "escapes": report.trials,
            }
        )
        return 0 if report.safe else 1
    if report.layers is not None:
        output.show(table(["layer", "state", "what it does"], report.states()))
        rows = [(t.name, t.outcome, t.what, t.reason) for t in report.trials]
        output.show(table(["escape", "outcome", "attempt", "in the jail"], rows))
    output.show(report.verdict)
    for text in report.advice:
        output.show(f"{'For one layer more' if report.safe else 'It needs'}: {text}")
    return 0 if report.safe else 1
