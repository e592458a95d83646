"""Archives that cannot be used: one clear sentence each, and nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sldagent.archive import migrate
from sldagent.archive.engine import parse_address
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError


def refused(url: str | Path, message: str, **options: object) -> str:
    """Open must fail with one sentence that matches; returns the sentence."""
    with pytest.raises(ArchiveError, match=message) as caught:
        Archive.open(str(url), **options)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def filled(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord], count: int = 300) -> str:
    with Archive.open(f"sqlite:///{file}") as archive:
        run = start(archive)
        archive.commit(run, [record(k) for k in range(count)])
    return run


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "address is empty"),
        ("sqlite://", "names none"),
        ("sqlite:///:memory:", "names none"),
        ("sqlite:///a.db?mode=ro", "takes no options"),
        ("mysql://host/base", "cannot live in 'mysql'"),
        ("nonsense://x", "not an archive's address|cannot live in 'nonsense'"),
        ("http://[", "not an archive's address|cannot live in"),
    ],
)
def test_addresses(url: str, message: str) -> None:
    refused(url, message)


def test_a_plain_file_name_is_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Archive.open("new.db").close()
    Archive.open("sqlite:///new.db", create=False).close()
    assert (tmp_path / "new.db").exists()


@pytest.mark.parametrize("name", ["with space.db", "per%cent?.db", "häschen#1.db"])
def test_any_file_name(tmp_path: Path, name: str, start: Callable[..., str]) -> None:
    file = tmp_path / "fo%20lder" / name
    file.parent.mkdir()
    with Archive.open(str(file)) as archive:
        start(archive, "r-1")
        assert archive.query("SELECT run FROM run")[1] == [("r-1",)]
    assert file.exists()


def test_passwords_are_not_shown() -> None:
    assert "secret" not in parse_address("postgresql://me:secret@host/base").place


def test_no_archive_there(file: Path) -> None:
    refused(f"sqlite:///{file}", "no archive at .*archive.db", create=False)
    refused(f"sqlite:///{file}", "no archive at .*archive.db", read_only=True)
    assert not file.exists()


def test_no_folder(tmp_path: Path) -> None:
    refused(f"sqlite:///{tmp_path / 'missing' / 'a.db'}", "its folder .*missing does not exist")


def test_a_folder(tmp_path: Path) -> None:
    refused(f"sqlite:///{tmp_path}", "is a folder; an archive is a file")


def test_a_text_file(file: Path) -> None:
    file.write_text("N,D,loss\n1,2,3\n" * 100)
    before = file.read_bytes()
    refused(f"sqlite:///{file}", "archive.db is not an SQLite database")
    refused(f"sqlite:///{file}", "archive.db is not an SQLite database", read_only=True)
    assert file.read_bytes() == before


def test_an_empty_file_becomes_an_archive(file: Path, start: Callable[..., str]) -> None:
    file.touch()
    refused(f"sqlite:///{file}", "is empty, not an archive", read_only=True)
    refused(f"sqlite:///{file}", "is empty, not an archive", create=False)
    with Archive.open(f"sqlite:///{file}") as archive:
        start(archive)


def test_another_programs_database(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    refused(f"sqlite:///{file}", "a database of another program")
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    connection.close()


def set_version(file: Path, version: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute("UPDATE archive_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()


def test_a_newer_archive(file: Path) -> None:
    Archive.open(f"sqlite:///{file}").close()
    set_version(file, "0999")
    refused(f"sqlite:///{file}", "has version 0999, which this release .* does not know")
    refused(f"sqlite:///{file}", "version 0999", read_only=True)
    with pytest.raises(ArchiveError, match="version 0999"):
        migrate.upgrade(f"sqlite:///{file}")


def test_an_older_archive(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Archive.open(f"sqlite:///{file}").close()
    made = migrate.HEAD
    monkeypatch.setattr(migrate, "HEAD", "9999")
    said = f"version {made} and this release uses 9999; keep a copy of it, then run `sldagent archive upgrade --archive"
    refused(f"sqlite:///{file}", said)


def test_an_archive_whose_version_is_gone(file: Path) -> None:
    Archive.open(f"sqlite:///{file}").close()
    connection = sqlite3.connect(file)
    connection.execute("DELETE FROM archive_version")
    connection.commit()
    connection.close()
    refused(f"sqlite:///{file}", "version is not recorded")


def read_all(file: Path, run: str) -> None:
    with Archive.open(f"sqlite:///{file}", read_only=True) as archive:
        list(archive.candidates(run))
        archive.query("SELECT * FROM cut_score")


@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_cut_off_archive(
    file: Path, kept: float, start: Callable[..., str], record: Callable[..., CandidateRecord]
) -> None:
    run = filled(file, start, record)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ArchiveError, match="is damaged"):
        read_all(file, run)


def test_an_overwritten_archive(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord]) -> None:
    run = filled(file, start, record)
    content = bytearray(file.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    file.write_bytes(content)
    with pytest.raises(ArchiveError) as caught, Archive.open(f"sqlite:///{file}") as archive:
        list(archive.candidates(run))
    assert "is damaged" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_gone(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord]) -> None:
    run = filled(file, start, record, 3)
    connection = sqlite3.connect(file)
    connection.execute("DROP TABLE group_fit")
    connection.commit()
    connection.close()
    with (
        Archive.open(f"sqlite:///{file}") as archive,
        pytest.raises(ArchiveError, match=r"lacks a table .*group_fit.*; it is damaged"),
    ):
        list(archive.candidates(run))


def test_a_locked_archive(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord]) -> None:
    with Archive.open(f"sqlite:///{file}", timeout=0.05) as archive:
        run = start(archive)
        archive.commit(run, [record(0)])
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError, match="locked by another process"):
            archive.commit(run, [record(1)])
        assert [r.k for r in archive.candidates(run)] == [0], "readers go on"
        other.execute("ROLLBACK")
        other.close()
        archive.commit(run, [record(1)])
        assert [r.k for r in archive.candidates(run)] == [0, 1]


def test_a_full_disk(file: Path, start: Callable[..., str], record: Callable[..., CandidateRecord]) -> None:
    with Archive.open(f"sqlite:///{file}") as archive:
        run = start(archive)
        archive.commit(run, [record(k) for k in range(50)])
        with archive._engine.connect() as connection:  # the one pooled connection: its limit stays
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(ArchiveError, match=r"no space left to commit candidates .* everything committed before is safe"):
            archive.commit(run, [record(k) for k in range(50, 1000)])
        assert [r.k for r in archive.candidates(run)] == list(range(50))
        with archive._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        archive.commit(run, [record(k) for k in range(50, 60)])
    with Archive.open(f"sqlite:///{file}", read_only=True) as archive:
        assert len(list(archive.candidates(run))) == 60


UNPRIVILEGED = """
import os, sys
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
with Archive.open(sys.argv[1], read_only=True) as archive:  # loads what loads on first use
    archive.runs()
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for mode, file in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        with Archive.open(f"sqlite:///{file}", read_only=mode == "read") as archive:
            print(len(archive.runs()), archive.query("SELECT COUNT(*) FROM run")[1])
    except ArchiveError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_permissions(tmp_path: Path, start: Callable[..., str]) -> None:
    """What a process without special rights is told about archives that it may not make, write or read."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-")):  # pytest's own folders let nobody else through
            folder.chmod(0o711)
    tmp_path.chmod(0o711)
    none, given = tmp_path / "none", tmp_path / "given"
    none.mkdir()
    given.mkdir()
    with Archive.open(f"sqlite:///{given / 'a.db'}") as archive:
        start(archive)
    shutil.copy(given / "a.db", given / "hidden.db")
    (given / "a.db").chmod(0o444)
    (given / "hidden.db").chmod(0o000)
    none.chmod(0o555)
    given.chmod(0o555)
    asked = ["write", none / "a.db", "write", given / "a.db", "read", given / "a.db", "read", given / "hidden.db"]
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(given / "a.db"), *map(str, asked)],
        capture_output=True,
        text=True,
        check=False,
    )
    none.chmod(0o755)
    given.chmod(0o755)
    assert done.returncode == 0, done.stderr
    making, writing, reading, hidden = done.stdout.splitlines()
    assert "is not writable; name another" in making
    assert "cannot be written; check the file's permissions" in writing
    assert reading == "1 [(1,)]"
    assert "cannot be read; check the file's permissions" in hidden


def test_postgresql_out_of_reach() -> None:
    pytest.importorskip("psycopg")
    sentence = refused("postgresql://me:secret@127.0.0.1:1/base?connect_timeout=2", "cannot be reached", timeout=0.3)
    assert "secret" not in sentence


def test_postgresql_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    refused("postgresql://me@host/base", "need the package psycopg; install sldagent with its 'postgres' extra")
