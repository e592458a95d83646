"""``sldagent laws``."""

from __future__ import annotations

import argparse

from sldagent.cli import output
from sldagent.cli.options import add_common
from sldagent.report.tables import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.laws.catalogue import catalogue, omitted
    from sldagent.report.formula import formula_text

    entries = catalogue()
    if args.json:
        laws = [
            {
                "law": e.name,
                "title": e.title,
                "formula": formula_text(e.program.law),
                "source": str(e.source),
                "aliases": e.aliases,
                "variables": [{"symbol": v.symbol, "role": v.role, "meaning": v.meaning} for v in e.variables],
                "program": e.program_text,
                "note": e.note,
            }
            for e in entries
        ]
        output.print_json({"laws": laws, "omitted": omitted()})
        return 0
    sources = [f"{e.title}. {e.source.authors} ({e.source.year}), arXiv:{e.source.arxiv}" for e in entries]
    rows = [(e.name, formula_text(e.program.law), source) for e, source in zip(entries, sources, strict=True)]
    output.show(table(["law", "formula", "what and where from"], rows))
    for law in omitted():
        output.show(f"not listed: {law.title}: {law.reason}")
    return 0
