"""What a page is made of, before it is HTML or Markdown.  All texts are plain: whoever writes them escapes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sldagent.laws.program import Law
from sldagent.report.figures.plot import Plot
from sldagent.report.tables import cell


@dataclass(frozen=True)
class Mono:
    """Text that is code: a formula as it is typed, a law's id."""

    text: str


Cell = str | Mono


@dataclass(frozen=True)
class Paragraph:
    text: str
    strong: bool = False
    """Of a warning."""


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A law in mathematics."""

    left: str
    """Name of what it predicts."""
    law: Law


@dataclass(frozen=True)
class Grid:
    """A table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[str] = frozenset()
    """Columns that are right-aligned."""


@dataclass(frozen=True)
class Pairs:
    """Labels with their values."""

    items: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Picture:
    """A figure."""

    name: str
    """Of letters, digits and hyphens, unlike any other on the page: begins its ids and names its file."""
    plot: Plot
    caption: str = ""


@dataclass(frozen=True)
class Folded:
    """What few readers want: shut at first on a screen, open in print."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Section:
    """A chapter."""

    name: str
    """Of letters and hyphens."""
    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | Code | Formula | Grid | Pairs | Picture | Folded


@dataclass(frozen=True)
class Page:
    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]

    def pictures(self) -> list[Picture]:
        """All figures, in order."""
        found: list[Picture] = []

        def look(blocks: Sequence[Block]) -> None:
            for block in blocks:
                if isinstance(block, Picture):
                    found.append(block)
                elif isinstance(block, Folded):
                    look(block.blocks)

        look(self.lead)
        for section in self.sections:
            look(section.blocks)
        return found


def grid(columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[str] = ()) -> Grid:
    """A table of values of any kind, numbers rounded as `sldagent.report.tables` does."""
    shown = tuple(tuple(value if isinstance(value, Mono) else cell(value) for value in row) for row in rows)
    return Grid(tuple(columns), shown, frozenset(numbers))
