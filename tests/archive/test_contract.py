"""The archive's contract, run on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sldagent.archive.records import CandidateRecord, Note
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

Make = Callable[..., CandidateRecord]
Start = Callable[..., str]
Equal = Callable[[CandidateRecord, CandidateRecord], None]


def finish(archive: Archive, run: str, **changed: object) -> None:
    given = {"status": "complete", "choice": None, "shortlist": (), "reason": "", "candidates": 0, "failures": 0,
             "seconds": 1.0}  # fmt: skip
    archive.finish_run(run, **{**given, **changed})  # type: ignore[arg-type]


def test_candidates_come_back_in_order_and_equal(
    archive: Archive, start: Start, record: Make, failed: Make, equal: Equal
) -> None:
    run = start(archive)
    made = [
        record(0),
        failed(1, parents=(0,)),
        record(2, parents=(1, 0, 1), island=1, valid=False, invalid_reason="below 0"),
    ]
    archive.commit(run, made[:2])
    archive.commit(run, made[2:])
    read = list(archive.candidates(run))
    assert [r.k for r in read] == [0, 1, 2]
    for a, b in zip(made, read, strict=True):
        equal(a, b)


def test_more_candidates_than_one_chunk(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(k, parents=(k - 1,) if k else ()) for k in range(1203)])
    read = list(archive.candidates(run))
    assert [r.k for r in read] == list(range(1203))
    assert all(r.parents == ((r.k - 1,) if r.k else ()) for r in read)
    assert all(len(r.evaluation.cuts) == 2 for r in read)


def test_an_empty_commit_is_nothing(archive: Archive, start: Start) -> None:
    run = start(archive)
    archive.commit(run, [])
    assert list(archive.candidates(run)) == []
    assert archive.front(run) == []


def test_a_commit_is_all_or_nothing(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0), record(1)])
    with pytest.raises(ArchiveError, match="refused to commit candidates"):
        archive.commit(run, [record(2), record(3), record(1)])
    assert [r.k for r in archive.candidates(run)] == [0, 1]
    archive.commit(run, [record(2)])
    assert [r.k for r in archive.candidates(run)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"island": 2}, "candidate 1 of run .* names island 2; the run has 2"), ({"parents": (1,)}, "not all before it")],
)
def test_refused_candidates(archive: Archive, start: Start, record: Make, changed: dict[str, object], message: str) -> None:
    run = start(archive)
    with pytest.raises(ArchiveError, match=message):
        archive.commit(run, [record(0), record(1, **changed)])
    assert list(archive.candidates(run)) == []


def test_only_the_starter_writes(url: str, archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    with Archive.open(url) as other:
        with pytest.raises(ArchiveError, match="only the process that works on a run"):
            other.commit(run, [record(0)])
        with pytest.raises(ArchiveError, match="already has a run"):
            start(other, run)
    finish(archive, run)
    with pytest.raises(ArchiveError, match="not being written"):
        archive.commit(run, [record(0)])


def test_a_run_while_it_runs_and_after(archive: Archive, start: Start, record: Make, failed: Make) -> None:
    run = start(archive, seed=2**62)
    archive.commit(run, [record(0), failed(1), record(2)])
    now = archive.run(run)
    assert (now.status, now.candidates, now.failures, now.finished, now.choice) == ("running", 3, 1, None, None)
    assert (now.task, now.seed, now.mode) == ("toy", 2**62, "blind")
    assert now.config == {"islands": 2, "limit": np.inf}
    finish(archive, run, choice=2, shortlist=[2, 0], reason="lowest MDL", candidates=3, failures=1, seconds=2.5,
           extra={"drift": -np.inf, "best": np.float64(1.5), "at": (1, 2)})  # fmt: skip
    after = archive.run(run)
    assert (after.status, after.choice, after.shortlist, after.reason) == ("complete", 2, (2, 0), "lowest MDL")
    assert (after.candidates, after.failures, after.seconds) == (3, 1, 2.5)
    assert after.extra == {"drift": -np.inf, "best": 1.5, "at": [1, 2]}
    assert after.finished is not None
    assert after.finished.tzinfo is not None
    assert after.started <= after.finished


def test_a_choice_must_be_a_candidate(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0)])
    with pytest.raises(ArchiveError, match="cannot recommend candidate 5"):
        finish(archive, run, choice=0, shortlist=[0, 5])
    assert archive.run(run).status == "running"


def test_runs_newest_first_with_the_clock_given(url: str, start: Start) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n, microseconds=n) for n in (3, 1, 2)]
    ticking = iter(moments)
    with Archive.open(url, clock=lambda: next(ticking)) as archive:
        for name in ("c", "a", "b"):
            start(archive, f"toy-{name}")
        runs = archive.runs()
    assert [r.run for r in runs] == ["toy-c", "toy-b", "toy-a"]
    assert [r.started for r in runs] == sorted(moments, reverse=True)


def test_run_by_its_beginning(archive: Archive, start: Start) -> None:
    with pytest.raises(ArchiveError, match="no runs yet"):
        archive.run("moe")
    for name in ("moe-3f9a2c", "moe-3fffff", "sft-123456"):
        start(archive, name)
    assert archive.run("sft").run == "sft-123456"
    assert archive.run("moe-3f9").run == "moe-3f9a2c"
    with pytest.raises(ArchiveError, match="begins the ids of 2 runs"):
        archive.run("moe-3f")
    with pytest.raises(ArchiveError, match="did you mean moe-3f9a2c"):
        archive.run("moe-3f9a2d")
    with pytest.raises(ArchiveError, match="no run ''"):
        archive.run("")


def test_law_by_its_id(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive, "moe-123456")
    archive.commit(run, [record(k) for k in range(12)])
    assert archive.law("moe-123456-11")[1].k == 11
    assert archive.law("moe-12-3")[1].k == 3
    with pytest.raises(ArchiveError, match="numbered up to moe-123456-11"):
        archive.law("moe-123456-12")
    with pytest.raises(ArchiveError, match="recommends no law: it is not finished"):
        archive.law("moe")
    with pytest.raises(ArchiveError, match="no run 'sft-3'"):
        archive.law("sft-3")
    finish(archive, run, choice=4)
    found, law = archive.law("moe-12")
    assert (found.run, law.k) == (run, 4)
    empty = start(archive, "sft-1")
    finish(archive, empty, status="stopped")
    with pytest.raises(ArchiveError, match="ended without one"):
        archive.law(empty)
    with pytest.raises(ArchiveError, match="has no laws yet"):
        archive.law("sft-1-0")


def test_new_run_ids_never_collide(archive: Archive, start: Start) -> None:
    start(archive, "moe-law-aaaaaa")
    tokens = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    assert archive.new_run_id("MoE  law!", lambda: next(tokens)) == "moe-law-bbbbbb"
    assert archive.new_run_id("---").startswith("run-")
    with pytest.raises(ArchiveError, match="no free run id"):
        archive.new_run_id("moe law", lambda: "aaaaaa")


def test_light_rows(archive: Archive, start: Start, record: Make, failed: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0, complexity=9.0), failed(1, "time")])
    good, bad = archive.candidate_rows(run)
    assert (good.law, good.complexity, good.failure, good.valid) == (f"{run}-0", 9.0, "", True)
    assert (bad.failure, bad.x, bad.mdl, bad.train_r2) == ("time", np.inf, np.inf, -np.inf)


def test_events_are_appended(archive: Archive, start: Start) -> None:
    run, other = start(archive, "a"), start(archive, "b")
    archive.commit(run, [], [Note("start", "begun", {"workers": 2})])
    archive.commit(other, [], [Note("start", "begun")])
    archive.commit(run, [], [Note("reset", "island 1 was reset")])
    _, rows = archive.query("SELECT n, kind, message FROM event WHERE run = :run ORDER BY n", {"run": run})
    assert rows == [(0, "start", "begun"), (1, "reset", "island 1 was reset")]


def test_scorings_are_logged(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0)])
    finish(archive, run, choice=0)
    metrics = {"r2": 0.5, "nmse": 0.5, "nmae": np.nan, "per_target": {"loss": {"r2": 0.5, "nmse": 0.5, "nmae": 0.25}}}
    archive.log_scoring(run, "test", "table.csv", 40, metrics)
    archive.log_scoring("elsewhere-9", "test", "table.csv", 40, {"r2": -np.inf})
    first, second = archive.scorings()
    assert (first.law, first.split, first.source, first.rows, first.r2) == (f"{run}-0", "test", "table.csv", 40, 0.5)
    assert first.per_target == {"loss": {"r2": 0.5, "nmse": 0.5, "nmae": 0.25}}
    assert np.isnan(first.nmae)
    assert second.law == "elsewhere-9"
    assert np.isnan(second.r2)
    _, rows = archive.query("SELECT run, k FROM scoring ORDER BY id")
    assert rows == [(run, 0), (None, None)]


def test_islands_are_rows(archive: Archive, start: Start) -> None:
    run = start(archive)
    _, rows = archive.query("SELECT island, temperature, bias FROM island WHERE run = :run ORDER BY island", {"run": run})
    assert rows == [(0, 0.1, ""), (1, 0.9, "floor")]


def test_a_reader_sees_what_is_committed_meanwhile(url: str, archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0)])
    with Archive.open(url, read_only=True) as reader:
        assert [r.k for r in reader.candidates(run)] == [0]
        archive.commit(run, [record(1)])
        assert [r.k for r in reader.candidates(run)] == [0, 1]
        assert [r.run for r in reader.runs()] == [run]


def test_read_only_never_writes(url: str, archive: Archive, start: Start, record: Make) -> None:
    run = start(archive)
    archive.commit(run, [record(0)])
    with Archive.open(url, read_only=True) as reader:
        with pytest.raises(ArchiveError, match="reading only"):
            start(reader, "other")
        with pytest.raises(ArchiveError, match="reading only"):
            reader.log_scoring(f"{run}-0", "test", "t.csv", 1, {})
        with pytest.raises(ArchiveError, match="reading only"):
            reader.materialise_parameters(run, [0])


def test_what_cannot_be_stored_is_said(archive: Archive, start: Start, record: Make) -> None:
    with pytest.raises(ArchiveError, match=r"config\.search\.f holds a function"):
        start(archive, "a", config={"search": {"f": lambda: 0}})
    with pytest.raises(ArchiveError, match=r"seed .* too large"):
        start(archive, "a", seed=2**70)
    with pytest.raises(ArchiveError, match="cannot be a run's id"):
        start(archive, " ")
    run = start(archive, "a")
    with pytest.raises(ArchiveError, match=r"cannot be stored|too large|failed to commit"):
        archive.commit(run, [record(0, evaluations=2**80)])
    assert list(archive.candidates(run)) == []


def test_texts_survive(archive: Archive, start: Start, record: Make) -> None:
    run = start(archive, card={"targets": ["verlust — ε"], "odd": "'; DROP TABLE run; --"})
    text = "α·N^-β  \"quoted\" 'single' \\ %s :name {x}\n\t漢字"
    archive.commit(run, [record(0, source=text, operator=text)])
    read = next(archive.candidates(run))
    assert (read.source, read.operator) == (text, text)
    assert archive.run(run).card["odd"] == "'; DROP TABLE run; --"


def test_opening_twice_changes_nothing(url: str, archive: Archive, start: Start, record: Make, equal: Equal) -> None:
    run = start(archive)
    made = record(0)
    archive.commit(run, [made])
    archive.close()
    with Archive.open(url, create=False) as again:
        equal(made, next(again.candidates(run)))
