"""The contract of worker pools over Ray actors, and what only those promise.  One small cluster serves all tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pool_fakes
import pytest
from pool_contract import *  # noqa: F403
from pool_contract import collect, same
from pool_fakes import make_delayed, make_dying, make_fake, program

from sldagent.errors import ConfigError
from sldagent.workers.base import WorkerPool, WorkerStartError
from sldagent.workers.place import Place
from sldagent.workers.ray_cluster import connected, scrubbed
from sldagent.workers.ray_pool import RayPool
from sldagent.workers.supervisor import open_reply, reply
from sldagent.workers.wire import WireError

faults = pytest.mark.skipif("SLDAGENT_FAULTS" not in os.environ, reason="slow; 'make faults' runs it")
pytest.importorskip("ray", reason="the package ray is not installed (the extra 'ray')")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    before = {name: os.environ.get(name) for name in ("OPENAI_API_KEY",)}
    os.environ["OPENAI_API_KEY"] = "hidden-from-the-cluster"
    try:
        with connected("local", 2) as package:
            yield package
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.fixture
def open_pool(ray: Any) -> Iterator[Callable[..., WorkerPool]]:
    pools: list[WorkerPool] = []

    def build(make: Callable[[], object]) -> WorkerPool:
        pools.append(RayPool(ray, make, 1, 30.0))
        return pools[-1]

    yield build
    for pool in pools:
        pool.close()


@pytest.fixture
def open_processes(ray: Any) -> Callable[..., WorkerPool]:
    return lambda make, time_limit: RayPool(ray, make, 1, time_limit)


def actor_pid(pool: RayPool) -> int:
    """Process id of the pool's first actor, which has answered."""
    handle = pool._workers[0].handle
    return int(pool._ray.get(handle.__ray_call__.remote(lambda supervisor: os.getpid())))


def test_the_cluster_has_no_keys_in_its_environment(ray: Any) -> None:
    @ray.remote
    def environment() -> bytes:
        return Path("/proc/self/environ").read_bytes()

    assert os.environ["OPENAI_API_KEY"] == "hidden-from-the-cluster"
    assert b"hidden-from-the-cluster" not in ray.get(environment.remote())


def test_candidates_of_an_actor_that_dies_are_handed_out_again(ray: Any) -> None:
    with RayPool(ray, make_delayed, 1, 30.0) as pool:
        pool.submit(0, program(0.5))
        collect(pool, 1)
        before = actor_pid(pool)
        for k in range(1, 9):
            pool.submit(k, program(k * 0.1))
        os.kill(before, 9)
        found = collect(pool, 8)
        assert all(same(found[k], pool_fakes.judge(program(k * 0.1))) for k in range(1, 9))
        assert actor_pid(pool) != before


@faults
def test_an_actor_that_grows_too_large_is_replaced(ray: Any) -> None:
    with RayPool(ray, make_fake, 1, 30.0, memory=1) as pool:
        for k in range(3):
            pool.submit(k, program(float(k)))
        first = pool._workers[0]
        assert sorted(collect(pool, 3)) == [0, 1, 2]
        assert pool._workers[0] is not first


@faults
def test_an_actor_that_is_silent_is_given_up_and_its_candidate_blamed_at_last(ray: Any) -> None:
    now = [0.0]
    with RayPool(ray, make_fake, 1, 10.0, clock=lambda: now[0]) as pool:
        pool.submit(0, program(1.0, name="sleep"))
        found: dict[int, Any] = {}
        end = time.monotonic() + 300.0
        while not found and time.monotonic() < end:
            found = dict(pool.results(0.0))
            time.sleep(0.05)
            if pool._workers[0].given:
                now[0] += 1000.0
    assert found[0].failure is not None
    assert "lost 3 times" in found[0].failure.detail


@faults
def test_actors_that_cannot_start_end_the_pool(ray: Any) -> None:
    with RayPool(ray, make_fake, 1, 30.0, warm=make_dying) as pool:
        pool.submit(0, program(1.0))
        with pytest.raises(WorkerStartError, match="before they are ready"):
            collect(pool, 1)


@faults
def test_in_flight_is_bounded(ray: Any) -> None:
    with RayPool(ray, make_fake, 1, 30.0, depth=2) as pool:
        for k in range(10):
            pool.submit(k, program(float(k)))
        most = 0
        found: dict[int, Any] = {}
        while len(found) < 10:
            most = max(most, len(pool._workers[0].given))
            found.update(pool.results(1.0))
        assert 1 <= most <= 2


@pytest.mark.parametrize("answer", [b"", "text", None, b"\0" * 8, b"\0" * 9 + b"noise", b"\0" * 9 + b"\1" * 30])
def test_an_answer_that_is_not_one_is_refused(answer: object) -> None:
    with pytest.raises(WireError):
        open_reply(answer)


def test_answers_and_what_cannot_be_read_in_them() -> None:
    assert open_reply(reply([], 5)) == ([], 5)
    evaluations = {k: pool_fakes.judge(program(0.1 * k)) for k in (3, 1)}
    sent = reply(evaluations.items(), 7)
    found, memory = open_reply(sent)
    assert memory == 7
    assert [k for k, _ in found] == [3, 1]
    assert all(same(evaluation, evaluations[k]) for k, evaluation in found)
    spoilt = bytearray(sent)
    spoilt[9 + 12 + 4] ^= 0xFF  # the first evaluation's header
    (_, first), (_, second) = open_reply(bytes(spoilt))[0]
    assert first.failure is not None
    assert first.failure.reason == "worker"
    assert same(second, evaluations[1])


def test_a_process_that_is_connected_stays_so(ray: Any) -> None:
    with connected("local") as package:
        assert package is ray
    assert ray.is_initialized()


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        RayPool(None, make_fake, 0)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:port", "127.0.0.1:99999999"])
def test_an_address_where_nobody_answers_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match="Ray"), connected(address):
        pass


def test_scrubbing_gives_the_environment_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "x")
    before = dict(os.environ)
    with scrubbed():
        assert "SOME_API_KEY" not in os.environ
    assert dict(os.environ) == before


def test_places_in_words() -> None:
    assert Place().words(1) == "1 local worker"
    assert Place("local").words(2) == "2 Ray actors"
    assert Place("head:6379", 0.5).words(3) == "3 Ray actors at head:6379, 0.5 GPUs each"
    with pytest.raises(ConfigError, match="needs --ray"):
        Place(None, 1.0)
