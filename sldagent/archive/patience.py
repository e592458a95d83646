"""What a writer does when the database server goes away: wait longer and longer, try again, and give up at some point.

A transaction that was under way may have been committed before its answer was lost.  So every repeated piece of work
first looks whether it is done already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sldagent.errors import ArchiveUnavailable

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds that a writer waits for a server that went away before it gives up."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
STEP = 0.2
"""Seconds between looks at `give_up_when` while waiting."""

_log = logging.getLogger(__name__)


class Patience:
    """Repeats work that lost the server.  Once it has given up, further work is tried once and not repeated.

    Attributes:
        give_up_when: asked while waiting; True ends the wait, as when the user wants to stop.
    """

    def __init__(
        self, seconds: float = PATIENCE, *, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._spent = False
        self.give_up_when: Callable[[], bool] = lambda: False

    def persist(self, work: Callable[[bool], T]) -> T:
        """``work(first)`` until it finds the server; `first` is False where an earlier try may have been committed.

        Raises ArchiveUnavailable when the server stays away, and at once what else `work` raises.
        """
        end, pause, first = self._clock() + self._seconds, FIRST_PAUSE, True
        while True:
            try:
                found = work(first)
            except ArchiveUnavailable as error:
                if self._spent or self._clock() + pause > end or self.give_up_when():
                    self._spent = True
                    raise
                if first:
                    _log.warning("%s; trying again for up to %.0f seconds", error, self._seconds)
                self._wait(pause)
                pause, first = min(2.0 * pause, LONGEST_PAUSE), False
            else:
                self._spent = False
                return found

    def _wait(self, seconds: float) -> None:
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0 and not self.give_up_when():
            self._sleep(min(STEP, left))
