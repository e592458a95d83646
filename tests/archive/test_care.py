"""Check, copy, backup and prune, on every database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sldagent.archive import copying
from sldagent.archive.chat import CallRecord, Charge
from sldagent.archive.copying import backup, copy
from sldagent.archive.engine import make_engine, parse_address, writing
from sldagent.archive.records import CandidateRecord, Note
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
from sldagent.laws.canonical import structure_hash
from sldagent.laws.parse import parse_program

Start = Callable[..., str]
Make = Callable[..., CandidateRecord]


def answered(archive: Archive, run: str, key: str, k: int | None = None) -> None:
    call = CallRecord(key, key[:-2], 0, "b", "m", {"messages": ["a prompt"]})
    chats = archive.chats()
    n = chats.begin(run, call, 100, 0.5)
    full = CallRecord(**{**call.__dict__, "response": {"text": "E"}, "tokens_in": 3, "tokens_out": 4, "cost": 0.01})
    chats.answer(run, n, full, Charge("answered", 7, 0.01, 1.0))
    if k is not None:
        chats.book(run, k, [key])


@pytest.fixture
def filled(archive: Archive, start: Start, record: Make, failed: Make) -> Archive:
    """Two finished runs and one that still runs, with every kind of row."""
    for number, status in enumerate(("complete", "failed", "running")):
        run = start(archive, f"toy-{number}")
        laws = [record(k, x=1.0 - k, complexity=5.0 + k, parents=(k - 1,) if k else ()) for k in range(3)]
        hashed = [_hashed(law) for law in [*laws, failed(3, "time", parents=(1,))]]
        archive.commit(run, hashed)
        archive.commit(run, [], [Note("start", "begun")])
        answered(archive, run, f"own{number}-0", 0)
        answered(archive, run, "shared-0", 1)
        if status != "running":
            archive.finish_run(run, status=status, choice=2, shortlist=[2, 0], reason="", candidates=4, failures=1,
                               seconds=1.0)  # type: ignore[arg-type]  # fmt: skip
            archive.log_scoring(f"{run}-2", "test", "t.csv", 9, {"r2": 0.5, "per_target": {"loss": {"r2": 0.5}}})
    return archive


def _hashed(law: CandidateRecord) -> CandidateRecord:
    return CandidateRecord(**{**law.__dict__, "structure": structure_hash(parse_program(law.source).law)})


def test_a_whole_archive(filled: Archive) -> None:
    assert filled.check() == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM evaluation WHERE run = 'toy-0' AND k = 1", "candidate: 1 rows have no row in evaluation"),
        ("UPDATE evaluation SET usable = FALSE WHERE run = 'toy-1' AND k = 2", "evaluation: 1 rows are marked usable"),
        ("UPDATE run SET candidates = 9 WHERE run = 'toy-1'", "run toy-1: its counts"),
        ("UPDATE group_fit SET header = '{}' WHERE run = 'toy-0' AND k = 2", "law toy-0-2: the description"),
        ("UPDATE candidate SET structure = 'x' WHERE run = 'toy-2' AND k = 0", "law toy-2-0: its program's form"),
        ("UPDATE candidate SET source = 'import os' WHERE run = 'toy-2' AND k = 0", "law toy-2-0: its program cannot"),
        ("DELETE FROM candidate WHERE run = 'toy-0' AND k = 0", "parentage: 1 rows refer to rows of candidate"),
        ("UPDATE run SET choice = 77 WHERE run = 'toy-0'", "run toy-0: its choice is no candidate"),
    ],
)
def test_what_check_finds(filled: Archive, url: str, damage: str, said: str) -> None:
    engine = make_engine(parse_address(url), read_only=False)
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as plain:
            for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                plain.execute(f"DROP TRIGGER {name}")
            plain.execute(damage)
        plain.close()
    else:
        with writing(engine) as connection:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(damage))
            connection.execute(text("SET session_replication_role = origin"))
    engine.dispose()
    found = filled.check()
    assert any(line.startswith(said) for line in found), found
    assert all("\n" not in line for line in found)


def everything(archive: Archive) -> list[Any]:
    laws = [[repr(law.evaluation) for law in archive.candidates(run.run)] for run in archive.runs()]
    return [archive.runs(), laws, archive.scorings(), archive.chats().attempts("toy-0"), archive.query(
        "SELECT run, entry, kind, amount FROM ledger ORDER BY run, entry")[1]]  # fmt: skip


@pytest.mark.requires("postgres")
def test_a_copy_there_and_back_is_equal(filled: Archive, url: str, database: str, tmp_path: Path) -> None:
    rows = copy(url, database)
    assert rows["candidate"] == 12
    again = f"sqlite:///{tmp_path / 'again.db'}"
    assert copy(database, again) == rows
    for address in (database, again):
        with Archive.open(address) as archive:
            assert everything(archive) == everything(filled)
            assert archive.check() == []
            archive.log_scoring("toy-0-2", "test", "t.csv", 9, {"r2": 0.5})  # the next free number
            assert len(archive.scorings()) == 3


def test_a_backup_of_an_archive_in_use(filled: Archive, url: str, tmp_path: Path, record: Make) -> None:
    file = tmp_path / "backup.db"
    backup(url, file)
    filled.commit("toy-2", [record(4)])
    with Archive.open(str(file), read_only=True) as archive:
        assert [r.k for r in archive.candidates("toy-2")] == [0, 1, 2, 3]
        assert archive.check() == []
    with pytest.raises(ArchiveError, match="exists already"):
        backup(url, file)
    with pytest.raises(ArchiveError, match="is not empty"):
        copy(url, f"sqlite:///{file}")


def test_a_copy_that_differs_leaves_nothing(
    filled: Archive, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "digest", lambda connection, table: copying.Digest(0, 1))
    with pytest.raises(ArchiveError, match="differs"):
        copy(url, f"sqlite:///{tmp_path / 'copy.db'}")
    assert list(tmp_path.glob("copy.db*")) == []


def test_prune_keeps_figures(filled: Archive) -> None:
    before = everything(filled)
    planned = filled.prune(0, ("logs", "prompts", "attempts"), dry_run=True)
    assert planned == {"prompts": 2, "logs": 2, "attempts": 4}
    assert everything(filled) == before
    assert filled.prune(0, ("logs", "prompts", "attempts")) == planned
    after = everything(filled)
    assert [before[i] for i in (0, 1, 2, 4)] == [after[i] for i in (0, 1, 2, 4)]
    assert filled.query("SELECT DISTINCT run FROM event")[1] == [("toy-2",)]
    calls = {key: filled.chats().call(key) for key in ("own0-0", "own1-0", "own2-0", "shared-0")}
    assert {key: call.answered for key, call in calls.items() if call} == {
        "own0-0": False, "own1-0": False, "own2-0": True, "shared-0": True,
    }  # fmt: skip
    assert calls["own0-0"] is not None
    assert (calls["own0-0"].tokens_in, calls["own0-0"].cost) == (3, 0.01)
    assert filled.check() == []
    assert filled.prune(0, ("logs", "prompts", "attempts")) == {"prompts": 0, "logs": 0, "attempts": 0}
    with pytest.raises(ArchiveError, match="nothing that can be pruned"):
        filled.prune(0, ("figures",))


def test_prune_keeps_the_newest(filled: Archive) -> None:
    assert filled.prune(3, ("logs",)) == {"logs": 0}


def test_the_guard_is_back_after_pruning(filled: Archive, url: str) -> None:
    from sqlalchemy.exc import DBAPIError

    filled.prune(0, ("logs", "prompts"))
    engine = make_engine(parse_address(url), read_only=False)
    for sql in ("DELETE FROM event", "UPDATE chat_call SET model = 'x'"):
        with pytest.raises(DBAPIError, match="immutable"), writing(engine) as connection:
            connection.execute(text(sql))
    engine.dispose()
