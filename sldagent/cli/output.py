"""What verbs print: JSON for programs, tables for people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.jsonable import to_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_WIDTH = 120
"""Columns of text written to a file or a pipe."""


def print_json(value: Any) -> None:
    print(to_json(value))


def console() -> Console:
    """A console on standard output; plain text of a fixed width where that is not a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def show(*items: RenderableType | str) -> None:
    """Print texts (taken literally: brackets are not markup) and tables."""
    out = console()
    for item in items:
        if isinstance(item, str):
            out.print(item, markup=False, highlight=False, soft_wrap=True)
        else:
            out.print(item)


def write_text(text: str, path: Path | None) -> None:
    """To the file, or to standard output without one; a half-written file is never left in place of a good one."""
    from sldagent.export import files

    if path is None:
        print(text, end="" if text.endswith("\n") else "\n")
    else:
        files.write_text(text, path)
