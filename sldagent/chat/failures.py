"""How asking can fail.  A failure never holds a provider's own exception, since those carry request headers."""

from __future__ import annotations

from typing import Literal

from sldagent.errors import ChatError

Kind = Literal["invalid", "auth", "missing", "quota", "rate", "server", "timeout", "connection", "malformed"]

_RETRYABLE = frozenset({"rate", "server", "timeout", "connection", "malformed"})
_EVERY_CALL = frozenset({"auth", "missing", "quota"})
_UNCLEAR = frozenset({"timeout", "connection", "malformed"})


class ChatFailure(ChatError):
    """One request without a usable answer.

    Attributes:
        kind: ``invalid`` (the provider rejects this request), ``auth``, ``missing`` (no such model or address),
            ``quota`` (paid balance used up), ``rate``, ``server``, ``timeout``, ``connection`` or ``malformed``.
        status: HTTP status where there is one.
        retry_after: seconds that the provider asks to wait.
        sent: False when the request cannot have reached the provider.
    """

    def __init__(
        self, kind: Kind, message: str, *, status: int | None = None, retry_after: float | None = None, sent: bool = True
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.retry_after = retry_after
        self.sent = sent

    @property
    def retryable(self) -> bool:
        """The same request may succeed later."""
        return self.kind in _RETRYABLE

    @property
    def every_call(self) -> bool:
        """Every other request would fail the same way: a key, a name or an account is wrong."""
        return self.kind in _EVERY_CALL

    @property
    def unclear(self) -> bool:
        """The provider may have worked, and charge for it."""
        return self.kind in _UNCLEAR and self.sent


class ProviderDown(ChatError):
    """No provider can be asked now: pause the run; what is recorded stays, and a resumed run goes on from it."""


class BudgetExhausted(ChatError):
    """The next request could cost more than is left.

    Attributes:
        limit: ``usd``, ``calls`` or ``tokens``.
    """

    def __init__(self, limit: Literal["usd", "calls", "tokens"], message: str) -> None:
        super().__init__(message)
        self.limit = limit


class MissingAnswer(ChatError):
    """A replay met a request that was never recorded."""
