"""What equal runs share of an archive: all rows, without moments, durations, attempts and sessions."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

TABLES = (
    "run", "island", "candidate", "parentage", "evaluation", "cut_score", "group_fit", "failure", "parameter", "shortlist",
    "event", "proposal", "ledger", "chat_call",
)  # fmt: skip
APART = {"created", "committed", "seconds", "started", "finished"}


def rows(place: Path) -> dict[str, list[tuple[Any, ...]]]:
    """By table, in an order of their own."""
    found = {}
    with sqlite3.connect(place) as connection:
        for table in TABLES:
            names = [r[1] for r in connection.execute(f"PRAGMA table_info({table})") if r[1] not in APART]
            shown = ", ".join(f'"{n}"' for n in names)
            found[table] = sorted(connection.execute(f"SELECT {shown} FROM {table}").fetchall(), key=repr)
    return found


def attempts(place: Path) -> list[tuple[str, str, int]]:
    """(call, state, tokens) of every request sent."""
    with sqlite3.connect(place) as connection:
        return connection.execute("SELECT chat_call, state, tokens FROM chat_attempt ORDER BY n").fetchall()
