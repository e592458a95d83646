"""A clock that jumps: ownership goes by the kernel and by counting, budgets by a clock that cannot jump."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import coordinator
import pytest
from pool_fakes import make_fake
from rig import rows
from search_rig import ScriptedProposer, Watcher, beginning

from sldagent.archive.owner import Owner, this_process
from sldagent.archive.records import CandidateRecord
from sldagent.archive.sessions import RunTaken
from sldagent.archive.store import Archive
from sldagent.evolution.loop import discover
from sldagent.evolution.state import SearchState
from sldagent.report.status import run_status
from sldagent.workers.serial import SerialPool

ELSEWHERE = Owner("elsewhere", "another machine", 12, "345")


class Clock:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


def begin(archive: Archive, owner: Owner) -> None:
    archive.start_run(run="r", task="t", seed=0, config={}, card={}, mode="blind", islands=[{}], owner=owner)


@pytest.mark.parametrize("days", [-400, 400])
def test_a_run_whose_clock_jumps_is_the_same_run(days: int, tmp_path: Path) -> None:
    clock, paths = Clock(), (tmp_path / "steady.db", tmp_path / "jumping.db")

    def jump(state: SearchState, record: CandidateRecord) -> None:
        if record.k == 200:
            clock.offset = timedelta(days=days)

    for path in paths:
        watcher = Watcher(jump if path is paths[1] else None)
        with Archive.open(str(path), clock=clock) as archive, SerialPool(make_fake) as pool:
            discover(beginning(run="r"), coordinator.CONFIG, archive, ScriptedProposer(), pool, watcher)
            assert archive.run("r").seconds < 3600
            assert run_status(archive, "r").ago >= 0
    assert rows(paths[0]) == rows(paths[1])


@pytest.mark.parametrize("days", [-400, 0, 400])
def test_a_living_coordinator_elsewhere_is_not_taken_for_dead(days: int, tmp_path: Path) -> None:
    clock, path = Clock(), str(tmp_path / "a.db")
    with Archive.open(path) as theirs, Archive.open(path, clock=clock) as ours:
        begin(theirs, ELSEWHERE)
        clock.offset = timedelta(days=days)

        def meanwhile(seconds: float) -> None:
            theirs.sessions().beat("r", 0, 1.0)

        with pytest.raises(RunTaken, match="process 12 on elsewhere, which is alive"):
            ours.sessions().wait_for_death("r", sleep=meanwhile)


@pytest.mark.parametrize("days", [-400, 0, 400])
def test_a_dead_coordinator_elsewhere_is_taken_for_dead_after_its_lease(days: int, tmp_path: Path) -> None:
    clock, slept = Clock(), list[float]()
    with Archive.open(str(tmp_path / "a.db"), clock=clock) as archive:
        begin(archive, ELSEWHERE)
        clock.offset = timedelta(days=days)
        seen = archive.sessions().wait_for_death("r", sleep=slept.append)
        assert len(slept) == 1
        assert seen is not None
        archive.resume_run("r", seen)
        assert [s.outcome for s in archive.sessions().of_run("r")] == ["lost", ""]


def test_a_dead_coordinator_here_is_seen_at_once(tmp_path: Path) -> None:
    here = this_process()
    with Archive.open(str(tmp_path / "a.db")) as archive:
        begin(archive, replace(here, born="1"))  # the same process id, another process
        if here.lives() is not True or not here.born:
            pytest.skip("this system does not tell when a process began")
        archive.sessions().wait_for_death("r", sleep=pytest.fail)


def test_a_process_that_left_its_run_without_a_word_is_watched(tmp_path: Path) -> None:
    """A notebook: the process lives, but its session's signs of life ended."""
    clock = Clock()
    with Archive.open(str(tmp_path / "a.db"), clock=clock) as archive:
        begin(archive, this_process())
        with pytest.raises(RunTaken):
            archive.sessions().wait_for_death("r", sleep=pytest.fail)
        clock.offset = timedelta(minutes=5)
        assert archive.sessions().wait_for_death("r", sleep=lambda seconds: None) is not None
