"""Processes killed at any moment: nothing is lost, nothing repeated, and the run ends as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
from pathlib import Path

import coordinator
import pytest
from rig import count, finish, full, rows, searching, start, wait_for

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

LONGEST = 1.5
"""Seconds after which a coordinator is killed at the latest."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a run that nothing happened to."""
    path = tmp_path_factory.mktemp("undisturbed") / "archive.db"
    process = start(path)
    searching(process)
    finish(process)
    assert count(path) == coordinator.CONFIG.candidates
    return path


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def killed_again_and_again(path: Path, dice: random.Random, most: int) -> int:
    """Kill coordinators of one run at random moments until it completes or `most` are dead; the number of kills."""
    forks, before = multiprocessing.get_context("forkserver"), 0
    forks.set_forkserver_preload(["coordinator"])  # so that a life costs no imports; this process may have threads
    for kills in range(most + 1):
        process = forks.Process(target=coordinator.life, args=(path,))
        process.start()
        process.join(dice.uniform(0.0, LONGEST) if kills < most else None)
        if process.exitcode is not None:
            assert process.exitcode == 0
            return kills
        process.kill()
        process.join()
        now = count(path)
        assert now >= before, "a committed candidate is gone"
        before = now
    return most


def test_a_coordinator_killed_at_random_moments(undisturbed: Path, tmp_path: Path) -> None:
    kills = killed_again_and_again(tmp_path / "a.db", random.Random(1), 8)
    assert kills > 0
    assert rows(tmp_path / "a.db") == rows(undisturbed)


@full
def test_two_hundred_kills(undisturbed: Path, tmp_path: Path) -> None:
    dice, expected, kills, runs = random.Random(2), rows(undisturbed), 0, 0
    while kills < 200:
        path = tmp_path / f"{runs}.db"
        kills += killed_again_and_again(path, dice, min(12, 200 - kills))
        assert rows(path) == expected, f"run {runs}"
        runs += 1
        print(f"{kills} kills in {runs} runs", flush=True)


def test_a_worker_killed_in_the_middle_costs_nothing(undisturbed: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    process = start(path)
    victim, _ = searching(process)
    wait_for(path, 60, process)
    os.kill(victim, signal.SIGKILL)
    finish(process)
    assert rows(path) == rows(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_everything_and_ends_soon(undisturbed: Path, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a.db"
    process = start(path)
    searching(process)
    wait_for(path, 60, process)
    process.send_signal(number)
    finish(process, 3)
    saved = count(path)
    assert saved >= 60
    process = start(path)
    finish(process)
    assert rows(path) == rows(undisturbed)


def test_two_coordinators_resume_the_same_run(undisturbed: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first = start(path)
    searching(first)
    wait_for(path, 60, first)
    kill(first)
    rivals = [start(path), start(path)]
    said = [process.communicate(timeout=600)[1] for process in rivals]
    assert sorted(process.returncode for process in rivals) == [0, 2]
    assert "is being worked on by process" in said[[process.returncode for process in rivals].index(2)]
    assert rows(path) == rows(undisturbed)
