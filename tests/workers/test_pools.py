"""The contract of worker pools, run over those of this machine, and what only pools of processes promise."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pool_fakes
import pytest
from pool_contract import *  # noqa: F403
from pool_contract import collect, same
from pool_fakes import make_dying, make_fake, make_flaky, make_slow_once, program

from sldagent.workers.base import WorkerPool, WorkerStartError
from sldagent.workers.local import LocalPool
from sldagent.workers.serial import SerialPool

POOLS: dict[str, Callable[..., WorkerPool]] = {
    "serial": lambda make: SerialPool(make),
    "local-1": lambda make: LocalPool(make, 1, 30.0),
    "local-2": lambda make: LocalPool(make, 2, 30.0),
}


@pytest.fixture
def open_processes() -> Callable[..., WorkerPool]:
    return lambda make, time_limit: LocalPool(make, 1, time_limit)


@pytest.fixture(params=POOLS)
def open_pool(request: pytest.FixtureRequest) -> Iterator[Callable[..., WorkerPool]]:
    pools: list[WorkerPool] = []

    def build(make: Callable[[], object]) -> WorkerPool:
        pools.append(POOLS[request.param](make))
        return pools[-1]

    yield build
    for pool in pools:
        pool.close()


def test_a_candidate_whose_worker_is_killed_from_outside_is_evaluated_all_the_same(tmp_path: Path) -> None:
    with LocalPool(functools.partial(make_slow_once, str(tmp_path)), 1, 60.0) as pool:
        pool.submit(0, program(1.0))
        while not (tmp_path / "first").exists():
            assert pool.results(0.05) == []
        os.kill(pool.process_ids[0], signal.SIGKILL)
        assert same(collect(pool, 1)[0], pool_fakes.judge(program(1.0)))


def test_an_idle_worker_that_dies_is_replaced_without_a_victim() -> None:
    with LocalPool(make_fake, 1, 60.0) as pool:
        pool.submit(0, program(1.0))
        collect(pool, 1)
        os.kill(pool.process_ids[0], signal.SIGKILL)
        time.sleep(0.2)
        pool.submit(1, program(2.0))
        assert collect(pool, 1)[1].failure is None


def test_no_cap_means_no_cap() -> None:
    with LocalPool(make_fake, 1, None) as pool:
        pool.submit(0, program(1.0))
        assert collect(pool, 1)[0].failure is None


def test_prints_of_a_worker_do_not_disturb_its_answers(capfd: pytest.CaptureFixture[str]) -> None:
    with LocalPool(make_fake, 1, 30.0) as pool:
        pool.submit(0, program(1.0, name="print"))
        assert same(collect(pool, 1)[0], pool_fakes.judge(program(1.0, name="print")))
    assert capfd.readouterr().out == ""


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
