"""Commits to the archive in batches, always in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sldagent.archive.records import CandidateRecord


class Recorder(Protocol):
    """The part of the archive that takes candidates."""

    def commit(self, run: str, records: Sequence[CandidateRecord]) -> object: ...


class Journal:
    """Collects committed candidates and writes them when enough have come or enough time has passed.

    A transaction per candidate would cost more than many evaluations.  What is not yet written is lost only
    when the process is killed; every other way out goes through `flush`.
    """

    def __init__(
        self, archive: Recorder, run: str, clock: Callable[[], float], *, seconds: float = 0.5,
        records: int = 64,
    ) -> None:
        self._archive = archive
        self._run = run
        self._clock = clock
        self._seconds = seconds
        self._limit = records
        self._waiting: list[CandidateRecord] = []
        self._written = clock()

    def add(self, record: CandidateRecord) -> None:
        self._waiting.append(record)
        if len(self._waiting) >= self._limit:
            self.flush()
        else:
            self.tick()

    def tick(self) -> None:
        """Write if the last writing was long enough ago."""
        if self._waiting and self._clock() - self._written >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Write all that waits; records stay waiting when the archive refuses them."""
        if self._waiting:
            self._archive.commit(self._run, tuple(self._waiting))
            self._waiting.clear()
        self._written = self._clock()
