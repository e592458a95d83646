"""The page that asks the archive in SQL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from sldagent.archive.query import Limits, NamedQuery, named_queries
from sldagent.errors import ArchiveError
from sldagent.ui.source import Opened

ROWS = 1000
"""Rows shown."""
LIMITS = Limits(seconds=5.0, rows=ROWS + 1, value_bytes=10_000_000)
LONGEST = 100_000
"""Bytes of a form."""
AT_ONCE = 2
"""Questions answered at a time; further ones wait, so that the rest of the page stays quick."""
_turn = BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Question:
    """What is in the form."""

    sql: str = ""
    values: Mapping[str, str] | None = None
    """Of the placeholders ``:run`` and ``:law``."""
    name: str = ""
    """Of the named query that the text is, or ''."""


@dataclass(frozen=True)
class Answered:
    """The answer, or why there is none."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    numbers: frozenset[int] = frozenset()
    """Columns that hold numbers alone."""
    more: bool = False
    """There are further rows."""
    seconds: float = 0.0
    error: str = ""


def named() -> dict[str, NamedQuery]:
    """The queries that ship with the archive."""
    return named_queries()


def answer(opened: Opened, question: Question) -> Answered:
    """Ask; a mistake in the question is an answer too."""
    begun = time.monotonic()
    try:
        with _turn:
            columns, rows = opened.archive.query(question.sql, question.values or {}, LIMITS)
    except ArchiveError as error:
        return Answered(error=f"{str(error)[:1].upper()}{str(error)[1:]}.")
    shown = tuple(rows[:ROWS])
    numbers = frozenset(
        n
        for n in range(len(columns))
        if shown and all(row[n] is None or _is_number(row[n]) for row in shown) and any(_is_number(row[n]) for row in shown)
    )
    return Answered(tuple(columns), shown, numbers, len(rows) > ROWS, time.monotonic() - begun)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
