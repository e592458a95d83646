"""``sldagent import FILE.json``."""

from __future__ import annotations

import argparse
from pathlib import Path

from sldagent.cli import output
from sldagent.cli.options import add_common, open_archive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.json", type=Path, help="a law written by 'sldagent export --format json'")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.export.document import read_law_document
    from sldagent.export.imports import import_law

    read_law_document(args.file)  # a file that is no law creates no archive
    with open_archive(args, read_only=False) as archive:
        law = import_law(args.file, archive)
    if args.json:
        output.print_json({"law": law, "file": str(args.file)})
    else:
        output.show(f"imported as {law}")
        output.show(f"Next: sldagent show {law} | predict {law} TABLE | score {law} TABLE | export {law}")
    return 0
