"""Who watches a run: the progress display, a log, a test.  Observers decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sldagent.archive.records import CandidateRecord
from sldagent.evolution.state import SearchState

EventKind = Literal["start", "seeds", "migration", "reset", "emphasis", "model", "stop", "end"]


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
        """Called at least a few times a second while evaluations are waited for."""
        ...


class EventLog(Protocol):
    """The part of the archive that keeps a run's log."""

    def event(self, run: str, kind: str, message: str, data: Mapping[str, Any] | None = None) -> object: ...


class LoggingObserver:
    """Writes events to the archive and passes everything on."""

    def __init__(self, observer: Observer, archive: EventLog, run: str) -> None:
        self._observer = observer
        self._archive = archive
        self._run = run

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        self._observer.on_commit(state, record)

    def on_event(self, event: Event) -> None:
        if event.kind != "model":  # when a provider was slow or down is chance; `chat_attempt` has it
            self._archive.event(self._run, event.kind, event.message, {"committed": event.committed})
        self._observer.on_event(event)

    def on_wait(self, state: SearchState) -> None:
        self._observer.on_wait(state)


class NullObserver:
    """Looks away."""

    def on_commit(self, state: SearchState, record: CandidateRecord) -> None:
        pass

    def on_event(self, event: Event) -> None:
        pass

    def on_wait(self, state: SearchState) -> None:
        pass
