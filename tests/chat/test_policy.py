"""Patience: no test here waits for anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.chat.adapters.wire import retry_after
from sldagent.chat.failures import ChatFailure, ProviderDown
from sldagent.chat.policy import Breaker, Notice, Patience, Policy, within
from sldagent.errors import ConfigError


class Caller:
    """Calls that end as scripted: a value is returned, an exception raised."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.timeouts: list[float] = []

    def __call__(self, timeout: float) -> Any:
        self.timeouts.append(timeout)
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step


@pytest.fixture
def patience(clock: Any) -> Callable[..., Any]:
    def make(uniform: float = 0.5, **policy: Any) -> Any:
        notices: list[Notice] = []
        made = Patience(
            "local:m", Policy(**policy), clock=clock, sleep=clock.sleep, uniform=lambda: uniform, announce=notices.append
        )
        made.notices = notices  # type: ignore[attr-defined]
        return made

    return make


def bad(kind: Any = "server", **more: Any) -> ChatFailure:
    return ChatFailure(kind, f"scripted {kind}", **more)


def test_retries_until_it_works(patience: Any, clock: Any) -> None:
    call = Caller(bad(), bad("rate"), bad("timeout"), "answer")
    assert patience().run(call) == "answer"
    assert clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("kind", ["invalid", "auth", "missing", "quota"])
def test_fails_fast(patience: Any, clock: Any, kind: Any) -> None:
    call = Caller(bad(kind))
    with pytest.raises(ChatFailure, match=f"scripted {kind}"):
        patience().run(call)
    assert clock.slept == []


def test_gives_up_after_so_many_attempts(patience: Any) -> None:
    call = Caller(*[bad() for _ in range(9)])
    with pytest.raises(ChatFailure, match="scripted server"):
        patience(attempts=4, breaker_failures=99).run(call)
    assert len(call.timeouts) == 4


@given(st.integers(0, 200), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e4))
def test_full_jitter(attempt: int, chance: float, asked: float | None) -> None:
    policy = Policy(base=2.0, cap=30.0)
    wait = policy.wait(attempt, asked, lambda: chance)
    if asked is None:
        assert wait == chance * min(30.0, 2.0 * 2.0 ** min(attempt, 60))
    else:
        assert asked <= wait <= asked + 2.0, "never earlier than the provider asks"


def test_retry_after_is_waited_for(patience: Any, clock: Any) -> None:
    made = patience()
    assert made.run(Caller(bad("rate", retry_after=65.0), "answer")) == "answer"
    assert clock.slept == [65.5]
    assert [n.kind for n in made.notices] == ["wait"]


def test_a_wait_beyond_the_total_time_out_is_not_begun(patience: Any, clock: Any) -> None:
    with pytest.raises(ChatFailure, match="scripted rate"):
        patience(total_timeout=100.0).run(Caller(bad("rate", retry_after=3600.0)))
    assert clock.slept == []


def test_the_total_time_out_shortens_attempts(patience: Any, clock: Any) -> None:
    def slow(timeout: float) -> None:
        call.timeouts.append(timeout)
        clock.now += timeout
        raise bad("timeout")

    call = Caller()
    with pytest.raises(ChatFailure, match="scripted timeout"):
        patience(attempt_timeout=40.0, total_timeout=100.0, breaker_failures=99).run(slow)
    assert call.timeouts == [40.0, 40.0, pytest.approx(100.0 - 80.0 - 0.5 - 1.0)]
    assert clock.now <= 100.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry-After": "12"}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"Retry-After": "Wed, 04 Mar 2026 10:00:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 04 Mar 2026 09:00:00 GMT"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_reading_retry_after(header: dict[str, str], seconds: float | None) -> None:
    assert retry_after(header, datetime(2026, 3, 4, 10, 0, 0, tzinfo=UTC)) == seconds


def test_the_breaker_opens_over_all_callers_and_closes_after_a_trial(patience: Any, clock: Any) -> None:
    made = patience(attempts=1, breaker_failures=3, breaker_seconds=60.0)
    for _ in range(3):
        with pytest.raises(ChatFailure):
            made.run(Caller(bad()))
    untouched = Caller("never asked")
    with pytest.raises(ProviderDown, match="local:m is down: 3 failures in a row, the last: scripted server"):
        made.run(untouched)
    assert untouched.timeouts == []
    clock.now += 60.0
    with pytest.raises(ChatFailure):
        made.run(Caller(bad()))
    with pytest.raises(ProviderDown):
        made.run(untouched)
    clock.now += 60.0
    assert made.run(Caller("back")) == "back"
    assert made.run(Caller("and on")) == "and on"
    assert [n.kind for n in made.notices] == ["down", "up"]


def test_the_breaker_stops_retries_under_way(patience: Any) -> None:
    call = Caller(*[bad() for _ in range(9)])
    with pytest.raises(ProviderDown):
        patience(attempts=9, breaker_failures=5).run(call)
    assert len(call.timeouts) == 5


def test_a_refusal_of_one_request_shows_that_the_provider_is_up(patience: Any) -> None:
    made = patience(attempts=1, breaker_failures=2)
    for failure in (bad(), bad("invalid"), bad(), bad("invalid"), bad()):
        with pytest.raises(ChatFailure):
            made.run(Caller(failure))


def test_one_trial_at_a_time(clock: Any) -> None:
    breaker = Breaker("m", Policy(breaker_failures=1, breaker_seconds=5.0), clock, lambda notice: None)
    breaker.failure("x")
    clock.now += 5.0
    breaker.enter()
    with pytest.raises(ProviderDown):
        breaker.enter()
    breaker.leave()
    breaker.enter()


def test_interruption_during_a_trial_leaves_the_next_trial_possible(patience: Any, clock: Any) -> None:
    made = patience(attempts=1, breaker_failures=1, breaker_seconds=1.0)
    with pytest.raises(ChatFailure):
        made.run(Caller(bad()))
    clock.now += 1.0
    with pytest.raises(KeyboardInterrupt):
        made.run(Caller(KeyboardInterrupt()))
    assert made.run(Caller("back")) == "back"


def test_no_more_at_once_than_allowed(patience: Any) -> None:
    made, lock, inside, most = patience(concurrency=3), threading.Lock(), [0], [0]

    def call(timeout: float) -> str:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1
        return "x"

    threads = [threading.Thread(target=made.run, args=(call,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 3


def test_within_hands_over_results_and_failures() -> None:
    assert within(5.0, lambda: 7, lambda: bad("timeout")) == 7
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0, lambda: bad("timeout"))
    release = threading.Event()
    with pytest.raises(ChatFailure, match="scripted timeout"):
        within(0.02, lambda: release.wait(5), lambda: bad("timeout"))
    release.set()


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"concurrency": 0}, {"cap": -1.0}, {"total_timeout": 0.0},
                                   {"attempt_timeout": float("inf")}, {"base": float("nan")}])  # fmt: skip
def test_policies_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Policy(**wrong)
