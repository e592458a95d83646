"""``sldagent report RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sldagent.cli import output
from sldagent.cli.options import add_common, data_folder, open_archive

if TYPE_CHECKING:
    from sldagent.report.page.write import Format

FORMATS = ("html", "md")
FIGURE_FORMATS = ("svg", "png", "pdf")
"""Those of `sldagent.report.figures`, named here so that ``--help`` need not load it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or the beginning of one; it may still be going")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="the page (default: RUN.html or RUN.md; none with --figures)"
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="html: one file that needs nothing else; md: Markdown with a folder of figures "
        "beside it (default: what the ending of -o says, else html)",
    )  # fmt: skip
    parser.add_argument("--figures", metavar="DIR", type=Path, help="write every figure into this folder, a file each")
    parser.add_argument("--figure-format", choices=FIGURE_FORMATS, help="of these files (default: svg)")
    parser.add_argument("--table", metavar="TABLE", help="where the run's table is now, if it moved")
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder of the built-in tasks' tables, or its parent")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    from sldagent.errors import ConfigError
    from sldagent.report.page.content import page_of
    from sldagent.report.page.evidence import gather
    from sldagent.report.page.write import check_folder, check_place, write_figures, write_page

    if args.figure_format and args.figures is None:
        raise ConfigError("--figure-format is of the files that --figures DIR writes: add --figures DIR")
    if args.format and args.figures is not None and args.output is None:
        raise ConfigError("with --figures and no -o only figures are written, so --format is of no use: add -o FILE")
    form = _form(args)
    with open_archive(args) as archive:
        name = archive.run(args.run).run
        path = args.output or (None if args.figures is not None else Path(f"{name}.{form}"))
        if path is not None:
            check_place(path)
        if args.figures is not None:
            check_folder(args.figures)
        page = page_of(gather(archive, name, table=args.table, data=data_folder(args)))
    figures = [] if args.figures is None else write_figures(page, args.figures, args.figure_format or "svg")
    written = [] if path is None else write_page(page, path, form)
    files = [*written, *figures]
    if args.json:
        output.print_json({"run": name, "files": [{"file": str(f), "bytes": f.stat().st_size} for f in files]})
    else:
        output.show(*(f"{f}  {max(1, round(f.stat().st_size / 1000))} kB" for f in files))
    return 0


def _form(args: argparse.Namespace) -> Format:
    """The page's format."""
    if args.format:
        return cast("Format", args.format)
    ending = args.output.suffix.lower() if args.output is not None else ""
    return "md" if ending in (".md", ".markdown") else "html"
