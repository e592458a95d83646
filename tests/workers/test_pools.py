"""The contract of worker pools, run over every pool, and what only pools of processes promise."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pool_fakes
import pytest
from pool_fakes import make_broken, make_delayed, make_dying, make_fake, make_flaky, program

from sldagent.evaluation.result import Evaluation
from sldagent.workers.base import WorkerPool, WorkerStartError
from sldagent.workers.local import LocalPool
from sldagent.workers.serial import SerialPool

POOLS: dict[str, Callable[..., WorkerPool]] = {
    "serial": lambda make: SerialPool(make),
    "local-1": lambda make: LocalPool(make, 1, 30.0),
    "local-2": lambda make: LocalPool(make, 2, 30.0),
}


@pytest.fixture(params=POOLS)
def open_pool(request: pytest.FixtureRequest) -> Iterator[Callable[..., WorkerPool]]:
    pools: list[WorkerPool] = []

    def build(make: Callable[[], object]) -> WorkerPool:
        pools.append(POOLS[request.param](make))
        return pools[-1]

    yield build
    for pool in pools:
        pool.close()


def collect(pool: WorkerPool, count: int, seconds: float = 60.0) -> dict[int, Evaluation]:
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


def test_every_candidate_comes_back_once_with_its_figures(open_pool: Callable[..., WorkerPool]) -> None:
    pool = open_pool(make_delayed)
    programs = {k: program(k * 0.1, 1.0 + k) for k in range(40)}
    for k, p in programs.items():
        pool.submit(k, p)
    assert pool.pending() == 40
    found = collect(pool, 40)
    assert pool.pending() == 0
    assert all(same(found[k], pool_fakes.judge(p)) for k, p in programs.items())


def test_results_without_pending_work_return_at_once(open_pool: Callable[..., WorkerPool]) -> None:
    pool = open_pool(make_fake)
    assert pool.results(3600.0) == []


def test_an_evaluators_exception_is_a_failure_value(open_pool: Callable[..., WorkerPool]) -> None:
    pool = open_pool(make_fake)
    for k, name in enumerate(("raise", "memory", "x")):
        pool.submit(k, program(1.0, name=name))
    found = collect(pool, 3)
    for k, words in ((0, "ZeroDivisionError: by design"), (1, "out of memory")):
        failure = found[k].failure
        assert failure is not None
        assert failure.reason == "worker"
        assert words in failure.detail
    assert found[2].failure is None


def test_failures_of_the_law_pass_through(open_pool: Callable[..., WorkerPool]) -> None:
    pool = open_pool(make_fake)
    pool.submit(7, program(-1.0))
    failure = collect(pool, 1)[7].failure
    assert failure is not None
    assert failure.reason == "non-finite"


def test_close_twice_and_with_work_pending(open_pool: Callable[..., WorkerPool]) -> None:
    pool = open_pool(make_delayed)
    for k in range(30):
        pool.submit(k, program(float(k)))
    pool.close()
    pool.close()
    assert pool.pending() == 0


def test_pool_is_a_context_manager(open_pool: Callable[..., WorkerPool]) -> None:
    with open_pool(make_fake) as pool:
        pool.submit(0, program(1.0))
        assert same(collect(pool, 1)[0], pool_fakes.judge(program(1.0)))


@pytest.mark.parametrize(
    ("name", "words"), [("kill", "SIGKILL"), ("segfault", "SIGSEGV"), ("exit", "status 3: last words")]
)
def test_a_dead_worker_costs_its_candidate_only(name: str, words: str) -> None:
    with LocalPool(make_fake, 1, 30.0) as pool:
        before = pool.process_ids
        pool.submit(0, program(1.0))
        pool.submit(1, program(2.0, name=name))
        pool.submit(2, program(3.0))
        found = collect(pool, 3)
        failure = found[1].failure
        assert failure is not None
        assert failure.reason == "worker"
        assert words in failure.detail
        assert same(found[0], pool_fakes.judge(program(1.0)))
        assert same(found[2], pool_fakes.judge(program(3.0)))
        assert pool.process_ids != before


def test_a_worker_killed_from_outside_while_busy_is_replaced() -> None:
    with LocalPool(make_fake, 1, 60.0) as pool:
        pool.submit(0, program(1.0))
        collect(pool, 1)
        pool.submit(1, program(1.0, name="sleep"))
        pool.submit(2, program(2.0))
        assert pool.results(0.1) == []
        os.kill(pool.process_ids[0], signal.SIGKILL)
        found = collect(pool, 2)
        assert found[1].failure is not None
        assert found[2].failure is None


def test_an_idle_worker_that_dies_is_replaced_without_a_victim() -> None:
    with LocalPool(make_fake, 1, 60.0) as pool:
        pool.submit(0, program(1.0))
        collect(pool, 1)
        os.kill(pool.process_ids[0], signal.SIGKILL)
        time.sleep(0.2)
        pool.submit(1, program(2.0))
        assert collect(pool, 1)[1].failure is None


def test_the_cap_in_seconds_is_a_flagged_failure() -> None:
    with LocalPool(make_fake, 2, 0.5) as pool:
        for k in range(8):
            pool.submit(k, program(float(k), name="sleep" if k == 2 else "x"))
        found = collect(pool, 8)
    failure = found[2].failure
    assert failure is not None
    assert failure.reason == "time"
    assert "0.5 s" in failure.detail
    assert [k for k, e in found.items() if e.failure] == [2]


def test_no_cap_means_no_cap() -> None:
    with LocalPool(make_fake, 1, None) as pool:
        pool.submit(0, program(1.0))
        assert collect(pool, 1)[0].failure is None


def test_workers_have_one_thread_no_secrets_and_ignore_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "SOME_PASSWORD"):
        monkeypatch.setenv(name, "hidden-value")
    monkeypatch.setenv("RESULTS_URL", "postgresql://me:hidden-value@host/db")
    monkeypatch.setenv("HARMLESS", "visible-value")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with LocalPool(make_fake, 1, 30.0) as pool:
        pool.submit(0, program(1.0, name="environment"))
        pool.submit(1, program(1.0, name="interrupt"))
        found = collect(pool, 2)
    failure = found[0].failure
    assert failure is not None
    lines = failure.detail.split("\n")
    assert "hidden-value" not in failure.detail
    assert "HARMLESS=visible-value" in lines
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        assert f"{name}=1" in lines
    assert found[1].failure is None


def test_prints_of_a_worker_do_not_disturb_its_answers(capfd: pytest.CaptureFixture[str]) -> None:
    with LocalPool(make_fake, 1, 30.0) as pool:
        pool.submit(0, program(1.0, name="print"))
        assert same(collect(pool, 1)[0], pool_fakes.judge(program(1.0, name="print")))
    assert capfd.readouterr().out == ""


def test_a_factory_that_fails_is_reported_with_its_words() -> None:
    with LocalPool(make_broken, 1, 30.0) as pool:
        pool.submit(0, program(1.0))
        with pytest.raises(WorkerStartError, match="ValueError: no such table"):
            collect(pool, 1)


def test_workers_that_always_die_at_the_start_end_the_pool() -> None:
    with LocalPool(make_dying, 1, 30.0) as pool:
        pool.submit(0, program(1.0))
        with pytest.raises(WorkerStartError, match="status 7"):
            collect(pool, 1)


def test_a_death_at_the_start_costs_no_candidate(tmp_path: Path) -> None:
    with LocalPool(functools.partial(make_flaky, str(tmp_path)), 2, 30.0) as pool:
        for k in range(6):
            pool.submit(k, program(float(k)))
        assert all(e.failure is None for e in collect(pool, 6).values())
    assert (tmp_path / "first").exists()


def test_close_leaves_no_process_behind() -> None:
    pool = LocalPool(make_fake, 2, 30.0)
    ids = pool.process_ids
    pool.submit(0, program(1.0, name="sleep"))
    pool.submit(1, program(1.0))
    pool.results(0.2)
    pool.close()
    for pid in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_end_when_their_coordinator_is_killed() -> None:
    script = (
        "import sys, time; from pool_fakes import make_fake, program\n"
        "from sldagent.workers.local import LocalPool\n"
        "pool = LocalPool(make_fake, 1, 30.0)\n"
        "pool.submit(0, program(1.0))\n"
        "while not pool.results(0.5): pass\n"
        "print(pool.process_ids[0], flush=True); time.sleep(60)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=env)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not _alive(worker):
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its coordinator")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # a zombie that nobody reaps is not alive
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return True


def test_large_programs_do_not_block_the_pool() -> None:
    big = program(*(float(i) for i in range(3000)))
    with LocalPool(make_fake, 1, 60.0, queue=8) as pool:
        for k in range(8):
            pool.submit(k, big)
        assert len(collect(pool, 8)) == 8


def test_warm_runs_once_before_the_workers_start(tmp_path: Path) -> None:
    calls: list[str] = []
    with LocalPool(make_fake, 2, 30.0, warm=lambda: calls.append("warm")) as pool:
        assert calls == ["warm"]
        pool.submit(0, program(1.0))
        collect(pool, 1)
    assert calls == ["warm"]


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        LocalPool(make_fake, 0)
