"""Runs into a real archive: the same rows whatever the number of workers, and the same front as the view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pool_fakes import make_delayed, make_fake
from search_rig import ScriptedProposer, Watcher, beginning, config, table

from sldagent.archive.store import Archive
from sldagent.evolution.loop import discover
from sldagent.evolution.summary import RunSummary
from sldagent.workers.base import WorkerPool
from sldagent.workers.local import LocalPool
from sldagent.workers.serial import SerialPool


def run(path: Path, pool: WorkerPool, **more: Any) -> tuple[RunSummary, Archive]:
    archive = Archive.open(f"sqlite:///{path}")
    with pool:
        summary = discover(beginning(**more), config(), archive, ScriptedProposer(), pool, Watcher())
    return summary, archive


def test_archives_of_one_and_two_workers_hold_the_same_candidates(tmp_path: Path) -> None:
    tables = []
    for workers in (1, 2):
        summary, archive = run(tmp_path / f"{workers}.db", LocalPool(make_delayed, workers, 30.0))
        tables.append(table(list(archive.candidates(summary.run))))
        archive.close()
    assert len(tables[0]) == 120
    assert tables[0] == tables[1]


def test_the_archive_tells_what_the_summary_tells(tmp_path: Path) -> None:
    summary, archive = run(tmp_path / "a.db", SerialPool(make_fake), mode="targeted")
    record = archive.run(summary.run)
    assert (record.status, record.mode, record.task) == ("complete", "targeted", "rig")
    assert (record.candidates, record.failures) == (120, sum(summary.failures.values()))
    assert summary.choice is not None
    assert (record.choice, record.shortlist, record.reason) == (
        summary.choice.index, summary.shortlist, summary.choice.reason
    )
    assert [r.k for r in archive.front(summary.run)] == list(summary.front)
    assert table(archive.front(summary.run)) == table([summary.records[k] for k in summary.front])
    assert record.extra["stopped_by"] == "candidates"
    assert record.extra["catalogue"] == [0, 1]
    answer = archive.query("SELECT kind, COUNT(*) FROM event GROUP BY kind ORDER BY kind")
    assert [tuple(row) for row in answer[1]] == [("migration", 6), ("reset", 2), ("seeds", 1), ("stop", 1)]
    archive.close()


def test_a_given_run_id_is_used(tmp_path: Path) -> None:
    summary, archive = run(tmp_path / "a.db", SerialPool(make_fake), run="mine")
    assert summary.run == archive.run("mine").run == "mine"
    archive.close()


def test_a_failed_run_stays_readable(tmp_path: Path) -> None:
    def fail(k: int) -> None:
        if k == 50:
            raise ZeroDivisionError("by design")

    archive = Archive.open(f"sqlite:///{tmp_path / 'a.db'}")
    with SerialPool(make_fake) as pool, pytest.raises(ZeroDivisionError):
        discover(beginning(run="r"), config(), archive, ScriptedProposer(on_propose=fail), pool)
    assert archive.run("r").status == "failed"
    assert len(list(archive.candidates("r"))) == archive.run("r").candidates == 43
    archive.close()
