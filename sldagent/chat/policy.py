"""How patiently a provider is asked: retries, time-outs, concurrency and a circuit breaker, the same for all.

Retries wait with *full jitter*: uniformly between 0 and ``base * 2**attempt``, at most `cap` (Brooker, "Exponential
Backoff and Jitter", 2015), so that many callers do not come back together; a provider's Retry-After is a lower bound.
Clock, sleep and randomness are passed in.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from sldagent.chat.failures import ChatFailure, ProviderDown
from sldagent.errors import ConfigError

T = TypeVar("T")

Clock = Callable[[], float]
"""Seconds from some fixed moment."""
Sleep = Callable[[float], object]
Uniform = Callable[[], float]
"""A number from 0 up to 1."""


@dataclass(frozen=True)
class Policy:
    """Limits of patience; times in seconds.  Raises ConfigError for a value out of range."""

    attempts: int = 6
    """Requests sent for one answer, at most."""
    base: float = 1.0
    """Longest wait before the first retry."""
    cap: float = 60.0
    """Longest wait that jitter chooses."""
    attempt_timeout: float = 120.0
    """For one request, from sending to the last byte."""
    total_timeout: float = 600.0
    """For one answer, waits between attempts included."""
    concurrency: int = 8
    """Answers waited for at once."""
    breaker_failures: int = 5
    """Failures in a row, over all callers, after which the provider counts as down."""
    breaker_seconds: float = 60.0
    """How long it is then left alone."""

    def __post_init__(self) -> None:
        for name in ("attempts", "concurrency", "breaker_failures"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a chat policy must be at least 1; it is {getattr(self, name)}")
        for name in ("base", "cap", "attempt_timeout", "total_timeout", "breaker_seconds"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0 or (value == 0 and name.endswith("timeout")):
                raise ConfigError(f"{name} of a chat policy must be a number of seconds; it is {value}")

    def wait(self, attempt: int, retry_after: float | None, uniform: Uniform) -> float:
        """Seconds before the retry that follows `attempt` (from 0)."""
        jitter = uniform() * min(self.cap, self.base * 2.0 ** min(attempt, 60))
        return jitter if retry_after is None else retry_after + uniform() * self.base


@dataclass(frozen=True)
class Notice:
    """Something a user should hear about."""

    kind: Literal["down", "up", "fallback", "wait"]
    message: str


Announce = Callable[[Notice], None]


class Breaker:
    """Counts failures in a row.  Closed: everybody may ask.  Open: nobody.  After `breaker_seconds` one caller may
    try: its success closes the breaker, its failure opens it again."""

    def __init__(self, name: str, policy: Policy, clock: Clock, announce: Announce) -> None:
        self._name = name
        self._policy = policy
        self._clock = clock
        self._announce = announce
        self._lock = threading.Lock()
        self._failures = 0
        self._opened: float | None = None
        self._trying = False
        self._last = ""

    def enter(self) -> None:
        """Ask for leave to send a request.  Raises ProviderDown."""
        with self._lock:
            if self._opened is None:
                return
            if not self._trying and self._clock() - self._opened >= self._policy.breaker_seconds:
                self._trying = True
                return
            raise ProviderDown(f"{self._name} is down: {self._failures} failures in a row, the last: {self._last}")

    def success(self) -> None:
        """A provider that answers, be it with a refusal, is up."""
        with self._lock:
            was_open = self._opened is not None
            self._failures, self._opened, self._trying = 0, None, False
        if was_open:
            self._announce(Notice("up", f"{self._name} answers again"))

    def failure(self, message: str) -> None:
        with self._lock:
            self._failures += 1
            self._last = message
            opens = self._opened is None and self._failures >= self._policy.breaker_failures
            if opens or self._trying:
                self._opened, self._trying = self._clock(), False
        if opens:
            self._announce(Notice("down", f"{self._name} is down: {self._failures} failures in a row, the last: {message}"))

    def leave(self) -> None:
        """The request was not sent after all, or broken off by this side."""
        with self._lock:
            self._trying = False


class Patience:
    """The policy at work for one provider.  Safe to use from several threads."""

    def __init__(
        self, name: str, policy: Policy, *, clock: Clock, sleep: Sleep, uniform: Uniform, announce: Announce
    ) -> None:
        self._name = name
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform
        self._announce = announce
        self._slots = threading.BoundedSemaphore(policy.concurrency)
        self._breaker = Breaker(name, policy, clock, announce)

    def run(self, attempt: Callable[[float], T]) -> T:
        """What ``attempt(timeout)`` returns, tried again after failures that may pass.

        Raises ProviderDown while the breaker is open, the last ChatFailure when patience ends, and at once one that
        would not pass.
        """
        with self._slots:
            deadline = self._clock() + self._policy.total_timeout
            n = 0
            while True:
                outcome = self._once(attempt, min(self._policy.attempt_timeout, deadline - self._clock()))
                if not isinstance(outcome, ChatFailure):
                    return outcome[0]
                n += 1
                wait = self._policy.wait(n - 1, outcome.retry_after, self._uniform)
                if not outcome.retryable or n >= self._policy.attempts or self._clock() + wait >= deadline:
                    raise outcome
                if wait >= self._policy.cap:
                    self._announce(Notice("wait", f"waiting {wait:.0f} s, because {outcome}"))
                self._sleep(wait)
                if self._clock() >= deadline:
                    raise outcome

    def _once(self, attempt: Callable[[float], T], timeout: float) -> tuple[T] | ChatFailure:
        self._breaker.enter()
        try:
            found = attempt(timeout)
        except ChatFailure as failure:
            if failure.retryable or failure.every_call:
                self._breaker.failure(str(failure))
            else:
                self._breaker.success()
            return failure
        except BaseException:
            self._breaker.leave()
            raise
        self._breaker.success()
        return (found,)


def within(seconds: float, call: Callable[[], T], late: Callable[[], Exception]) -> T:
    """What `call` returns, if it does within `seconds`; else raises ``late()`` and leaves the call behind.

    The packages' own time-outs count from one byte to the next, so that a server that drips can hold them for ever;
    this one counts from the beginning.  The call runs in a thread that does not keep the process alive.
    """
    outcome: list[T | BaseException] = []
    failed: list[bool] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(call())
            failed.append(False)
        except BaseException as error:  # handed to the caller's thread
            outcome.append(error)
            failed.append(True)
        finally:
            done.set()

    threading.Thread(target=work, name="chat-request", daemon=True).start()
    if not done.wait(seconds):
        raise late()
    found = outcome[0]
    if failed[0]:
        assert isinstance(found, BaseException)
        raise found
    return found  # type: ignore[return-value]
