"""``resume``, ``stop`` and ``status``: a killed discovery goes on as if it had never ended; all else is a sentence."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cli_tools import Ended, Found, sldagent

import sldagent as package
from sldagent.archive.owner import Owner
from sldagent.archive.store import Archive
from sldagent.errors import ConfigError, RunFailed
from sldagent.evolution.journal import Journal

OPTIONS = ["--target", "loss", "--variables", "N,D", "--group", "family", "--split-column", "split"]
OPTIONS += ["--candidates", "40", "--workers", "1", "--seed", "5"]
ROWS = (
    "SELECT c.k, c.island, c.operator, c.source, c.note, e.x, e.x_se, e.mdl, e.fingerprint, g.header, g.data, f.detail "
    "FROM candidate c JOIN evaluation e ON e.run = c.run AND e.k = c.k JOIN group_fit g ON g.run = c.run AND g.k = c.k "
    "LEFT JOIN failure f ON f.run = c.run AND f.k = c.k ORDER BY c.k"
)
END = "SELECT status, choice, reason, candidates, failures, config, card, extra FROM run"


def asked(archive: str, sql: str) -> list[Any]:
    with Archive.open(archive, read_only=True) as opened:
        return [tuple(row) for row in opened.query(sql)[1]]


def committed(file: Path) -> int:
    """Candidates in an archive, asked as fast as can be; 0 where it is not made yet."""
    address = f"file:{file}?mode=ro"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(address, uri=True)) as archive:
        return int(archive.execute("SELECT COUNT(*) FROM candidate").fetchone()[0])
    return 0


@pytest.fixture(scope="module")
def killed(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The shared discovery once more, killed in the middle (a fast machine may have finished it: then again)."""
    for _ in range(10):
        file = tmp_path_factory.mktemp("killed") / "archive.db"
        archive = f"sqlite:///{file}"
        command = [sys.executable, "-m", "sldagent", "discover", str(found.table), *OPTIONS, "--archive", archive]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not committed(file):
                time.sleep(0.005)
            process.kill()
        ((run, count),) = asked(archive, "SELECT run, COUNT(*) FROM candidate GROUP BY run")
        if count < 40:
            return Found(found.table, archive, {"run": run, "saved": count}, "")
    raise AssertionError("the discovery always ended before it could be killed")


@pytest.fixture
def copy(killed: Found, tmp_path: Path) -> Found:
    """A copy of the killed run's archive and table, to be changed."""
    table = Path(shutil.copy(killed.table, tmp_path / "moved.csv"))
    with Archive.open(killed.archive):  # its log is then written back into the file
        pass
    shutil.copy(killed.archive.removeprefix("sqlite:///"), tmp_path / "copy.db")
    return Found(table, f"sqlite:///{tmp_path / 'copy.db'}", killed.document, "")


def refused(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err


def test_status_of_a_run_whose_process_died(killed: Found) -> None:
    ended = killed.call("status", killed.run)
    assert ended.code == 0
    assert f"go on with: sldagent resume {killed.run}" in ended.out
    document = killed.call("status", killed.run, "--json").json
    assert document["state"] == "dead"
    assert document["candidates"] == killed.document["saved"]
    assert [s["outcome"] for s in document["sessions"]] == [None]


def test_a_killed_discovery_ends_as_the_one_that_was_not(found: Found, copy: Found) -> None:
    ended = copy.call("resume", copy.run[:-2], copy.table, "--json")
    assert ended.code == 0, ended.err
    assert asked(copy.archive, ROWS) == asked(found.archive, ROWS)
    assert asked(copy.archive, END) == asked(found.archive, END)
    assert ended.json["choice"]["formula"] == found.document["choice"]["formula"]
    refused(copy.call("resume", copy.run, copy.table), "is complete (40 candidates)", "nothing to resume")
    refused(copy.call("stop", copy.run), "nobody works on run", "nothing to stop")
    status = copy.call("status", copy.run)
    assert "complete" in status.out
    assert "lost" in status.out


def test_a_changed_table_is_refused_and_nothing_is_written(copy: Found) -> None:
    text = copy.table.read_text(encoding="utf-8")
    copy.table.write_text(text.replace("100000", "100001", 1), encoding="utf-8")
    refused(copy.call("resume", copy.run, copy.table), "moved.csv", "not those that run", "restore that table")
    assert copy.call("status", copy.run, "--json").json["state"] == "dead"


def test_a_table_that_is_gone_is_named(copy: Found) -> None:
    copy.table.unlink()
    refused(copy.call("resume", copy.run, copy.table), "moved.csv")


def test_a_run_that_somebody_works_on_is_refused(copy: Found) -> None:
    with Archive.open(copy.archive) as archive:
        archive.resume_run(copy.run, archive.sessions().of_run(copy.run)[-1])
        refused(copy.call("resume", copy.run, copy.table), "is being worked on by process", "is alive", "sldagent stop")
        asked_for = copy.call("stop", copy.run)
        assert asked_for.code == 0
        assert "was asked to end run" in asked_for.out
        assert copy.call("status", copy.run, "--json").json["state"] == "stopping"


def test_status_of_a_process_that_cannot_be_seen(copy: Found) -> None:
    with Archive.open(copy.archive) as archive:
        seen = archive.sessions().of_run(copy.run)[-1]
        archive.resume_run(copy.run, seen, owner=Owner("node7", "another machine", 4, "1"))
    status = copy.call("status", copy.run)
    assert "as far as can be seen from here" in status.out
    assert "process 4 on node7" in status.out


def test_unknown_runs(found: Found, tmp_path: Path) -> None:
    for verb in ("resume", "status", "stop"):
        refused(found.call(verb, "nonsense"), "has no run 'nonsense'")
        refused(sldagent(verb, "x", "--archive", f"sqlite:///{tmp_path / 'none.db'}"), "no archive at")
    assert not (tmp_path / "none.db").exists()


def test_a_run_of_an_older_release_or_of_another_program(copy: Found) -> None:
    with Archive.open(copy.archive) as archive:
        archive.start_run(run="other", task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    refused(copy.call("resume", "other"), "does not hold what it needs", "discover anew")


def test_a_run_on_a_data_frame_goes_on_with_the_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    N, D = (v.ravel() for v in np.meshgrid(1e5 * 3.0 ** np.arange(5), 1e6 * 4.0 ** np.arange(4)))
    frame = pd.DataFrame({"N": N, "D": D, "loss": 1.7 + 400 * N**-0.35 + 900 * D**-0.4})
    archive = f"sqlite:///{tmp_path / 'a.db'}"
    roles: dict[str, Any] = {"target": "loss", "variables": ["N", "D"]}
    with monkeypatch.context() as broken:
        broken.setattr(Journal, "flush", _no_space)
        with pytest.raises(RunFailed, match=r"no space left.*sldagent resume"):
            package.discover(frame, **roles, candidates=4, workers=1, archive=archive)
    ((run, status),) = asked(archive, "SELECT run, status FROM run")
    assert status == "failed"
    with pytest.raises(ConfigError, match="was started on a data frame"):
        package.resume(run, archive=archive)
    with pytest.raises(ConfigError, match="not those that run"):
        package.resume(run, frame.iloc[:-1], **roles, archive=archive)
    found = package.resume(run, frame, **roles, archive=archive)
    assert (found.run, found.candidates) == (run, 4)


def _no_space(journal: Journal) -> None:
    from sldagent.errors import ArchiveError

    raise ArchiveError("no space left")


def test_exit_codes_tell_stopped_and_failed_apart(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sldagent.evolution.search import Search

    def interrupted(search: Search) -> None:
        signal.raise_signal(signal.SIGTERM)

    archive = ["--archive", f"sqlite:///{tmp_path / 'a.db'}"]
    with monkeypatch.context() as broken:
        broken.setattr(Journal, "flush", _no_space)
        failed = sldagent("discover", found.table, *OPTIONS, *archive, "--json")
    assert failed.code == 4
    assert "no space left; once that is mended, go on with: sldagent resume" in failed.err.splitlines()[-1]
    commit = Search._commit
    with monkeypatch.context() as stopping:
        stopping.setattr(Search, "_commit", lambda search: (commit(search), interrupted(search)))
        ended = sldagent("resume", sldagent("runs", *archive, "--json").json["runs"][0]["run"], *archive)
    assert ended.code == 3
    assert "stopped; go on with: sldagent resume" in ended.out
