"""Batches: by number, by time, never out of order, never lost when the archive refuses."""

from __future__ import annotations

import pytest
from search_rig import MemoryArchive

from sldagent.archive.records import CandidateRecord
from sldagent.errors import ArchiveError
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.journal import Journal


def record(k: int) -> CandidateRecord:
    return CandidateRecord(k, 0, "op", (), "", "", "", Evaluation())


def test_writes_when_enough_records_wait() -> None:
    archive = MemoryArchive()
    journal = Journal(archive, "run", lambda: 0.0, records=3)
    for k in range(7):
        journal.add(record(k))
        journal.tick()
    assert archive.batches == [3, 3]
    journal.flush()
    journal.flush()
    assert archive.batches == [3, 3, 1]


def test_writes_when_enough_time_has_passed() -> None:
    now = [0.0]
    archive = MemoryArchive()
    journal = Journal(archive, "run", lambda: now[0], seconds=0.5)
    journal.add(record(0))
    now[0] = 0.4
    journal.tick()
    assert archive.batches == []
    now[0] = 0.6
    journal.tick()
    assert archive.batches == [1]
    journal.add(record(1))
    assert archive.batches == [1]  # the time counts from the last writing
    now[0] = 1.2
    journal.add(record(2))
    journal.tick()
    assert archive.batches == [1, 2]


def test_keeps_what_the_archive_refuses() -> None:
    archive = MemoryArchive(full_after=0)
    journal = Journal(archive, "run", lambda: 0.0)
    journal.add(record(0))
    with pytest.raises(ArchiveError):
        journal.flush()
    archive._full_after = None
    journal.flush()
    assert [r.k for r in archive.records] == [0]
