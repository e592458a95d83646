"""When a run ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Literal

from sldagent.evolution.config import RunConfig

StopReason = Literal["candidates", "stagnation", "time", "interrupted", "provider"]


class StopRule:
    """Says after each commit whether to propose no more.

    `candidates` and `stagnation` depend on commits only, so they end every repetition of a run at the same
    place, and the candidates in flight are then all waited for.  `time` and `interrupted` are outside events:
    candidates in flight get a few seconds when time is up, none when the run is interrupted, since a resumed
    run proposes them again.

    `spent` is the search time of earlier sessions in seconds; it counts.
    """

    def __init__(
        self, config: RunConfig, stop: threading.Event, clock: Callable[[], float], spent: float = 0.0
    ) -> None:
        self._config = config
        self._stop = stop
        self._clock = clock
        self._spent = spent
        self._began = clock()

    def start(self) -> None:
        """The search begins now: what came before (a replay) does not count."""
        self._began = self._clock()

    @property
    def session_seconds(self) -> float:
        """Search time of this session."""
        return self._clock() - self._began

    @property
    def seconds(self) -> float:
        """Search time of the run, all sessions together."""
        return self._spent + self.session_seconds

    def by_count(self, committed: int, last_change: int) -> StopReason | None:
        """The reason that follows from the commits, if any.

        `committed` candidates so far, of which `last_change` was the last to change the front (-1: none).
        """
        if self._config.candidates is not None and committed >= self._config.candidates:
            return "candidates"
        if self._config.stagnation and committed - 1 - last_change >= self._config.stagnation:
            return "stagnation"
        return None

    def interrupted(self) -> bool:
        """Whether somebody wishes the run to end."""
        return self._stop.is_set()

    def from_outside(self) -> StopReason | None:
        """The reason that follows from the clock or the user, if any."""
        if self.interrupted():
            return "interrupted"
        if self._config.minutes is not None and self.seconds >= 60.0 * self._config.minutes:
            return "time"
        return None


@contextlib.contextmanager
def interruptible(stop: threading.Event) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM set `stop`; a second SIGINT raises KeyboardInterrupt.

    Does nothing outside the main thread, where Python allows no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
