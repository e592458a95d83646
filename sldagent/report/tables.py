"""Numbers and tables as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table as RichTable


NOTHING = 1e-90
"""Positive parameters that were fitted away stop near here and are shown as 0."""
GAP = 3
"""Blanks between two columns."""
FOLDED = 20
"""Text columns are folded to no fewer characters."""
PLAIN_WIDTH = 120
"""Columns of text that goes to no terminal."""


def number(value: float | None, digits: int = 4) -> str:
    """A float with `digits` significant digits; '-' for none and NaN, 'inf' for an infinite error."""
    if value is None or math.isnan(value):
        return "-"
    return "0" if abs(value) < NOTHING else f"{value:.{digits}g}"


def cell(value: Any) -> str:
    """A value as a table's text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Table:
    """A table that rich can print.  Numbers are never cropped: where the columns do not fit beside each other, those
    that do not come in further tables below, each with the leading text columns again.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str]
    """Columns that are right-aligned and never folded."""

    def parts(self, width: int) -> list[list[int]]:
        """Column indices of each of the tables that `width` characters ask for."""
        least = [self._least(k) for k in range(len(self.columns))]
        if sum(least) + GAP * (len(least) - 1) <= width:
            return [list(range(len(least)))]
        keys = next((k for k, name in enumerate(self.columns) if name in self.numbers), 1)
        start = sum(least[:keys]) + GAP * keys
        out: list[list[int]] = []
        room = 0
        for k in range(keys, len(least)):
            if not out or least[k] > room:
                out.append(list(range(keys)))
                room = width - start
            out[-1].append(k)
            room -= least[k] + GAP
        return out or [list(range(len(least)))]

    def _least(self, k: int) -> int:
        from rich.cells import cell_len

        full = max(cell_len(text) for text in (self.columns[k], *(row[k] for row in self.rows)))
        return full if self.columns[k] in self.numbers else min(full, FOLDED)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        for part in self.parts(options.max_width):
            yield self._rich(part)

    def _rich(self, part: Sequence[int]) -> RichTable:
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        out = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for k in part:
            right = self.columns[k] in self.numbers
            out.add_column(
                Text(self.columns[k]),
                justify="right" if right else "left",
                no_wrap=right,
                overflow="fold",
                min_width=self._least(k),
            )
        for row in self.rows:
            out.add_row(*(Text(row[k]) for k in part))
        return out


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> Table:
    """A table; the columns named in `numbers` are right-aligned and never folded."""
    return Table(tuple(columns), tuple(tuple(cell(value) for value in row) for row in rows), frozenset(numbers))


def ratio(value: float) -> str:
    """``2.4x``."""
    return f"{value:.3g}x"


def plain(items: Iterable[RenderableType]) -> str:
    """Texts (taken literally: brackets are not markup) and tables as one text, `PLAIN_WIDTH` columns wide."""
    import io

    from rich.console import Console

    written = io.StringIO()
    # in a notebook, rich would show the text there and then instead of writing it, or write it with escape codes
    console = Console(
        file=written, width=PLAIN_WIDTH, highlight=False, force_jupyter=False, force_terminal=False, color_system=None
    )
    for item in items:
        console.print(item, markup=False)
    return written.getvalue()
