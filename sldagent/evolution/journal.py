"""Commits to the archive in batches, always in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sldagent.archive.records import CandidateRecord, Checkpoint, Note


class Recorder(Protocol):
    """The part of the archive that takes candidates."""

    def commit(
        self, run: str, records: Sequence[CandidateRecord], notes: Sequence[Note] = (),
        checkpoints: Sequence[Checkpoint] = (),
    ) -> object: ...


class Journal:
    """Collects committed candidates, lines of the log and checkpoints, and writes them together.

    A transaction per candidate would cost more than many evaluations.  What is not yet written is lost only when the
    process is killed, and then candidates go with the lines that tell of them; every other way out goes through `flush`.
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
        self._notes: list[Note] = []
        self._checkpoints: list[Checkpoint] = []
        self._written = clock()

    def add(self, record: CandidateRecord) -> None:
        """Take a candidate; `tick` writes it when its time has come."""
        self._waiting.append(record)

    def note(self, note: Note) -> None:
        """Take a line of the log; it is written with the candidates that wait."""
        self._notes.append(note)

    def mark(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint; it is written with the candidates that wait, in one transaction."""
        self._checkpoints.append(checkpoint)

    def tick(self) -> None:
        """Write if enough candidates wait, or if anything but lines waits and the last writing was long enough ago."""
        due = len(self._waiting) >= self._limit or self._clock() - self._written >= self._seconds
        if due and (self._waiting or self._checkpoints):
            self.flush()

    def flush(self) -> None:
        """Write all that waits; it stays waiting when the archive refuses it."""
        if self._waiting or self._notes or self._checkpoints:
            self._archive.commit(self._run, tuple(self._waiting), tuple(self._notes), tuple(self._checkpoints))
            self._waiting.clear()
            self._notes.clear()
            self._checkpoints.clear()
        self._written = self._clock()
