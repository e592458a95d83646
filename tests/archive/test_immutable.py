"""Finished candidates cannot be changed or deleted, even by somebody with a connection of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sldagent.archive.engine import make_engine, parse_address
from sldagent.archive.records import AskedRecord, CandidateRecord, Note
from sldagent.archive.store import Archive

STATEMENTS = [
    "UPDATE candidate SET formula = 'better'",
    "UPDATE evaluation SET x = -100",
    "UPDATE cut_score SET log_mse = -100",
    "UPDATE group_fit SET header = '{}'",
    "UPDATE failure SET reason = 'time'",
    "UPDATE parentage SET position = 9",
    "UPDATE event SET message = ''",
    "UPDATE proposal SET hypothesis = 'right'",
    "DELETE FROM candidate",
    "DELETE FROM evaluation",
    "DELETE FROM cut_score",
    "DELETE FROM group_fit",
    "DELETE FROM failure",
    "DELETE FROM parentage",
    "DELETE FROM event",
    "DELETE FROM proposal",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_database_refuses(
    url: str, archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord],
    failed: Callable[..., CandidateRecord], equal: Callable[..., None], statement: str,
) -> None:  # fmt: skip
    run = start(archive)
    made = [record(0), replace(failed(1, parents=(0,)), asked=AskedRecord("local:m", "extend", 0, "unusable", error="none"))]
    archive.commit(run, made)
    archive.commit(run, [], [Note("start", "begun")])
    engine = make_engine(parse_address(url), read_only=False)
    with pytest.raises(DBAPIError, match="are immutable"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    for before, after in zip(made, archive.candidates(run), strict=True):
        equal(before, after)
        assert after.asked == before.asked


def test_sqlite_itself_refuses(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord]) -> None:
    with Archive.open(f"sqlite:///{file}") as archive:
        archive.commit(start(archive), [record(0)])
    connection = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="rows of candidate are immutable"):
        connection.execute("UPDATE candidate SET source = 'x'")
    connection.close()
