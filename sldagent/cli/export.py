"""``sldagent export LAW --format FORMAT``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.laws_given import resolve_law
from sldagent.cli.options import add_common

FORMATS = ("python", "jax", "torch", "json", "sympy", "latex", "typst")
"""Those of `sldagent.export`, named here so that ``--help`` need not load it."""
PACKAGE = "package"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a law's id, a run's id (its choice) or an exported JSON file")
    parser.add_argument(
        "--format",
        choices=[*FORMATS, PACKAGE],
        help="default: what the ending of -o says (.py, .json, .tex, .typ), else python; package: a folder for pip",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="a file, or the folder of a package; default: standard output"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.errors import ConfigError
    from sldagent.export import ENDINGS, export_law

    law = resolve_law(args, args.law)
    form = args.format or (ENDINGS.get(args.output.suffix, "python") if args.output is not None else "python")
    if form == PACKAGE:
        from sldagent.export.package import write_package

        if args.output is None:
            raise ConfigError("a package is a folder: name it with -o FOLDER")
        files = [str(path) for path in write_package(law.complete_document(), args.output)]
        if args.json:
            output.print_json({"law": law.law, "format": form, "folder": str(args.output), "files": files})
        return 0
    text = export_law(law.complete_document(), form)
    if args.output is not None:
        output.write_text(text, args.output)
    if args.json:
        path = None if args.output is None else str(args.output)
        output.print_json({"law": law.law, "format": form, "file": path, "text": text})
    elif args.output is None:
        output.write_text(text, None)
    return 0
