"""Several processes and several users on one archive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from postgres_server import PostgresServer, bin_folder

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

COORDINATOR = """
import sys
from sldagent.archive.chat import CallRecord
from sldagent.archive.records import CandidateRecord, Note
from sldagent.archive.store import Archive
from sldagent.evaluation.result import Evaluation

url, run = sys.argv[1:]
with Archive.open(url) as archive:
    sys.stdin.readline()  # all begin together
    archive.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    for k in range(0, 60, 3):
        batch = [
            CandidateRecord(j, 0, run, (), "s", "f", "h", Evaluation(x=-float(j), complexity=1.0, valid=True))
            for j in range(k, k + 3)
        ]
        archive.commit(run, batch)
        archive.commit(run, [], [Note("note", str(k))])
        archive.chats().begin(run, CallRecord(f"c{k}-0", f"c{k}", 0, "b", "m", {}), 1, 0.0)
    archive.finish_run(run, status="complete", choice=59, shortlist=[59], reason="", candidates=60, failures=0, seconds=1.0)
"""


def test_coordinators_share_one_archive(url: str) -> None:
    """They make the archive at the same time, ask the same questions and write in turns; nothing mixes."""
    names = ["one", "two", "three"]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    begun = [subprocess.Popen([sys.executable, "-c", COORDINATOR, url, name], **pipes) for name in names]
    for process in begun:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in begun:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    with Archive.open(url, read_only=True) as archive:
        assert sorted(run.run for run in archive.runs()) == sorted(names)
        for name in names:
            laws = list(archive.candidates(name))
            assert [law.k for law in laws] == list(range(60))
            assert {law.operator for law in laws} == {name}
            assert [law.k for law in archive.front(name)] == [59]
            assert [a.n for a in archive.chats().attempts(name)] == list(range(20))
        assert archive.query("SELECT COUNT(*) FROM chat_call")[1] == [(20,)]
        assert archive.check(contents=False) == []


@pytest.mark.requires("postgres")
def test_the_read_only_role(
    postgres: PostgresServer, database: str, repository: Path, start: Callable[..., str],
    record: Callable[..., CandidateRecord],
) -> None:  # fmt: skip
    with Archive.open(database) as archive:
        run = start(archive)
        archive.commit(run, [record(0)])
    name = database.split("/")[3].split("?")[0]
    folder = bin_folder()
    assert folder is not None
    script = repository / "archive" / "read_only_role.sql"
    command = [folder / "psql", "-q", "-h", postgres.folder, "-U", "sldagent", "-d", name, "-v", "reader=looker", "-v",
               "password='p'"]  # fmt: skip
    for _ in range(2):
        done = subprocess.run(command, stdin=script.open(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    try:
        reader = postgres.url(name, user="looker")
        with Archive.open(reader, read_only=True) as archive:
            assert archive.query("SELECT law FROM pareto_front")[1] == [(f"{run}-0",)]
            assert archive.front(run)[0].k == 0
            with pytest.raises(ArchiveError, match="only reading is possible"):
                archive.query("DELETE FROM run")
        with Archive.open(reader) as archive, pytest.raises(ArchiveError, match=r"may not start a run|read-only"):
            start(archive, "other")
        with pytest.raises(Exception, match="permission denied for table run"):
            postgres.execute("SET ROLE looker; SET default_transaction_read_only = off; DELETE FROM run", name)
    finally:
        postgres.execute("DROP OWNED BY looker", name)
        postgres.execute("DROP ROLE looker")


@pytest.mark.requires("postgres")
@pytest.mark.parametrize("sql", ["COPY run TO STDOUT", "TRUNCATE run", "VACUUM", "DO $$ BEGIN END $$", "CALL x()"])
def test_postgresql_offers_no_way_out(database: str, sql: str) -> None:
    with Archive.open(database) as archive, pytest.raises(ArchiveError, match="only reading is possible"):
        archive.query(sql)
