"""Starting and ending `sldagent ui`: every mistake is one sentence and exit code 2."""

from __future__ import annotations

import signal
import socket
import sqlite3
import sys
import urllib.request
from pathlib import Path

import pytest
from cli_tools import sldagent
from ui_tools import PATIENCE, serve

needs_ui = pytest.mark.requires("ui")


@needs_ui
def test_no_archive(tmp_path: Path) -> None:
    ended = sldagent("ui", "--archive", tmp_path / "none.db")
    assert ended.code == 2
    assert "there is no archive" in ended.err


@needs_ui
def test_another_version_of_the_archive(copied: Path) -> None:
    connection = sqlite3.connect(copied)
    connection.execute("UPDATE archive_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    ended = sldagent("ui", "--archive", copied)
    assert ended.code == 2
    assert "newer" in ended.err


@needs_ui
def test_a_busy_port(archive_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = sldagent("ui", "--archive", archive_file, "--port", port)
    assert ended.code == 2
    assert f"port {port} is in use" in ended.err
    assert ended.out == ""


@needs_ui
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0", "--token", ""], "needs a token"),
        (["--host", "0.0.0.0", "--token", "short"], "too easy to guess"),
        (["--token", "täglich-grüßt-das-token"], "too easy to guess"),
        (["--host", "203.0.113.7", "--port", "0"], "no address of this machine"),
        (["--host", "no host"], "there is no host"),
    ],
)
def test_addresses_and_tokens_that_cannot_be(words: list[str], told: str, archive_file: Path) -> None:
    ended = sldagent("ui", "--archive", archive_file, *words)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("port", ["-1", "65536", "http", "8_0"])
def test_ports_that_are_none(port: str) -> None:
    ended = sldagent("ui", "--port", port)
    assert ended.code == 2
    assert "is not a port" in ended.err


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("sldagent.ui", "uvicorn"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ended = sldagent("ui", "--archive", "none.db")
    assert ended.code == 2
    assert "pip install 'sldagent[ui]'" in ended.err
    assert "make extras" in ended.err


@needs_ui
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_at_once(number: signal.Signals, archive_file: Path) -> None:
    served = serve("--archive", archive_file, "--port", 0)
    try:
        assert served.address.startswith("http://127.0.0.1:")
        opened = urllib.request.urlopen(served.address)  # kept open: a connection must not hold the end up
        assert b"small" in opened.read()
    finally:
        served.process.send_signal(number)
        out, err = served.process.communicate(timeout=PATIENCE)
    assert (served.process.returncode, out, err) == (0, "", "")


@needs_ui
def test_beyond_loopback_a_token_is_made(archive_file: Path) -> None:
    served = serve("--archive", archive_file, "--port", 0, "--host", "0.0.0.0")
    code, err = served.end()
    assert code == 0
    assert len(served.line.split("?token=")[1].split()[0]) >= 30
    assert "not encrypted" in err
