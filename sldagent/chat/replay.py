"""Answers from recorded rows: exact, offline, free."""

from __future__ import annotations

from collections.abc import Sequence

from sldagent.archive.chat import CallRecord, ChatStore
from sldagent.chat.base import ChatAnswer, ChatRequest, Reply, request_key
from sldagent.chat.client import told
from sldagent.chat.failures import MissingAnswer
from sldagent.errors import ConfigError


class ReplayBackend:
    """A `ChatBackend` that answers what the model of this identity answered before."""

    def __init__(self, identity: str, source: ChatStore) -> None:
        self._identity = identity
        self._source = source

    @property
    def identity(self) -> str:
        return self._identity

    def __repr__(self) -> str:
        return f"<ReplayBackend {self._identity}>"

    def row(self, request: ChatRequest) -> CallRecord | None:
        """What was recorded for the request: an answer, or why there is none."""
        found = self._source.call(request_key(self._identity, request))
        return found if found is not None and (found.answered or found.error is not None) else None

    def complete(self, request: ChatRequest, timeout: float) -> ChatAnswer:
        """The recorded answer; `timeout` is not needed.  Raises the recorded ChatFailure, or MissingAnswer."""
        row = self.row(request)
        if row is None:
            raise missing([self._identity], request)
        return told([row]).answer

    def close(self) -> None:
        """Nothing to let go of."""


class ReplayChat:
    """A `Chat` over the models of a recorded run, in their order; copies what it uses into another archive."""

    def __init__(self, identities: Sequence[str], source: ChatStore, target: ChatStore | None = None) -> None:
        """`target`: where the rows go that were used, unchanged but for the moment; None: nowhere.

        Raises ConfigError for no model.
        """
        if not identities:
            raise ConfigError("no language model was named")
        self._backends = [ReplayBackend(identity, source) for identity in identities]
        self._target = target

    @property
    def identity(self) -> str:
        """The model asked first."""
        return self._backends[0].identity

    def ask(self, request: ChatRequest) -> Reply:
        """The recorded answer of the first model that has one.  Raises the recorded ChatFailure, MissingAnswer, or
        ArchiveError."""
        rows = [row for backend in self._backends if (row := backend.row(request)) is not None]
        if not rows:
            raise missing([backend.identity for backend in self._backends], request)
        row = next((row for row in rows if row.answered), rows[0])
        if self._target is not None:
            self._target.copy(row)
        return told([row])


def missing(identities: Sequence[str], request: ChatRequest) -> MissingAnswer:
    """The one error of a replay that left its record."""
    key = request_key(identities[0], request)
    return MissingAnswer(
        f"the archive holds no answer of {' or '.join(identities)} to request {key[:12]}…, draw {request.draw}; "
        "a replay needs the recording run's own configuration, and goes no further than that run went"
    )
