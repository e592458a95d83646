"""Looks at runs: what they say equals what the views and named queries say, whatever was seen before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sldagent.archive.query import Limits, named_queries
from sldagent.archive.records import AskedRecord, CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

Make = Callable[..., CandidateRecord]
Start = Callable[..., str]

COUNT = 90


@pytest.fixture
def records(record: Make, failed: Make) -> list[CandidateRecord]:
    """Candidates of several operators, islands and fates."""
    rng = np.random.default_rng(4)
    found = []
    for k in range(COUNT):
        parents = tuple(int(p) for p in rng.choice(k, size=min(k, int(rng.integers(0, 3))), replace=False)) if k else ()
        outer = {"parents": parents, "island": k % 2, "operator": f"op{int(rng.integers(3))}"}
        if rng.random() < 0.2:
            found.append(failed(k, ("time", "parse")[k % 2], **outer))
        else:
            valid = bool(rng.random() < 0.8)
            size = float(rng.integers(5, 15))
            x = float(np.round(8 * rng.normal()) / 8)  # sums of eighths are exact, whatever their order
            found.append(record(k, x=x, complexity=size, valid=valid, **outer))
    return found


def test_a_look_says_what_the_queries_say(archive: Archive, start: Start, records: list[CandidateRecord]) -> None:
    run = start(archive)
    archive.commit(run, records)
    picture = archive.watcher().look(run)
    assert [p.k for p in picture.front] == [c.k for c in archive.front(run)]
    assert {p.complexity: p.k for p in picture.best} == {
        row[0]: int(row[1].rpartition("-")[2])
        for row in archive.query(named_queries()["best_by_complexity"].sql, {"run": run})[1]
    }
    columns, rows = archive.query(named_queries()["operators"].sql, {"run": run})
    assert columns == ["operator", "children", "failures", "improvements", "best_x"]
    tallies = {name: (t.children, t.failures, t.improvements, t.best) for name, t in picture.tallies.operators.items()}
    assert tallies == {row[0]: tuple(row[1:]) for row in rows}
    failures = {row[0]: row[1] for row in archive.query(named_queries()["failures"].sql, {"run": run})[1]}
    assert {reason: t.count for reason, t in picture.tallies.failures.items()} == failures
    progress = [row[0] for row in archive.query(named_queries()["progress"].sql, {"run": run})[1]]
    assert [r.k for r in picture.tallies.records()] == progress
    assert picture.tallies.total().children == COUNT
    assert sum(t.children for t in picture.tallies.islands.values()) == COUNT
    assert set(picture.laws) == {p.k for p in picture.front}


@pytest.mark.parametrize("ends", [(1, 90), (30, 31, 90), (10, 50, 90)])
def test_looking_on_the_way_changes_nothing(
    ends: tuple[int, ...], archive: Archive, start: Start, records: list[CandidateRecord]
) -> None:
    run, watcher, done = start(archive), archive.watcher(), 0
    assert watcher.look(run).front == ()
    for end in ends:
        archive.commit(run, records[done:end])
        done = end
        seen = watcher.look(run)
        assert seen.tallies == archive.watcher().look(run).tallies
    assert watcher.look(run) == archive.watcher().look(run)


def test_gains_are_counted_from_the_best_parent(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    both = {"parents": (0, 1)}
    archive.commit(run, [record(0, x=1.0), record(1, x=-1.0), record(2, x=-1.5, **both), record(3, x=0.0, **both)])
    tally = archive.watcher().look(run).tallies.operators["grow"]
    assert (tally.improvements, tally.gain, tally.best) == (1, 0.5, -1.5)


def test_models_gains_and_costs(archive: Archive, start: Start, record: Make, failed: Make) -> None:
    asked = AskedRecord(model="m", operator="extend", state=0, outcome="program", promise="p", kept=True, tokens=5, usd=0.25)
    lost = AskedRecord(model="m", operator="extend", state=0, outcome="none", tokens=None, usd=None)
    run = start(archive)
    child, none = record(1, x=-2.0, parents=(0,)), failed(2, parents=(0,))
    archive.commit(run, [record(0, x=0.0), replace(child, asked=asked), replace(none, asked=lost)])
    tally = archive.watcher().look(run).tallies.models["m", "extend"]
    assert (tally.asked, tally.programs, tally.promises, tally.kept) == (2, 1, 1, 1)
    assert (tally.improvements, tally.gain, tally.best) == (1, 2.0, -2.0)
    assert (tally.tokens, tally.usd, tally.uncounted, tally.unpriced) == (5, 0.25, 1, 1)


def test_a_stamp_changes_with_what_it_stands_for(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    watcher = archive.watcher()
    stamps = [watcher.stamp(run)]
    archive.commit(run, [record(0)])
    stamps.append(watcher.stamp(run))
    assert watcher.stamp(run) == stamps[-1]
    archive.sessions().ask_to_stop(run)
    stamps.append(watcher.stamp(run))
    archive.finish_run(run, status="stopped", choice=0, shortlist=[0], reason="", candidates=1, failures=0, seconds=1.0)
    stamps.append(watcher.stamp(run))
    assert len(set(stamps)) == len(stamps)
    with pytest.raises(ArchiveError, match="no run"):
        watcher.stamp("none")


def test_runs_newest_first(archive: Archive, start: Start, record: Make) -> None:
    for n in range(3):
        run = start(archive, f"toy-{n}")
        best = replace(record(1, x=1.0 - n), formula=f"best of {n}")
        archive.commit(run, [record(0, x=2.0, complexity=3.0), best, record(2, x=-9.0, valid=False)])
    watcher = archive.watcher()
    lines = watcher.runs(2)
    assert [line.run for line in lines] == ["toy-2", "toy-1"]
    assert [(line.best, line.formula, line.candidates) for line in lines] == [(-1.0, "best of 2", 3), (0.0, "best of 1", 3)]
    assert [line.run for line in watcher.runs(9, (lines[-1].started, lines[-1].run))] == ["toy-0"]


def test_failed_and_made_from(archive: Archive, start: Start, record: Make, failed: Make) -> None:
    run = start(archive)
    bent = record(2, valid=False, invalid_reason="bends", parents=(0,))
    archive.commit(run, [record(0), failed(1, "time"), bent, failed(3, "time")])
    watcher = archive.watcher()
    assert [(f.k, f.why) for f in watcher.failed(run, "time", 9)] == [(3, "detail of 3"), (1, "detail of 1")]
    assert [f.k for f in watcher.failed(run, "time", 1)] == [3]
    assert [(f.k, f.why) for f in watcher.failed(run, None, 9)] == [(2, "bends")]
    assert [c.k for c in watcher.children(run, 0, 9)] == [2]


def test_a_reader_keeps_no_writer_waiting(archive: Archive, url: str, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0)])
    with Archive.open(url, read_only=True, timeout=2.0) as other:
        watcher = other.watcher()
        with watcher._read() as connection:
            before = watcher._picture(connection, run)
            archive.commit(run, [record(1, x=-9.0, complexity=50.0)])
            assert watcher._picture(connection, run).front == before.front
        assert 1 in {p.k for p in watcher.look(run).front}


def test_questions_keep_their_limits(archive: Archive, start: Start) -> None:
    start(archive)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    few = Limits(seconds=30.0, rows=7)
    assert archive.query("SELECT 1 AS a UNION ALL SELECT 2", limits=few) == (["a"], [(1,), (2,)])
    assert archive.query(f"{endless} LIMIT 100000", limits=few)[1] == [(i,) for i in range(1, 8)]
    with pytest.raises(ArchiveError, match=r"took longer than 0\.1 s"):
        archive.query(f"SELECT COUNT(*) FROM ({endless}) AS x", limits=Limits(seconds=0.1, rows=7))
    for bad in ("DELETE FROM run", "SELECT 1; SELECT 2", "SELECT nothing FROM run", "CREATE TABLE extra (a INTEGER)"):
        with pytest.raises(ArchiveError):
            archive.query(bad, limits=few)
    assert archive.query("SELECT COUNT(*) FROM run", limits=few)[1] == [(1,)]
