"""``sldagent archive``: what it prints, and its exit codes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cli_tools import sldagent

from sldagent.archive.migrate import HEAD, VERSION_TABLE
from sldagent.archive.records import Note
from sldagent.archive.store import Archive


@pytest.fixture
def archive(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with Archive.open(url) as made:
        made.start_run(run="r-1", task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
        made.commit("r-1", [], [Note("start", "begun")])
        made.finish_run(
            "r-1", status="complete", choice=None, shortlist=(), reason="", candidates=0, failures=0, seconds=1.0
        )
    return url


def test_check(archive: str) -> None:
    whole = sldagent("archive", "check", "--archive", archive, "--json")
    assert (whole.code, whole.json["whole"], whole.json["findings"]) == (0, True, [])
    with sqlite3.connect(archive.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE run SET candidates = 5")
    connection.close()
    damaged = sldagent("archive", "check", "--archive", archive)
    assert damaged.code == 1
    assert "run r-1: its counts" in damaged.out


def test_copy_and_backup(archive: str, tmp_path: Path) -> None:
    assert sldagent("archive", "backup", tmp_path / "b.db", "--archive", archive, "--json").json["verified"] is True
    copied = sldagent("archive", "copy", archive, f"sqlite:///{tmp_path / 'c.db'}")
    assert (copied.code, "1 runs, 0 candidates" in copied.out) == (0, True)
    again = sldagent("archive", "backup", tmp_path / "b.db", "--archive", archive)
    assert (again.code, "exists already" in again.err) == (2, True)
    assert "r-1" in sldagent("runs", "--archive", f"sqlite:///{tmp_path / 'b.db'}").out


def test_prune(archive: str) -> None:
    words = ("archive", "prune", "--keep", "0", "--what", "logs", "--archive", archive)
    assert sldagent(*words, "--dry-run").out.startswith("Would let go of 1 logs")
    assert sldagent(*words, "--json").json["rows"] == {"logs": 1}
    assert sldagent(*words, "--json").json["rows"] == {"logs": 0}
    wrong = sldagent("archive", "prune", "--keep", "0", "--what", "laws", "--archive", archive)
    assert (wrong.code, "'laws' is nothing that can be pruned" in wrong.err) == (2, True)


def test_upgrade(archive: str) -> None:
    assert sldagent("archive", "upgrade", "--archive", archive, "--json").json == {"before": HEAD, "after": HEAD}
    with sqlite3.connect(archive.removeprefix("sqlite:///")) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0999'")
    connection.close()
    newer = sldagent("archive", "upgrade", "--archive", archive)
    assert (newer.code, "use the newer sldagent" in newer.err) == (2, True)
