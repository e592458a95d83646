"""A disk that fills up while a run writes: one sentence, nothing lost, and the run goes on once there is space."""

from __future__ import annotations

from pathlib import Path

import coordinator
from pool_fakes import make_fake
from rig import count, finish, rows, start
from search_rig import ScriptedProposer, Watcher, beginning

from sldagent.archive.store import Archive
from sldagent.evolution.loop import discover
from sldagent.workers.serial import SerialPool

ROOM = 300_000
"""Bytes by which the archive's log may grow: some way into the run."""


def test_a_run_on_a_full_disk_fails_cleanly_and_goes_on_later(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.db", tmp_path / "a.db"
    with Archive.open(str(whole)) as archive, SerialPool(make_fake) as pool:
        discover(beginning(run=coordinator.RUN), coordinator.CONFIG, archive, ScriptedProposer(), pool, Watcher())
    said = finish(start(path, ROOM), 4)
    assert "everything committed before is safe" in said
    saved = count(path)
    assert 0 < saved < coordinator.CONFIG.candidates
    finish(start(path))
    assert rows(path) == rows(whole)
