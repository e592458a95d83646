"""Starting and killing coordinators, and what an archive must hold afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

HERE = Path(__file__).parent
full = pytest.mark.skipif("SLDAGENT_FAULTS" not in os.environ, reason="takes minutes; 'make faults' runs it")
"""Marks what only the whole fault suite runs."""

SHARED = (
    "candidate", "parentage", "evaluation", "cut_score", "group_fit", "failure", "parameter", "shortlist", "island", "event",
)  # fmt: skip
"""Tables whose rows equal runs share, but for the columns in `APART`."""
APART = {"run", "law", "created", "committed", "seconds"}
OF_RUN = "SELECT status, candidates, failures, choice, reason, mode, seed, card, extra FROM run"


def rows(path: Path) -> dict[str, list[Any]]:
    """Every row that equal runs share, of an archive with one run."""
    with Archive.open(str(path), read_only=True) as archive:
        found: dict[str, list[Any]] = {"run": archive.query(OF_RUN)[1]}
        for name in SHARED:
            columns, values = archive.query(f"SELECT * FROM {name}")
            kept = [i for i, column in enumerate(columns) if column not in APART]
            found[name] = sorted(([row[i] for i in kept] for row in values), key=repr)
    return found


def count(path: Path) -> int:
    """Committed candidates; they must be the first ones, without a gap."""
    if not path.exists():
        return 0
    try:
        archive = Archive.open(str(path), read_only=True)
    except ArchiveError:  # killed before the archive had its tables
        return 0
    with archive:
        numbers = [row[0] for row in archive.query("SELECT k FROM candidate ORDER BY k")[1]]
    assert numbers == list(range(len(numbers)))
    return len(numbers)


def start(path: Path, *more: object) -> subprocess.Popen[str]:
    """A coordinator on the archive at `path`."""
    folders = [str(HERE), str(HERE.parent / "workers"), str(HERE.parent / "evolution"), *sys.path]
    command = [sys.executable, str(HERE / "coordinator.py"), str(path), *map(str, more)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def searching(process: subprocess.Popen[str]) -> list[int]:
    """Wait until the coordinator searches; its workers' process ids.  Empty where it ended before."""
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()[1:]]


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end and check its exit code; what it said."""
    _, said = process.communicate(timeout=600)
    assert process.returncode == code, said
    return said


def wait_for(path: Path, candidates: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many candidates are committed, or the process has ended."""
    while process.poll() is None and count(path) < candidates:
        time.sleep(0.02)
