"""A run of 24 simulated hours: memory and open files stay flat."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pool_fakes import make_fake
from rig import full
from search_rig import ScriptedProposer, Watcher, beginning, config

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evolution.loop import discover
from sldagent.evolution.state import SearchState
from sldagent.workers.serial import SerialPool
from sldagent.workers.supervisor import resident

DAY = 24 * 3600.0
EVERY = 4.0
"""Simulated seconds per candidate: 21,600 in a day."""
FILES = 5
"""A database, its log and the log's index, and the first two once more for the connection of the heartbeat."""
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


def slope(values: Sequence[float]) -> float:
    """Growth per candidate by least squares."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def opened(folder: Path) -> int:
    """Files in a folder that this process holds open (others may be opened by threads of other tests)."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += os.readlink(link).startswith(str(folder))
    return found


def measured(path: Path, day: float) -> tuple[list[int], list[int], int]:
    """Resident bytes and open archive files every hundred candidates of a run of `day` simulated seconds; candidates."""
    now, memory, files = [0.0], list[int](), list[int]()
    proposer = ScriptedProposer(longest=12)  # laws that grew without end would fill the caches of parsed laws ever more

    def tick(state: SearchState, record: CandidateRecord) -> None:
        now[0] += EVERY
        if record.k % 100 == 0:
            proposer.contexts.clear()  # the rig's memory, not the run's
            gc.collect()
            memory.append(resident(os.getpid()))
            files.append(opened(path.parent))

    cfg = config(candidates=None, minutes=day / 60.0, stagnation=0, population=48, look_back=16)
    with Archive.open(str(path)) as archive, SerialPool(make_fake) as pool:
        summary = discover(beginning(), cfg, archive, proposer, pool, Watcher(tick), clock=lambda: now[0])
    assert summary.stopped_by == "time"
    return memory, files, summary.candidates


def test_open_files_stay_the_same(tmp_path: Path) -> None:
    _, files, _ = measured(tmp_path / "a.db", DAY / 100)
    assert max(files) <= FILES


@full
def test_a_simulated_day(tmp_path: Path) -> None:
    memory, files, candidates = measured(tmp_path / "a.db", DAY)
    late = memory[len(memory) // 4 :]
    growth = slope(late) / 100
    print(f"{candidates} candidates; {memory[0] >> 20} MB to {memory[-1] >> 20} MB; {growth:.0f} bytes per candidate")
    assert max(files) <= FILES
    assert growth < 2000  # what a run must remember of a candidate: hashes of its form and its figures
