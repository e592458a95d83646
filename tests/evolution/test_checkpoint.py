"""A run goes on from a checkpoint exactly as from all of its candidates; one that does not fit is let go of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pool_fakes import make_fake
from search_rig import MemoryArchive, ScriptedProposer, Watcher, beginning, config
from test_resume import rows

from sldagent.archive.records import CandidateRecord, Checkpoint
from sldagent.archive.store import Archive
from sldagent.evolution import checkpoint as module
from sldagent.evolution.checkpoint import CheckpointError, Checkpoints, Standing, restored
from sldagent.evolution.config import RunConfig
from sldagent.evolution.loop import discover, resume
from sldagent.evolution.past import Past
from sldagent.evolution.plan import Planner
from sldagent.evolution.state import SearchState
from sldagent.evolution.summary import RunSummary
from sldagent.workers.serial import SerialPool


@cache
def expected(folder: Path) -> dict[str, list[Any]]:
    """What the run holds that nothing happened to."""
    path = str(folder / "whole.db")
    with Archive.open(path) as archive, SerialPool(make_fake) as pool:
        discover(beginning(run="r"), config(), archive, ScriptedProposer(), pool)
        return rows(archive)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    return expected(tmp_path_factory.mktemp("undisturbed"))


class Session:
    """One session of the run at `path` that ends after the commit of candidate `last`; `read`: candidates read back."""

    def __init__(self, path: Path, every: int, last: int, cfg: RunConfig | None = None) -> None:
        self.path, self.every, self.last, self.config = path, every, last, cfg or config()
        self.read: list[int] = []

    def run(self) -> RunSummary:
        stop, more = threading.Event(), {"checkpoint_every": self.every}

        def decide(state: SearchState, record: CandidateRecord) -> None:
            if record.k == self.last:
                stop.set()

        with Archive.open(str(self.path)) as archive, SerialPool(make_fake) as pool:
            if not archive.runs():
                begun = beginning(run="r")
                return discover(begun, self.config, archive, ScriptedProposer(), pool, Watcher(decide), stop=stop, **more)
            past = Past("r", archive.resume_run("r", archive.sessions().of_run("r")[-1]))
            candidates = archive.candidates

            def watched(run: str, after: int = -1) -> Iterator[CandidateRecord]:
                for record in candidates(run, after):
                    self.read.append(record.k)
                    yield record

            archive.candidates = watched  # type: ignore[method-assign]
            planner = Planner(ScriptedProposer())
            return resume(past, self.config, archive, planner, pool, Watcher(decide), stop=stop, **more)


def checkpoints(path: Path) -> list[tuple[int, bool]]:
    """(candidates, whether there is a state) of every checkpoint in an archive."""
    with Archive.open(str(path)) as archive:
        found = archive.query("SELECT committed, state IS NOT NULL FROM checkpoint ORDER BY committed")[1]
        return [(int(row[0]), bool(row[1])) for row in found]


@pytest.mark.parametrize("last", [5, 15, 16, 23, 24, 31, 32, 39, 46, 63, 64, 71, 95, 104, 117])
def test_a_run_ends_the_same_wherever_it_goes_on_from(
    last: int, tmp_path: Path, undisturbed: dict[str, list[Any]]
) -> None:
    path, every, under_way = tmp_path / "a.db", 16, config().look_back
    Session(path, every, last).run()
    second = Session(path, every, 1000)
    second.run()
    committed = last + 1
    of_use = max(0, (committed - under_way) // every * every)
    assert second.read == list(range(of_use, committed))
    assert checkpoints(path) == []  # a complete run needs none
    with Archive.open(str(path)) as archive:
        assert rows(archive) == undisturbed


@pytest.mark.parametrize("every", [1, 3, 40])
def test_again_and_again(every: int, tmp_path: Path, undisturbed: dict[str, list[Any]]) -> None:
    path = tmp_path / "a.db"
    for last in (0, 9, 10, 13, 47, 48, 90, 1000):
        session = Session(path, every, last)
        session.run()
        assert len(session.read) <= config().look_back + every
    with Archive.open(str(path)) as archive:
        assert rows(archive) == undisturbed


def test_only_states_that_can_be_of_use_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Session(path, 4, 61).run()
    assert checkpoints(path) == [(k, k >= 52) for k in range(4, 61, 4)]


def spoil(path: Path, statement: str) -> None:
    with Archive.open(str(path)) as archive, archive._write("spoil it") as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET version = 'another release'",
        "UPDATE checkpoint SET state = '{'",
        "UPDATE checkpoint SET state = '{\"committed\": 1}'",
        "UPDATE checkpoint SET state = NULL",
        "UPDATE checkpoint SET trace = substr(trace, 1, 40)",
        "DELETE FROM checkpoint WHERE committed = 16",
        "UPDATE checkpoint SET trace = (SELECT trace FROM checkpoint WHERE committed = 32) WHERE committed = 16",
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_let_go_of(
    statement: str, tmp_path: Path, undisturbed: dict[str, list[Any]]
) -> None:
    path = tmp_path / "a.db"
    Session(path, 16, 60).run()
    spoil(path, statement)
    second = Session(path, 16, 90)
    second.run()
    assert second.read == list(range(61))
    assert [k for k, _ in checkpoints(path)] == [16, 32, 48, 64, 80]  # made anew on the way
    third = Session(path, 16, 1000)
    third.run()
    assert third.read == list(range(80, 91))
    with Archive.open(str(path)) as archive:
        assert rows(archive) == undisturbed


def test_another_interval_goes_on_too(tmp_path: Path, undisturbed: dict[str, list[Any]]) -> None:
    path = tmp_path / "a.db"
    Session(path, 16, 60).run()
    Session(path, 7, 80).run()
    third = Session(path, 500, 1000)
    third.run()
    assert third.read == list(range(48 + 3 * 7, 81))
    with Archive.open(str(path)) as archive:
        assert rows(archive) == undisturbed


def recorded(every: int) -> tuple[list[Checkpoint], list[CandidateRecord]]:
    archive = MemoryArchive()
    with SerialPool(make_fake) as pool:
        discover(beginning(run="r"), config(), archive, ScriptedProposer(), pool, checkpoint_every=every)
    return archive.checkpoints, archive.records


def test_what_is_restored_is_what_was_described() -> None:
    found, records = recorded(16)

    def read(ks: Sequence[int]) -> list[CandidateRecord]:
        return [records[k] for k in ks]

    for n, checkpoint in enumerate(found, 1):
        planner = Planner(ScriptedProposer())
        standing = restored(checkpoint, [c.trace for c in found[:n]], config(), planner, read)
        assert json.loads(checkpoint.state) == json.loads(json.dumps(module._described(standing)))
        folded, known = Standing.new(config()), Planner(ScriptedProposer())
        for record in records[: checkpoint.committed]:
            folded.state.apply(record, known.recall(record).program)
        assert standing.state.front_members == folded.state.front_members
        for record in records:
            planned, fingerprint = known.recall(record), record.evaluation.fingerprint
            assert (record.k in standing.state.figures) == (record.k in folded.state.figures)
            assert standing.state.fingerprints.get(fingerprint) == folded.state.fingerprints.get(fingerprint)
            if record.k < checkpoint.committed:
                assert planned.structure in planner._first
                assert planner._first.get(planned.key) == known._first.get(planned.key)


def test_members_that_are_others_are_noticed() -> None:
    found, records = recorded(16)
    wrong = [replace(r, evaluation=replace(r.evaluation, x=r.evaluation.x + 1.0)) for r in records]
    with pytest.raises(CheckpointError, match="is another one"):
        restored(found[0], [found[0].trace], config(), Planner(ScriptedProposer()), lambda ks: [wrong[k] for k in ks])


def test_a_trace_is_a_few_dozen_bytes() -> None:
    assert module.TRACE.itemsize <= 56
    assert Checkpoints(config(), 10)._traces.nbytes <= 560
