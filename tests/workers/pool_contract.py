"""The contract of worker pools, as tests: a module that imports these runs them over its own `open_pool`.

`open_pool(make)` opens a pool of the implementation at hand; `open_processes(make, time_limit)` one whose workers are
processes, of which there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pool_fakes
import pytest
from pool_fakes import make_broken, make_delayed, make_fake, program

from sldagent.evaluation.result import Evaluation
from sldagent.workers.base import WorkerPool, WorkerStartError

Open = Callable[..., WorkerPool]


def collect(pool: WorkerPool, count: int, seconds: float = 300.0) -> dict[int, Evaluation]:
    """Results of `count` candidates; fails when one comes twice or they do not come."""
    found: dict[int, Evaluation] = {}
    end = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < end, f"only {sorted(found)} of {count} candidates came back"
        for k, evaluation in pool.results(0.5):
            assert k not in found
            found[k] = evaluation
    return found


def same(a: Evaluation, b: Evaluation) -> bool:
    figures = ("x", "mdl", "complexity", "valid", "fingerprint", "failure")
    return all(getattr(a, f) == getattr(b, f) for f in figures) and np.array_equal(a.x_boot, b.x_boot)


def test_every_candidate_comes_back_once_with_its_figures(open_pool: Open) -> None:
    pool = open_pool(make_delayed)
    programs = {k: program(k * 0.1, 1.0 + k) for k in range(40)}
    for k, p in programs.items():
        pool.submit(k, p)
    assert pool.pending() == 40
    found = collect(pool, 40)
    assert pool.pending() == 0
    assert all(same(found[k], pool_fakes.judge(p)) for k, p in programs.items())


def test_results_without_pending_work_return_at_once(open_pool: Open) -> None:
    pool = open_pool(make_fake)
    assert pool.results(3600.0) == []


def test_an_evaluators_exception_is_a_failure_value(open_pool: Open) -> None:
    pool = open_pool(make_fake)
    for k, name in enumerate(("failing", "memory", "x")):
        pool.submit(k, program(1.0, name=name))
    found = collect(pool, 3)
    for k, words in ((0, "ZeroDivisionError: by design"), (1, "out of memory")):
        failure = found[k].failure
        assert failure is not None
        assert failure.reason == "worker"
        assert words in failure.detail
    assert found[2].failure is None


def test_failures_of_the_law_pass_through(open_pool: Open) -> None:
    pool = open_pool(make_fake)
    pool.submit(7, program(-1.0))
    failure = collect(pool, 1)[7].failure
    assert failure is not None
    assert failure.reason == "non-finite"


def test_close_twice_and_with_work_pending(open_pool: Open) -> None:
    pool = open_pool(make_delayed)
    for k in range(30):
        pool.submit(k, program(float(k)))
    pool.close()
    pool.close()
    assert pool.pending() == 0


def test_pool_is_a_context_manager(open_pool: Open) -> None:
    with open_pool(make_fake) as pool:
        pool.submit(0, program(1.0))
        assert same(collect(pool, 1)[0], pool_fakes.judge(program(1.0)))


def test_a_dead_worker_costs_its_candidate_only(open_processes: Open) -> None:
    deaths = {1: ("kill", "SIGKILL"), 3: ("segfault", "SIGSEGV"), 5: ("exit", "status 3: last words")}
    with open_processes(make_fake, 30.0) as pool:
        for k in range(7):
            pool.submit(k, program(float(k), name=deaths[k][0] if k in deaths else "x"))
        found = collect(pool, 7)
    for k, evaluation in found.items():
        if k not in deaths:
            assert same(evaluation, pool_fakes.judge(program(float(k))))
            continue
        assert evaluation.failure is not None
        assert evaluation.failure.reason == "worker"
        assert deaths[k][1] in evaluation.failure.detail


def test_the_cap_in_seconds_is_a_flagged_failure(open_processes: Open) -> None:
    with open_processes(make_fake, 0.5) as pool:
        for k in range(8):
            pool.submit(k, program(float(k), name="sleep" if k == 2 else "x"))
        found = collect(pool, 8)
    failure = found[2].failure
    assert failure is not None
    assert failure.reason == "time"
    assert "0.5 s" in failure.detail
    assert [k for k, e in found.items() if e.failure] == [2]


def test_workers_have_one_thread_no_secrets_and_ignore_interrupts(
    open_processes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "SOME_PASSWORD"):
        monkeypatch.setenv(name, "hidden-value")
    monkeypatch.setenv("RESULTS_URL", "postgresql://me:hidden-value@host/db")
    monkeypatch.setenv("HARMLESS", "visible-value")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with open_processes(make_fake, 30.0) as pool:
        pool.submit(0, program(1.0, name="environment"))
        pool.submit(1, program(1.0, name="interrupt"))
        found = collect(pool, 2)
    failure = found[0].failure
    assert failure is not None
    lines = failure.detail.split("\n")
    assert "hidden-value" not in failure.detail
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        assert f"{name}=1" in lines
    assert found[1].failure is None


def test_a_factory_that_fails_is_reported_with_its_words(open_processes: Open) -> None:
    with open_processes(make_broken, 30.0) as pool:
        pool.submit(0, program(1.0))
        with pytest.raises(WorkerStartError, match="ValueError: no such table"):
            collect(pool, 1)
