"""The simulated run: what it must do where the answer is known, and what bounds it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.simulation.model import Costs, Simulation

FREE = Costs(evaluate=[0.1], propose=0.0, commit=0.0, write_batch=0.0, write_record=0.0, dispatch=0.0)


@pytest.mark.parametrize("workers", [1, 2, 5, 16])
def test_equal_candidates_without_overhead_keep_all_workers_busy(workers: int) -> None:
    out = Simulation(FREE, workers, 160, 16).run()
    assert out.candidates == 160
    rounds = -(-160 // workers)
    assert out.seconds == pytest.approx(rounds * 0.1, rel=0.05)
    assert out.busy["workers"] == pytest.approx(16.0)
    assert out.bottleneck == "workers"


def test_more_workers_than_the_look_back_do_not_help() -> None:
    few, many = Simulation(FREE, 16, 800, 16).run(), Simulation(FREE, 64, 800, 16).run()
    assert many.throughput == pytest.approx(few.throughput)
    assert many.bottleneck == "look-back"
    assert Simulation(FREE, 64, 800, 128).run().throughput > 3.5 * few.throughput


def test_the_coordinator_bounds_what_it_must_do_itself() -> None:
    slow = replace(FREE, propose=0.05, dispatch=0.01)
    out = Simulation(slow, 1000, 800, 4000).run()
    assert out.throughput == pytest.approx(1 / 0.06, rel=0.02)
    assert out.bottleneck == "coordinator (propose)"


def test_the_archive_can_be_the_bottleneck() -> None:
    slow = replace(FREE, write_record=0.02, write_batch=0.001)
    out = Simulation(slow, 1000, 800, 4000).run()
    assert out.bottleneck == "coordinator (archive)"
    assert out.throughput == pytest.approx(1 / 0.02, rel=0.05)


def test_duplicates_cost_no_worker() -> None:
    out = Simulation(replace(FREE, duplicates=1.0), 2, 100, 16).run()
    assert out.busy["workers"] == 0.0


def test_the_jail_is_paid_for_every_fit() -> None:
    jailed = replace(FREE, jailed=1.0, jail=0.01, fits=10)
    assert Simulation(jailed, 1, 100, 16).run().throughput == pytest.approx(5.0, rel=0.02)


def test_a_model_that_answers_late_bounds_the_run_unless_it_is_asked_early() -> None:
    slow = replace(FREE, llm_share=0.5, llm=[5.0], llm_calls=1000)
    late, early = Simulation(slow, 4, 600, 16).run(), Simulation(slow, 4, 600, 16, llm_look_back=400).run()
    assert late.bottleneck == "language model"
    assert early.throughput > 5 * late.throughput


def test_requests_are_bounded() -> None:
    slow = replace(FREE, llm_share=1.0, llm=[1.0], llm_calls=2)
    out = Simulation(slow, 100, 100, 100, llm_look_back=100).run()
    assert out.seconds == pytest.approx(50.0, rel=0.05)


def test_commits_wait_for_their_turn() -> None:
    """One slow candidate in a window of two workers holds everything behind it up, but not the other worker's window."""
    uneven = replace(FREE, evaluate=[0.01, 1.0])
    narrow, wide = Simulation(uneven, 8, 400, 8, seed=1).run(), Simulation(uneven, 8, 400, 64, seed=1).run()
    assert wide.throughput > narrow.throughput
    assert wide.utilisation > 0.85 > narrow.utilisation
