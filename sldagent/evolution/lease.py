"""A coordinator's signs of life, and what it learns from the archive while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from sldagent.archive.sessions import BEAT_SECONDS, RunTaken
from sldagent.errors import ArchiveError


class Pulse(Protocol):
    """The part of the archive that takes signs of life (`sldagent.archive.sessions.SessionStore`)."""

    def beat(self, run: str, n: int, seconds: float) -> bool: ...


class Lease:
    """While inside, gives a sign of life every few seconds and sets `stop` when somebody asks the run to end.

    It works in a thread of its own, so that a slow step of the search is not taken for death.  A beat that the archive
    does not take is left out: the next commit will say what is wrong.  Once the run is taken over by another process,
    `stop` is set too, and the next commit is refused.
    """

    def __init__(
        self, pulse: Pulse, run: str, session: int, stop: threading.Event, seconds: Callable[[], float],
        every: float = BEAT_SECONDS,
    ) -> None:
        """`seconds` tells the search time of this session."""
        self._pulse = pulse
        self._run = run
        self._session = session
        self._stop = stop
        self._seconds = seconds
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {run}", daemon=True)

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            try:
                if self._pulse.beat(self._run, self._session, self._seconds()):
                    self._stop.set()
            except RunTaken:
                self._stop.set()
                return
            except ArchiveError:
                continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
