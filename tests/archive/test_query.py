"""SQL by users reads and does nothing else; the named queries answer what they say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sldagent.archive.query import named_queries
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

Make = Callable[..., CandidateRecord]
Start = Callable[..., str]


def test_an_answer(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0, x=-1.5)])
    columns, rows = archive.query("SELECT k, x AS best FROM law WHERE run = :run -- all;\n;", {"run": run, "law": "unused"})
    assert (columns, rows) == (["k", "best"], [(0, -1.5)])
    assert archive.query("SELECT k FROM law WHERE run = 'none'") == (["k"], [])
    assert archive.query("WITH a(n) AS (SELECT 1) SELECT n FROM a")[1] == [(1,)]
    assert archive.query("SELECT '100% :name', 'a''b' AS q WHERE 5 % 3 = 2")[1] == [("100% :name", "a'b")]


WRITES = [
    "INSERT INTO island VALUES ('r', 9, 0, '', '{}')",
    "UPDATE run SET choice = 1",
    "DELETE FROM run",
    "DROP TABLE run",
    "CREATE TABLE extra (a INTEGER)",
    "CREATE TEMPORARY TABLE extra (a INTEGER)",
    "WITH a AS (SELECT 1) DELETE FROM run",
]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_can_be_changed(archive: Archive, start: Start, sql: str) -> None:
    start(archive)
    with pytest.raises(ArchiveError, match=r"only reading is possible|does not work"):
        archive.query(sql)
    assert len(archive.runs()) == 1
    assert archive.runs()[0].choice is None


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH DATABASE '{folder}/other.db' AS other",
        "VACUUM INTO '{folder}/copy.db'",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = ON",
        "BEGIN IMMEDIATE",
        "REINDEX",
        "SAVEPOINT a",
        "DETACH DATABASE main",
    ],
)
def test_sqlite_offers_no_way_out(file: Path, start: Start, sql: str) -> None:
    with Archive.open(f"sqlite:///{file}") as archive:
        start(archive)
        with pytest.raises(ArchiveError, match="only reading is possible"):
            archive.query(sql.format(folder=file.parent))
        assert archive.query("SELECT COUNT(*) FROM run")[1] == [(1,)]
    assert sorted(path.name for path in file.parent.iterdir()) == ["archive.db"]
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize("sql", ["COMMIT", "SET TRANSACTION READ WRITE", "SELECT 1; DELETE FROM run"])
def test_a_transaction_cannot_be_left(archive: Archive, start: Start, sql: str) -> None:
    start(archive)
    with pytest.raises(ArchiveError):
        archive.query(sql)
    assert len(archive.runs()) == 1
    with pytest.raises(ArchiveError):
        archive.query("DELETE FROM run")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "the query is empty"),
        (" ; -- nothing\n/* at ; all */", "the query is empty"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("SELECT * FROM candidates", "did you mean candidate"),
        ("SELECT * FROM zzz", "the tables are"),
        ("SELEKT 1", "does not work: .*syntax|begins with 'SELEKT'"),
        ("SELECT nothing FROM law", "does not work: .*nothing"),
        ("SELECT k FROM law WHERE run = :run", "needs a value for :run"),
    ],
)
def test_mistakes(archive: Archive, sql: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as caught:
        archive.query(sql)
    assert "\n" not in str(caught.value)


def test_the_schema_can_be_asked(file: Path) -> None:
    with Archive.open(f"sqlite:///{file}") as archive:
        _, rows = archive.query("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
        assert rows == [("law",), ("pareto_front",)]
        assert archive.query("PRAGMA table_info(run)")[1][0][1] == "run"


@pytest.fixture
def told(archive: Archive, start: Start, record: Make, failed: Make) -> tuple[Archive, str]:
    """A small finished run whose answers are known, beside another run."""
    other = start(archive, "other")
    archive.commit(other, [record(0, x=-100.0, complexity=1.0)])
    run = start(archive, "toy-1")
    archive.commit(
        run,
        [
            record(0, x=1.0, complexity=9.0, operator="seed"),
            record(1, x=0.5, complexity=13.0, operator="seed"),
            record(2, x=0.75, complexity=13.0, operator="grow", parents=(0,)),
            failed(3, "time", operator="grow", parents=(0, 1)),
            record(4, x=-1.0, complexity=13.0, operator="cross", parents=(2, 1)),
            failed(5, "time", operator="cross", parents=(4,)),
            failed(6, "duplicate", operator="grow", parents=(4,)),
            record(7, x=-9.0, complexity=3.0, valid=False, operator="grow", parents=(4,)),
        ],
    )
    archive.finish_run(run, status="complete", choice=4, shortlist=[4, 0], reason="", candidates=8, failures=3, seconds=1.0)
    return archive, run


def ask(archive: Archive, name: str, **values: str) -> list[dict[str, object]]:
    query = named_queries()[name]
    assert set(values) == set(query.parameters)
    columns, rows = archive.query(query.sql, values)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_every_named_query_is_described() -> None:
    queries = named_queries()
    assert {"front", "best_by_complexity", "operators", "failures", "progress", "cuts", "lineage", "parameters",
            "runs"} <= set(queries)  # fmt: skip
    assert all(query.description and set(query.parameters) <= {"run", "law"} for query in queries.values())


def test_front(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = ask(archive, "front", run=run)
    assert [(row["law"], bool(row["chosen"])) for row in rows] == [(f"{run}-0", False), (f"{run}-4", True)]


def test_best_by_complexity(told: tuple[Archive, str]) -> None:
    archive, run = told
    assert [row["law"] for row in ask(archive, "best_by_complexity", run=run)] == [f"{run}-0", f"{run}-4"]


def test_operators(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = {row["operator"]: row for row in ask(archive, "operators", run=run)}
    # grow: child 2 beats its parent; 7 is invalid.  cross: child 4 beats both of its parents.
    counts = {name: (row["children"], row["failures"], row["improvements"]) for name, row in rows.items()}
    assert counts == {"seed": (2, 0, 0), "grow": (4, 2, 1), "cross": (2, 1, 1)}
    assert rows["cross"]["best_x"] == -1.0


def test_failures(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = ask(archive, "failures", run=run)
    assert [(row["reason"], row["candidates"], row["first_k"], row["example"]) for row in rows] == [
        ("time", 2, 3, "detail of 3"), ("duplicate", 1, 6, "detail of 6"),
    ]  # fmt: skip


def test_progress(told: tuple[Archive, str]) -> None:
    archive, run = told
    assert [(row["k"], row["x"]) for row in ask(archive, "progress", run=run)] == [(0, 1.0), (1, 0.5), (4, -1.0)]


def test_cuts(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = ask(archive, "cuts", run=run)
    assert [(row["cut"], row["extrapolation"], row["interpolation"]) for row in rows] == [
        ("N top 1", -2.5, -4.0), ("N top 2", None, -3.5),
    ]  # fmt: skip


def test_lineage(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = ask(archive, "lineage", law=f"{run}-4")
    assert [(row["generation"], row["law"]) for row in rows] == [
        (0, f"{run}-4"), (1, f"{run}-1"), (1, f"{run}-2"), (2, f"{run}-0"),
    ]  # fmt: skip


def test_parameters(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = ask(archive, "parameters", law=f"{run}-4")
    assert [(row["name"], row["group_name"], bool(row["at_bound"])) for row in rows] == [
        ("A", "code", False), ("A", "web", False), ("E", "code", False), ("E", "web", False), ("a", None, True),
    ]  # fmt: skip


def test_runs(told: tuple[Archive, str]) -> None:
    archive, run = told
    rows = ask(archive, "runs")
    assert {row["run"]: row["choice"] for row in rows} == {run: f"{run}-4", "other": None}
