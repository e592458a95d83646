"""``sldagent export LAW --format python|json|latex|sympy``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.laws_given import resolve_law
from sldagent.cli.options import add_common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    parser.add_argument("--format", choices=["python", "json", "latex", "sympy"], default="python", help="default: python")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="default: standard output")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.export import export_law

    law = resolve_law(args, args.law)
    text = export_law(law.document, args.format)
    if args.output is not None:
        output.write_text(text, args.output)
    if args.json:
        path = None if args.output is None else str(args.output)
        output.print_json({"law": law.law, "format": args.format, "file": path, "text": text})
    elif args.output is None:
        output.write_text(text, None)
    return 0
