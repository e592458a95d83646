"""`LiveChat`: asks a model, or its fallbacks, with patience, within a budget, and records everything."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sldagent.archive.chat import CallRecord
from sldagent.chat.base import ChatAnswer, ChatBackend, ChatRequest, Reply
from sldagent.chat.failures import ChatFailure, ProviderDown
from sldagent.chat.ledger import Ledger
from sldagent.chat.policy import Announce, Clock, Notice, Patience, Policy, Sleep, Uniform, within
from sldagent.errors import ConfigError

GRACE = 0.25
"""Seconds that a package's own time-out is given to come first."""

_PROVIDERS_FAULT = frozenset({"rate", "server", "connection"})


@dataclass(frozen=True)
class Surroundings:
    """Clock, waiting, chance and who hears of notices; replaced in tests."""

    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    """May return early, for instance when a run is being stopped."""
    uniform: Uniform = random.random
    """Only spreads retries in time; no result depends on it."""
    announce: Announce = lambda notice: None


class LiveChat:
    """A model and its fallbacks, in order.  Safe to use from several threads; one for each model a run may choose, all
    with the run's one ledger."""

    def __init__(
        self, backends: Sequence[ChatBackend], ledger: Ledger, policy: Policy, surroundings: Surroundings | None = None
    ) -> None:
        """Raises ConfigError where the ledger's budget cannot be kept for one of the models."""
        if not backends:
            raise ConfigError("no language model was named")
        around = surroundings or Surroundings()
        for backend in backends:
            ledger.admit(backend.identity)
        self._ledger = ledger
        self._around = around
        self._members = [
            (
                backend,
                Patience(
                    backend.identity, policy, clock=around.clock, sleep=around.sleep, uniform=around.uniform,
                    announce=around.announce,
                ),
            )
            for backend in backends
        ]  # fmt: skip

    @property
    def identity(self) -> str:
        """The model asked first."""
        return self._members[0][0].identity

    def __repr__(self) -> str:
        return f"<LiveChat {', '.join(backend.identity for backend, _ in self._members)}>"

    def ask(self, request: ChatRequest) -> Reply:
        """The recorded answer, else a new one, recorded before it is returned.

        Raises ChatFailure (no answer to this request; recorded, except where every request would fail alike),
        ProviderDown, BudgetExhausted or ArchiveError.
        """
        rows = [row for backend, _ in self._members if (row := self._ledger.recorded(backend.identity, request)) is not None]
        if rows:
            return told(rows)
        passed: list[str] = []
        for place, (backend, patience) in enumerate(self._members):
            if passed:
                self._around.announce(Notice("fallback", f"asking {backend.identity} instead, because {passed[-1]}"))
            try:
                return reply(patience.run(self._attempt(backend, request)), recorded=False)
            except ProviderDown as down:
                passed.append(str(down))
            except ChatFailure as failure:
                last = place == len(self._members) - 1
                if not failure.every_call and failure.kind not in _PROVIDERS_FAULT:
                    self._ledger.give_up(backend.identity, request, failure)
                    raise
                if failure.every_call and last:
                    raise
                passed.append(str(failure))
        raise ProviderDown("; ".join(passed))

    def _attempt(self, backend: ChatBackend, request: ChatRequest) -> Callable[[float], CallRecord]:
        clock = self._around.clock

        def attempt(timeout: float) -> CallRecord:
            reservation = self._ledger.reserve(backend.identity, request)
            begun = clock()
            try:
                answer = within(timeout + GRACE, lambda: backend.complete(request, timeout), lambda: _late(backend, timeout))
            except ChatFailure as failure:
                self._ledger.fail(reservation, failure, clock() - begun)
                raise
            except BaseException:
                self._ledger.fail(reservation, None, clock() - begun)
                raise
            return self._ledger.settle(reservation, answer, clock() - begun)

        return attempt

    def close(self) -> None:
        """Let go of all connections."""
        for backend, _ in self._members:
            backend.close()


def _late(backend: ChatBackend, timeout: float) -> ChatFailure:
    return ChatFailure("timeout", f"{backend.identity} did not finish its answer within {timeout:.3g} s")


def told(rows: Sequence[CallRecord]) -> Reply:
    """The first answer among decided rows; raises the ChatFailure of the first row where none is answered."""
    for row in rows:
        if row.answered:
            return reply(row, recorded=True)
    raise ChatFailure("invalid", rows[0].error or "")


def reply(row: CallRecord, *, recorded: bool) -> Reply:
    """The answer in an answered row."""
    assert row.response is not None
    return Reply(ChatAnswer.from_json(row.response), row.key, f"{row.backend}:{row.model}", recorded, row.cost)
