"""Whole runs: the same candidates whatever the workers, order of commits, look-back, ends, failures."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pool_fakes import make_delayed, make_fake, program
from search_rig import MemoryArchive, ScriptedProposer, Watcher, beginning, config, table

from sldagent.archive.records import CandidateRecord
from sldagent.errors import ArchiveError
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.config import RunConfig
from sldagent.evolution.front import Point, dominates
from sldagent.evolution.loop import discover
from sldagent.evolution.state import SearchState
from sldagent.evolution.summary import RunSummary
from sldagent.laws.program import Program, Recipe
from sldagent.proposers.base import Context, Proposal
from sldagent.workers.base import WorkerPool
from sldagent.workers.local import LocalPool
from sldagent.workers.serial import SerialPool


class ShuffledPool:
    """Hands results out in a random order, several calls late."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._queue: list[tuple[int, Program]] = []
        self.most = 0

    def submit(self, k: int, program: Program) -> None:
        self._queue.append((k, program))
        self.most = max(self.most, len(self._queue))

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        if not self._queue or self._rng.random() < 0.5:
            return []
        k, program = self._queue.pop(int(self._rng.integers(len(self._queue))))
        return [(k, make_fake().evaluate(program))]

    def pending(self) -> int:
        return len(self._queue)

    def close(self) -> None:
        self._queue.clear()

    def __enter__(self) -> ShuffledPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(
    cfg: RunConfig, pool: WorkerPool | None = None, *, archive: MemoryArchive | None = None,
    proposer: ScriptedProposer | None = None, watcher: Watcher | None = None, **more: Any,
) -> tuple[RunSummary, MemoryArchive, ScriptedProposer, Watcher]:
    archive, proposer = archive or MemoryArchive(), proposer or ScriptedProposer()
    watcher = watcher or Watcher()
    with pool or SerialPool(make_fake) as open_pool:
        summary = discover(beginning(), cfg, archive, proposer, open_pool, watcher, **more)
    return summary, archive, proposer, watcher


POOLS: dict[str, Callable[[], WorkerPool]] = {
    "one worker": lambda: LocalPool(make_delayed, 1, 30.0),
    "two workers": lambda: LocalPool(make_delayed, 2, 30.0),
    "shuffled": lambda: ShuffledPool(1),
    "shuffled otherwise": lambda: ShuffledPool(2),
}


@pytest.mark.parametrize("name", POOLS)
def test_same_candidates_whatever_evaluates_them(name: str) -> None:
    expected_summary, expected, _, _ = run(config())
    summary, archive, _, watcher = run(config(), POOLS[name]())
    assert len(archive.records) == 120
    assert table(archive.records) == table(expected.records)
    assert watcher.commits == list(range(120))
    assert (summary.choice, summary.front, dict(summary.failures)) == (
        expected_summary.choice, expected_summary.front, dict(expected_summary.failures)
    )


def test_the_seed_decides() -> None:
    first = table(run(config())[1].records)
    assert table(run(config())[1].records) == first
    assert table(run(config(seed=4))[1].records) != first


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    short, long = run(config(candidates=60))[1], run(config(candidates=90))[1]
    assert table(long.records)[:60] == table(short.records)


def test_the_number_of_workers_in_the_configuration_changes_nothing() -> None:
    assert table(run(config(workers=1))[1].records) == table(run(config(workers=64))[1].records)


@pytest.mark.parametrize("look_back", [1, 5, 16])
def test_candidate_k_is_proposed_from_the_state_after_k_minus_look_back(look_back: int) -> None:
    states: dict[int, dict[str, tuple[int, int]]] = {-1: {}}

    def remember(state: SearchState, record: CandidateRecord) -> None:
        states[record.k] = dict(state.credit)

    pool = ShuffledPool(5)
    _, _, proposer, _ = run(config(look_back=look_back), pool, watcher=Watcher(remember))
    assert set(proposer.contexts) == set(range(6, 120))
    for k, context in proposer.contexts.items():
        after = max(k - look_back, -1)
        assert context["credit"] == states[after]
        assert all(parent <= after for parent, _ in context["parents"])
        assert context["island"] == k % 3
    assert pool.most <= look_back


def test_parents_are_the_committed_candidates_figures() -> None:
    _, archive, proposer, _ = run(config())
    told = [(k, x) for context in proposer.contexts.values() for k, x in context["parents"]]
    assert told
    assert all(archive.records[k].evaluation.x == x for k, x in told)
    assert all(archive.records[k].evaluation.failure is None for k, _ in told)


class RepeatingProposer(ScriptedProposer):
    """Every third child repeats the form of candidate 7; the seeds hold one pair of equal forms."""

    def seeds(self) -> list[Proposal]:
        return [*super().seeds(), Proposal(program(0.1), "motif")]

    def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
        if context.k % 3 == 0:
            return Proposal(program(1.0, 2.0, 3.0), "again")
        return super().propose(context, rng)


@pytest.mark.parametrize("name", ["serial", "shuffled"])
def test_duplicates_are_recorded_without_a_fit_also_among_candidates_in_flight(name: str) -> None:
    pool = SerialPool(make_fake) if name == "serial" else ShuffledPool(9)
    submitted: list[int] = []
    submit = pool.submit
    pool.submit = lambda k, p: (submitted.append(k), submit(k, p))[1]  # type: ignore[method-assign]
    summary, archive, _, _ = run(config(candidates=40), pool, proposer=RepeatingProposer())
    by_reason = {r.k: r.evaluation.failure.reason for r in archive.records if r.evaluation.failure}
    duplicates = {k for k, reason in by_reason.items() if reason == "duplicate"}
    assert {6, 12, 15, 18, 39} <= duplicates
    assert 9 not in duplicates  # the first of its form
    assert sorted(submitted) == [k for k in range(40) if k not in duplicates]
    assert archive.records[12].evaluation.failure is not None
    assert "candidate 9" in archive.records[12].evaluation.failure.detail
    assert summary.failures["duplicate"] == len(duplicates)


PI = float(np.pi)  # adds nothing to the fake evaluator's X


class TwinProposer(ScriptedProposer):
    """Candidates 1 and 2 predict what candidate 0 does: 2 by a shorter law, 1 by a longer one."""

    def seeds(self) -> list[Proposal]:
        twins = [(1.0, PI), (1.0, PI, 2 * PI), (1.0,), (3 * PI, 1.0, PI), (2.0,)]
        return [Proposal(program(*values), "motif") for values in twins]


class RecipeProposer(ScriptedProposer):
    """The same law with one recipe and another, and with one that differs only in effort."""

    def seeds(self) -> list[Proposal]:
        law = program(1.0).law
        recipes = (
            Recipe(), Recipe(loss="huber"), Recipe(starts=99), Recipe(loss="huber", delta=0.1),
            Recipe(delta=0.1),
        )
        return [Proposal(Program(law, recipe), "motif") for recipe in recipes]


def test_another_loss_makes_another_program_but_more_starts_do_not() -> None:
    _, archive, _, _ = run(config(candidates=5), proposer=RecipeProposer())
    failures = [r.evaluation.failure for r in archive.records]
    # The fake evaluator knows no losses, so the programs that are evaluated predict the same.
    reasons = [f.reason if f else None for f in failures]
    assert reasons == [None, "same-predictions", "duplicate", "same-predictions", "duplicate"]


def test_same_predictions_keep_the_earlier_unless_the_later_is_simpler() -> None:
    _, archive, _, _ = run(config(candidates=5), proposer=TwinProposer())
    failures = [r.evaluation.failure for r in archive.records]
    twin = "same-predictions"
    assert [f.reason if f else None for f in failures] == [None, twin, None, twin, None]
    assert failures[1] is not None
    assert "candidate 0" in failures[1].detail
    assert np.isfinite(archive.records[1].evaluation.x)  # its figures stay in the record


def test_migration_and_reset_are_announced_and_logged_when_due() -> None:
    _, archive, _, watcher = run(config())
    kinds = ("migration", "reset", "seeds")
    when = {kind: [e.committed for e in watcher.events if e.kind == kind] for kind in kinds}
    assert when == {"migration": [20, 40, 60, 80, 100, 120], "reset": [45, 90], "seeds": [6]}
    assert [e.kind for e in (watcher.events[0], *watcher.events[-2:])] == ["start", "stop", "end"]
    assert archive.events == [e.kind for e in watcher.events[1:-1]]


def test_a_reset_island_gets_children_without_parents_after_the_look_back() -> None:
    _, _, proposer, watcher = run(config(fresh_share=0.0, fresh_after_reset=2))
    island = int(next(e for e in watcher.events if e.kind == "reset").message.split()[1])
    orphans = [k for k, c in proposer.contexts.items() if not c["parents"] and k > 30]
    first = [k for k in range(44 + 8, 44 + 8 + 6) if k % 3 == island]
    assert [k for k in orphans if k < 80] == first


def test_islands_have_their_own_temperature_and_bias() -> None:
    _, _, proposer, _ = run(config(temperatures=(0.1, 0.9), biases=("power", "")))
    seen = {(c["island"], c["temperature"], c["bias"]) for c in proposer.contexts.values()}
    assert seen == {(0, 0.1, "power"), (1, 0.5, ""), (2, 0.9, "power")}


def test_stagnation_ends_the_run_at_the_same_candidate_everywhere() -> None:
    cfg = config(candidates=None, stagnation=30)
    summary, archive, _, _ = run(cfg)
    other, shuffled, _, _ = run(cfg, ShuffledPool(3))
    assert summary.stopped_by == other.stopped_by == "stagnation"
    assert summary.status == "complete"
    assert table(archive.records) == table(shuffled.records)


def test_time_ends_the_run_through_the_given_clock() -> None:
    now = [0.0]

    def tick(state: SearchState, record: CandidateRecord) -> None:
        now[0] += 1.0

    cfg = config(candidates=None, minutes=0.5)
    summary, archive, _, _ = run(cfg, watcher=Watcher(tick), clock=lambda: now[0])
    assert summary.stopped_by == "time"
    assert summary.status == "complete"
    assert summary.seconds == pytest.approx(summary.candidates)
    assert 30 <= summary.candidates <= 30 + 8  # what was in flight is committed, nothing new begins
    assert len(archive.records) == summary.candidates


def test_what_does_not_come_in_time_is_dropped() -> None:
    class StuckPool(SerialPool):
        def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
            now[0] += timeout
            return super().results(timeout) if self._queue and self._queue[0][0] != 20 else []

    now = [0.0]
    cfg = config(candidates=None, minutes=1.0, drain=2.0)
    summary, archive, _, _ = run(cfg, StuckPool(make_fake), clock=lambda: now[0])
    assert summary.candidates == len(archive.records) == 20
    assert 62.0 <= summary.seconds < 63.0


def test_a_stop_event_ends_the_run_cleanly() -> None:
    stop = threading.Event()

    def decide(state: SearchState, record: CandidateRecord) -> None:
        if record.k == 50:
            stop.set()

    summary, archive, _, _ = run(config(), watcher=Watcher(decide), stop=stop)
    assert summary.status == archive.finished["status"] == "stopped"
    assert summary.stopped_by == "interrupted"
    assert len(archive.records) == 51  # nothing in flight is waited for: it would be proposed again
    assert "stop" not in archive.events  # the log is that of the whole run
    assert table(archive.records) == table(run(config())[1].records)[: len(archive.records)]
    assert archive.finished["choice"] == summary.choice.index if summary.choice else False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_run_cleanly_and_handlers_are_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def interrupt(state: SearchState, record: CandidateRecord) -> None:
        if record.k == 40:
            os.kill(os.getpid(), number)

    summary, archive, _, _ = run(config(), LocalPool(make_fake, 1, 30.0), watcher=Watcher(interrupt))
    assert summary.status == "stopped"
    assert len(archive.records) == 41
    assert summary.choice is not None
    assert signal.getsignal(number) is before


def test_a_second_interrupt_raises_but_loses_nothing_committed() -> None:
    committed: list[int] = []

    def interrupt(state: SearchState, record: CandidateRecord) -> None:
        committed.append(record.k)
        if record.k == 40:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    archive = MemoryArchive()
    with pytest.raises(KeyboardInterrupt):
        run(config(), archive=archive, watcher=Watcher(interrupt))
    assert archive.finished["status"] == "stopped"
    assert [r.k for r in archive.records] == committed


def test_an_unexpected_exception_flushes_and_marks_the_run_failed() -> None:
    def fail(k: int) -> None:
        if k == 60:
            raise ZeroDivisionError("by design")

    archive = MemoryArchive()
    with pytest.raises(ZeroDivisionError):
        run(config(), archive=archive, proposer=ScriptedProposer(on_propose=fail))
    assert [r.k for r in archive.records] == list(range(53))  # 60 is proposed after 60 - look_back
    assert archive.finished["status"] == "failed"
    assert "ZeroDivisionError" in archive.finished["reason"]


def test_a_full_disk_is_reported_as_such_and_keeps_what_was_written() -> None:
    archive = MemoryArchive(full_after=100)
    with pytest.raises(ArchiveError, match="disk is full"):
        run(config(candidates=200), archive=archive)
    assert len(archive.records) == 64
    assert archive.finished["status"] == "failed"


def test_archive_commits_are_batched() -> None:
    now = [0.0]
    _, archive, _, _ = run(config(candidates=150), clock=lambda: now[0])
    assert archive.batches == [64, 64, 22]


def test_failures_and_dead_workers_do_not_end_the_run() -> None:
    class Deadly(ScriptedProposer):
        def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
            if context.k == 10:
                return Proposal(program(1.0, name="kill"), "deadly")
            if context.k == 11:
                return Proposal(program(-1.0), "negative")
            return super().propose(context, rng)

    summary, archive, _, _ = run(config(candidates=30), LocalPool(make_fake, 1, 30.0), proposer=Deadly())
    failures = {r.k: r.evaluation.failure.reason for r in archive.records if r.evaluation.failure}
    assert failures[10] == "worker"
    assert failures[11] == "non-finite"
    assert summary.candidates == 30
    assert not {10, 11} & set(summary.front)


def test_summary_and_archive_agree() -> None:
    summary, archive, _, _ = run(config())
    assert archive.started["seed"] == 3
    assert archive.started["config"] == config().to_mapping()
    assert len(archive.started["islands"]) == 3
    assert summary.choice is not None
    assert archive.finished["choice"] == summary.choice.index
    assert archive.finished["shortlist"] == summary.shortlist
    assert archive.finished["candidates"] == 120
    assert archive.finished["failures"] == sum(summary.failures.values())
    assert summary.catalogue == (0, 1)
    assert summary.law(5) == "run-5"
    needed = {*summary.front, *summary.shortlist, *summary.catalogue}
    assert set(summary.records) == needed
    assert all(summary.records[k] is archive.records[k] for k in needed)


def test_front_of_the_summary_is_the_front_of_the_records() -> None:
    summary, archive, _, _ = run(config())
    usable = [r for r in archive.records if r.evaluation.failure is None and r.evaluation.valid]
    points = [Point(r.k, r.evaluation.x, r.evaluation.complexity) for r in usable]
    assert sorted(summary.front) == [p.k for p in points if not any(dominates(q, p) for q in points)]


def test_a_run_without_a_usable_law_says_so() -> None:
    class Hopeless(ScriptedProposer):
        def seeds(self) -> list[Proposal]:
            return [Proposal(program(-1.0), "catalogue")]

        def propose(self, context: Context, rng: np.random.Generator) -> Proposal:
            assert not context.parents
            return Proposal(program(-float(context.k)), "random")

    summary, archive, _, _ = run(config(candidates=12), proposer=Hopeless())
    assert summary.choice is None
    assert summary.shortlist == summary.front == ()
    assert archive.finished["choice"] is None
    assert archive.finished["reason"] == "no valid law was found"
    assert set(summary.records) == {0}


def test_runs_in_another_thread_without_touching_signals() -> None:
    found: list[RunSummary] = []
    thread = threading.Thread(target=lambda: found.append(run(config(candidates=20))[0]))
    thread.start()
    thread.join()
    assert found[0].candidates == 20
