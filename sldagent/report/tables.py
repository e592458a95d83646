"""Numbers and tables as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


NOTHING = 1e-90
"""Positive parameters that were fitted away stop near here and are shown as 0."""


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


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> Table:
    """A table; the columns named in `numbers` are right-aligned and never wrapped."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        right = name in numbers
        out.add_column(Text(name), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        out.add_row(*(Text(cell(value)) for value in row))
    return out


def ratio(value: float) -> str:
    """``2.4x``."""
    return f"{value:.3g}x"
