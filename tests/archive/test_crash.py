"""A writer that dies takes nothing with it that was committed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sldagent.archive.engine import writing
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive

WRITER = """
import sys
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evaluation.result import Evaluation

archive = Archive.open(sys.argv[1])
archive.start_run(run="r", task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
k = 0
while True:
    batch = [CandidateRecord(j, 0, "op", (j - 1,) if j else (), "s", "f", "h", Evaluation()) for j in range(k, k + 7)]
    archive.commit("r", batch)
    k += 7
    print(k, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_in_the_middle_of_writing(file: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, f"sqlite:///{file}"], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = 0
    for line in writer.stdout:
        told = int(line)
        if told >= 140:
            writer.kill()
            break
    rest = writer.stdout.read().split()
    assert writer.wait(timeout=30) == -signal.SIGKILL
    told = int(rest[-1]) if rest else told
    with Archive.open(f"sqlite:///{file}", read_only=True) as archive:
        found = [record.k for record in archive.candidates("r")]
        assert archive.run("r").status == "running"
        assert archive.run("r").candidates == len(found)
    assert found == list(range(len(found)))
    assert len(found) % 7 == 0, "a commit is whole or absent"
    assert len(found) >= told, "what commit returned from is there"
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_an_interrupted_commit_leaves_nothing(
    url: str, archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run = start(archive)
    archive.commit(run, [record(0)])
    from sldagent.archive import write

    whole = write._insert

    def interrupted(connection: object, model: object, rows: object) -> None:
        whole(connection, model, rows)  # type: ignore[arg-type]
        if model is write.models.CutScoreRow:
            raise KeyboardInterrupt

    monkeypatch.setattr(write, "_insert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archive.commit(run, [record(1), record(2)])
    monkeypatch.undo()
    assert [r.k for r in archive.candidates(run)] == [0]
    archive.commit(run, [record(1)])
    assert [r.k for r in archive.candidates(run)] == [0, 1]


def test_writers_take_turns(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord]) -> None:
    """The write lock is taken at the beginning of a transaction, so that a second writer waits instead of failing."""
    from sldagent.errors import ArchiveError

    with Archive.open(f"sqlite:///{file}") as first, Archive.open(f"sqlite:///{file}", timeout=0.05) as second:
        one, two = start(first, "one"), start(second, "two")
        with writing(first._engine), pytest.raises(ArchiveError, match="locked by another process"):
            second.commit(two, [record(0)])
        first.commit(one, [record(0)])
        second.commit(two, [record(0)])
        assert {r.run: r.candidates for r in first.runs()} == {"one": 1, "two": 1}
