"""Checkpoints lie beside the candidates that they tell of, in the same transaction; ancestries come in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sldagent.archive.records import CandidateRecord, Checkpoint
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

Make = Callable[..., CandidateRecord]
Start = Callable[..., str]


def made(committed: int, settled: int = 0) -> Checkpoint:
    state = f'{{"committed": {committed}, "note": "\\u0000é"}}'
    return Checkpoint(committed, "1.0/1", state, bytes(range(committed)), settled)


def test_they_come_back(archive: Archive, start: Start, record: Make) -> None:
    run, other = start(archive), start(archive, "toy-000002")
    archive.commit(run, [record(k) for k in range(3)], checkpoints=[made(2)])
    archive.commit(run, [record(k) for k in range(3, 6)], checkpoints=[made(4), made(6)])
    archive.commit(other, [record(k) for k in range(2)], checkpoints=[made(1)])
    assert [archive.checkpoint(run, most) for most in (1, 2, 3, 5, 100)] == [
        None, made(2), made(2), made(4), made(6)
    ]  # fmt: skip
    assert list(archive.traces(run, 4)) == [made(2).trace, made(4).trace]
    assert archive.check(contents=False) == []


def test_a_state_that_is_of_no_use_any_more_goes_and_its_trace_stays(archive: Archive, start: Start) -> None:
    run = start(archive)
    for committed in (2, 4, 6, 8):
        archive.commit(run, [], checkpoints=[made(committed, settled=committed - 3)])
    assert archive.checkpoint(run, 3) is None
    assert archive.checkpoint(run, 5) == replace(made(4), settled=0)
    assert [len(trace) for trace in archive.traces(run, 8)] == [2, 4, 6, 8]


def test_one_replaces_that_at_the_same_place(archive: Archive, start: Start) -> None:
    run = start(archive)
    archive.commit(run, [], checkpoints=[made(2)])
    again = replace(made(2), version="2.0/1")
    archive.commit(run, [], checkpoints=[again])
    assert archive.checkpoint(run, 2) == again


def test_a_commit_that_fails_leaves_none(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    with pytest.raises(ArchiveError, match="names island 9"):
        archive.commit(run, [record(0), record(1, island=9)], checkpoints=[made(2)])
    assert archive.checkpoint(run, 2) is None


def test_they_are_dropped_on_request_and_with_the_end(archive: Archive, start: Start, record: Make) -> None:
    run, stopped = start(archive), start(archive, "toy-000002")
    for name in (run, stopped):
        archive.commit(name, [record(0)], checkpoints=[made(2), made(4)])
    archive.drop_checkpoints(run, 2)
    assert archive.checkpoint(run, 100) == made(2)
    for name, status in ((run, "complete"), (stopped, "stopped")):
        archive.finish_run(
            name, status=status, choice=None, shortlist=(), reason="", candidates=1, failures=0, seconds=1.0
        )  # type: ignore[arg-type]
    assert archive.checkpoint(run, 100) is None
    assert archive.checkpoint(stopped, 100) == made(4)


def test_only_the_runs_writer_may_drop_them(url: str, archive: Archive, start: Start) -> None:
    run = start(archive)
    with Archive.open(url) as other, pytest.raises(ArchiveError, match="only the process that works on a run"):
        other.drop_checkpoints(run)


def test_candidates_after_some(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(k) for k in range(5)])
    assert [r.k for r in archive.candidates(run, 2)] == [3, 4]


def test_an_ancestry_has_each_law_where_it_is_nearest(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    parents = {0: (), 1: (), 2: (0,), 3: (1, 2), 4: (3, 0), 5: (4, 2)}
    archive.commit(run, [record(k, parents=p) for k, p in parents.items()])

    def found(k: int, depth: int) -> list[list[int]]:
        return [[r.k for r in generation] for generation in archive.ancestry(run, k, depth)]

    assert found(5, 6) == [[5], [4, 2], [3, 0], [1]]
    assert found(5, 1) == [[5], [4, 2]]
    assert found(0, 6) == [[0]]
    with pytest.raises(ArchiveError, match="has no law"):
        found(9, 6)
