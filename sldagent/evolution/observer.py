"""Who watches a run: the progress display, a log, a test.  Observers decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from sldagent.archive.records import CandidateRecord, Note
from sldagent.evolution.state import SearchState

EventKind = Literal["start", "resume", "seeds", "migration", "reset", "emphasis", "model", "stop", "end"]


@dataclass(frozen=True)
class Event:
    """Something worth a line."""

    kind: EventKind
    committed: int
    """Candidates committed when it happened."""
    message: str
    elapsed: float = 0.0
    """Seconds of search before this session (``resume``)."""

    @property
    def note(self) -> Note:
        """The event as a line of the run's log."""
        return Note(self.kind, self.message, {"committed": self.committed})


class Observer(Protocol):
    """Told of every commit, in order, and of events in between; called in the coordinator's thread.

    Commits of earlier sessions of a run are not told again.
    """

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        """`record` has just been applied to `state`, which must only be read."""
        ...

    def on_event(self, event: Event) -> None: ...

    def on_wait(self, state: SearchState) -> None:
        """Called at least a few times a second while evaluations are waited for."""
        ...


class NullObserver:
    """Looks away."""

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        pass

    def on_event(self, event: Event) -> None:
        pass

    def on_wait(self, state: SearchState) -> None:
        pass
