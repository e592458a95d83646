"""A run that ends anywhere and goes on is the run that never ended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from pool_fakes import make_delayed, make_fake
from search_rig import ScriptedProposer, Watcher, beginning, config, table
from sqlalchemy import text

from sldagent.archive.engine import make_engine, parse_address, writing
from sldagent.archive.records import CandidateRecord, Origin
from sldagent.archive.sessions import RunTaken
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
from sldagent.evolution.config import RunConfig
from sldagent.evolution.lease import Lease
from sldagent.evolution.loop import discover, resume
from sldagent.evolution.past import Past
from sldagent.evolution.plan import Planner
from sldagent.evolution.state import SearchState
from sldagent.evolution.summary import RunSummary
from sldagent.workers.base import WorkerPool
from sldagent.workers.local import LocalPool
from sldagent.workers.serial import SerialPool

SAME = (
    "candidate", "parentage", "evaluation", "cut_score", "group_fit", "failure", "parameter", "shortlist", "island", "event",
)  # fmt: skip
"""Tables that equal runs share, but for the columns in `APART`."""
APART = {"created", "committed", "seconds"}


class Died(BaseException):
    """Stands for the end of a process: nothing of the run's own tidying up is let through."""


def rows(archive: Archive) -> dict[str, list[Any]]:
    """Every row that equal runs share."""
    found = {}
    for name in SAME:
        columns, values = archive.query(f"SELECT * FROM {name}")
        kept = [i for i, column in enumerate(columns) if column not in APART]
        found[name] = sorted(([row[i] for i in kept] for row in values), key=repr)
    columns, values = archive.query("SELECT status, candidates, failures, choice, reason, config, card, extra FROM run")
    return {**found, "run": values}


def whole(path: Path, cfg: RunConfig) -> dict[str, list[Any]]:
    with Archive.open(str(path)) as archive, SerialPool(make_fake) as pool:
        discover(beginning(run="r"), cfg, archive, ScriptedProposer(), pool)
        return rows(archive)


def die_at(path: Path, cfg: RunConfig, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin, and end without a word right after the commit of candidate `k`; a few candidates may be unwritten."""

    def die(state: SearchState, record: CandidateRecord) -> None:
        if record.k == k:
            monkeypatch.setattr(archive, "commit", refuse)
            monkeypatch.setattr(archive, "finish_run", refuse)
            raise Died

    def refuse(*_: object, **__: object) -> None:
        raise ArchiveError("dead processes do not write")

    with Archive.open(str(path)) as archive, SerialPool(make_fake) as pool, pytest.raises(Died):
        discover(beginning(run="r"), cfg, archive, ScriptedProposer(), pool, Watcher(die))


def go_on(
    path: Path, cfg: RunConfig, pool: WorkerPool | None = None, watcher: Watcher | None = None, **more: Any
) -> RunSummary:
    with Archive.open(str(path)) as archive, pool or SerialPool(make_fake) as open_pool:
        seen = archive.sessions().of_run("r")[-1]  # this process lives, unlike the one it stands for
        past = Past("r", archive.resume_run("r", seen))
        return resume(past, cfg, archive, Planner(ScriptedProposer()), open_pool, watcher, **more)


@pytest.mark.parametrize("k", [0, 3, 7, 8, 19, 44, 63, 64, 100, 118, 119])
def test_a_run_that_died_anywhere_ends_the_same(k: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints every 500 candidates: it reads all of them back."""
    expected = whole(tmp_path / "whole.db", config())
    die_at(tmp_path / "a.db", config(), k, monkeypatch)
    with Archive.open(str(tmp_path / "a.db")) as archive:
        assert archive.run("r").status == "running"
        saved = archive.run("r").candidates
    watcher = Watcher()
    summary = go_on(tmp_path / "a.db", config(), watcher=watcher)
    assert watcher.commits == list(range(saved, 120))  # nothing lost, nothing repeated
    assert summary.status == "complete"
    with Archive.open(str(tmp_path / "a.db")) as archive:
        assert rows(archive) == expected
        assert [s.outcome for s in archive.sessions().of_run("r")] == ["lost", "complete"]


def test_a_run_that_dies_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = whole(tmp_path / "whole.db", config())
    path = tmp_path / "a.db"
    die_at(path, config(), 10, monkeypatch)
    for k in (12, 13, 40, 90):
        stop = threading.Event()

        def decide(state: SearchState, record: CandidateRecord, at: int = k, stop: threading.Event = stop) -> None:
            if record.k == at:
                stop.set()

        summary = go_on(path, config(), watcher=Watcher(decide), stop=stop)
        assert (summary.status, summary.candidates) == ("stopped", k + 1)
    go_on(path, config(), LocalPool(make_delayed, 2, 30.0))
    with Archive.open(str(path)) as archive:
        assert rows(archive) == expected
        outcomes = [s.outcome for s in archive.sessions().of_run("r")]
        assert outcomes == ["lost", "stopped", "stopped", "stopped", "stopped", "complete"]


def test_stagnation_ends_a_resumed_run_at_the_same_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config(candidates=None, stagnation=30)
    expected = whole(tmp_path / "whole.db", cfg)
    last = len(expected["candidate"]) - 1
    for n, k in enumerate((30, last - 1, last)):
        die_at(tmp_path / f"{n}.db", cfg, k, monkeypatch)
        monkeypatch.undo()
        go_on(tmp_path / f"{n}.db", cfg)
        with Archive.open(str(tmp_path / f"{n}.db")) as archive:
            assert rows(archive) == expected


def test_time_counts_over_all_sessions(tmp_path: Path) -> None:
    now = [0.0]
    stop = threading.Event()

    def tick(state: SearchState, record: CandidateRecord) -> None:
        now[0] += 1.0
        if record.k == 20:
            stop.set()

    cfg, path = config(candidates=None, minutes=1.0, drain=0.0), tmp_path / "a.db"
    with Archive.open(str(path)) as archive, SerialPool(make_fake) as pool:
        discover(beginning(run="r"), cfg, archive, ScriptedProposer(), pool, Watcher(tick), stop=stop, clock=lambda: now[0])
        assert archive.run("r").seconds == pytest.approx(21.0)
    watcher = Watcher(tick)
    summary = go_on(path, cfg, watcher=watcher, clock=lambda: now[0])
    assert (summary.status, summary.stopped_by) == ("complete", "time")
    assert summary.seconds == pytest.approx(60.0)
    assert now[0] == pytest.approx(60.0)
    assert next(e.elapsed for e in watcher.events if e.kind == "resume") == pytest.approx(21.0)


def test_an_interruption_while_the_past_is_read_back_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    die_at(path, config(), 70, monkeypatch)
    stop = threading.Event()
    stop.set()
    summary = go_on(path, config(), stop=stop)
    assert (summary.status, summary.candidates, summary.choice) == ("stopped", 64, None)
    with Archive.open(str(path)) as archive:
        assert (archive.run("r").status, archive.run("r").candidates) == ("stopped", 64)
        assert archive.run("r").failures == sum(summary.failures.values())
    go_on(path, config())
    with Archive.open(str(path)) as archive:
        assert rows(archive) == whole(tmp_path / "whole.db", config())


def test_two_that_resume_the_same_run_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    die_at(path, config(), 30, monkeypatch)
    with Archive.open(str(path)) as one, Archive.open(str(path)) as other:
        seen = [archive.sessions().of_run("r")[-1] for archive in (one, other)]
        one.resume_run("r", seen[0])
        with pytest.raises(RunTaken, match="is being worked on by process"):
            other.resume_run("r", seen[1])
        with pytest.raises(ArchiveError, match="only the process that works on"):
            other.commit("r", [])
        one.commit("r", [])


def test_the_one_taken_for_dead_may_not_write_any_more(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    with Archive.open(path) as sleeper, Archive.open(path) as other:
        stop = threading.Event()

        def overtake(state: SearchState, record: CandidateRecord) -> None:
            if record.k == 20:
                other.resume_run("r", other.sessions().of_run("r")[-1])

        with SerialPool(make_fake) as pool, pytest.raises(RunTaken, match="was taken over by process"):
            discover(beginning(run="r"), config(), sleeper, ScriptedProposer(), pool, Watcher(overtake), stop=stop)
        assert other.run("r").status == "running"
        other.commit("r", [])


def test_a_missing_candidate_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    die_at(path, config(), 70, monkeypatch)
    engine = make_engine(parse_address(str(path)), read_only=False)
    with writing(engine) as connection:
        for name in ("candidate", "evaluation", "group_fit", "cut_score", "failure", "parentage"):
            connection.execute(text(f"DROP TRIGGER {name}_no_delete"))
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        for name in ("parentage", "cut_score", "group_fit", "failure", "evaluation", "candidate"):
            connection.execute(text(f"DELETE FROM {name} WHERE k = 63"))
    engine.dispose()
    with Archive.open(str(path)) as archive, SerialPool(make_fake) as pool:
        resumed = archive.resume_run("r", archive.sessions().of_run("r")[-1])
        some = [r for r in archive.candidates("r") if r.k != 5]
        archive.candidates = lambda *_: iter(some)  # type: ignore[method-assign]
        with pytest.raises(ArchiveError, match="candidate 5 is missing"):
            resume(Past("r", resumed), config(), archive, Planner(ScriptedProposer()), pool)


def test_a_lease_passes_on_the_wish_to_stop_and_notices_a_takeover(tmp_path: Path) -> None:
    with Archive.open(str(tmp_path / "a.db")) as archive:
        archive.start_run(
            run="r", task="t", seed=0, config={}, card={}, mode="blind", islands=[{}], origin=Origin("", "digest")
        )
        stop, taken = threading.Event(), threading.Event()
        with Lease(archive.sessions(), "r", 0, stop, lambda: 1.5, every=0.01):
            archive.sessions().ask_to_stop("r")
            assert stop.wait(30.0)
        (session,) = archive.sessions().of_run("r")
        assert session.beats > 0
        assert session.seconds == 1.5
        archive.resume_run("r", session)
        with Lease(archive.sessions(), "r", 0, taken, lambda: 1.5, every=0.01):
            assert taken.wait(30.0)


def test_records_read_back_breed_as_before(tmp_path: Path) -> None:
    """The table of candidates of a resumed run, compared by value and not by row."""
    stop = threading.Event()

    def decide(state: SearchState, record: CandidateRecord) -> None:
        if record.k == 60:
            stop.set()

    paths = [tmp_path / "whole.db", tmp_path / "a.db"]
    whole(paths[0], config())
    with Archive.open(str(paths[1])) as archive, SerialPool(make_fake) as pool:
        discover(beginning(run="r"), config(), archive, ScriptedProposer(), pool, Watcher(decide), stop=stop)
    go_on(paths[1], config())
    tables = []
    for path in paths:
        with Archive.open(str(path)) as archive:
            tables.append(table(list(archive.candidates("r"))))
    assert tables[0] == tables[1]
