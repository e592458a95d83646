"""Who watches a run: the progress display, a log, a test.  Observers decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from sldagent.archive.records import CandidateRecord
from sldagent.evolution.state import SearchState

EventKind = Literal["start", "seeds", "migration", "reset", "stop", "end"]


@dataclass(frozen=True)
class Event:
    """Something worth a line."""

    kind: EventKind
    committed: int
    """Candidates committed when it happened."""
    message: str


class Observer(Protocol):
    """Told of every commit, in order, and of events in between; called in the coordinator's thread."""

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        """`record` has just been applied to `state`, which must only be read."""
        ...

    def on_event(self, event: Event) -> None: ...

    def on_wait(self, state: SearchState) -> None:
        """Called a few times a second while evaluations are waited for."""
        ...


class NullObserver:
    """Looks away."""

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        pass

    def on_event(self, event: Event) -> None:
        pass

    def on_wait(self, state: SearchState) -> None:
        pass
