"""What verbs print: JSON for programs, tables for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sldagent.errors import ExportError
from sldagent.jsonable import to_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PLAIN_WIDTH = 120
"""Columns of text written to a file or a pipe."""


def print_json(value: Any) -> None:
    print(to_json(value))


def console() -> Console:
    """A console on standard output; plain text of a fixed width where that is not a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def show(*items: RenderableType) -> None:
    """Print texts (taken literally: brackets are not markup) and tables."""
    out = console()
    for item in items:
        if isinstance(item, str):
            out.print(item, markup=False, highlight=False, soft_wrap=True)
        else:
            out.print(item)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> Table:
    """A table; the columns named in `numbers` are right-aligned and never wrapped."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        right = name in numbers
        out.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        out.add_row(*(Text(cell(value)) for value in row))
    return out


def cell(value: Any) -> str:
    """A value as a table's text: four significant digits, '-' for none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    return str(value)


def number(value: float | None, digits: int = 4) -> str:
    """A float with `digits` significant digits; '-' where it is not finite."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return "-"
    return f"{value:.{digits}g}"


def write_text(text: str, path: Path | None) -> None:
    """To the file, or to standard output without one; a half-written file is never left in place of a good one."""
    if path is None:
        print(text, end="" if text.endswith("\n") else "\n")
        return
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"cannot write '{path}': {error.strerror}; choose another file with -o") from None
