"""The values of a conversation, and the two protocols: `ChatBackend` (one provider) and `Chat` (what a proposer uses)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sldagent.errors import ConfigError

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "filter", "other"]
"""How an answer ended: by itself, cut off at `max_tokens`, withheld by the provider's filter, or otherwise."""

FORMAT = 1
"""Part of every key; raised when the canonical form of a request changes."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    text: str
    cache: bool = False
    """Everything up to the end of this message is a prefix that later requests share; providers that bill cached
    prefixes for less are told so.  Not part of a request's key."""


@dataclass(frozen=True)
class ChatRequest:
    """What is asked.  Raises ConfigError for an empty conversation or a number out of range."""

    messages: tuple[Message, ...]
    max_tokens: int
    """Most tokens of the answer, reasoning included."""
    temperature: float | None = None
    """None: the provider's own.  Left out for models that refuse it."""
    seed: int | None = None
    """For servers that take one; left out elsewhere."""
    draw: int = 0
    """Numbers equal requests: each draw is a fresh sample, and the same draw is the same answer for ever."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the provider's own request (a grammar, a reasoning effort), JSON-able."""

    def __post_init__(self) -> None:
        if not self.messages:
            raise ConfigError("a request to a language model needs at least one message")
        if self.max_tokens < 1:
            raise ConfigError(f"a request to a language model needs room for an answer; max_tokens is {self.max_tokens}")
        if self.draw < 0:
            raise ConfigError(f"draws are numbered from 0; this one is {self.draw}")
        if self.temperature is not None and not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ConfigError(f"a temperature is a number from 0 up; this one is {self.temperature}")


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counts them; None where it does not say."""

    tokens_in: int | None = None
    """The whole request, cached tokens included."""
    tokens_out: int | None = None
    """The whole answer, reasoning included."""
    tokens_cached: int | None = None
    """Those of `tokens_in` that were read from a cache."""
    tokens_written: int | None = None
    """Those of `tokens_in` that were written to a cache, where that has a price of its own."""


@dataclass(frozen=True)
class ChatAnswer:
    """What a model said."""

    text: str
    """May be empty."""
    finish: Finish
    model: str
    """As the provider reports it."""
    usage: Usage = Usage()
    request_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """As kept in the archive; `from_json` is the inverse."""
        u = self.usage
        usage = {"in": u.tokens_in, "out": u.tokens_out, "cached": u.tokens_cached, "written": u.tokens_written}
        return {
            "text": self.text, "finish": self.finish, "model": self.model, "request_id": self.request_id, "tokens": usage,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ChatAnswer:
        t = stored["tokens"]
        usage = Usage(t["in"], t["out"], t["cached"], t["written"])
        return cls(stored["text"], stored["finish"], stored["model"], usage, stored["request_id"])


class ChatBackend(Protocol):
    """One model of one provider.  Safe to call from several threads; never retries, never waits longer than asked."""

    @property
    def identity(self) -> str:
        """``KIND:MODEL``; part of every key, so never with an address."""
        ...

    def complete(self, request: ChatRequest, timeout: float) -> ChatAnswer:
        """Ask once; `timeout` in seconds.  Raises `failures.ChatFailure`."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True)
class Reply:
    """An answer with where it is kept."""

    answer: ChatAnswer
    key: str
    """Row of `chat_call`."""
    identity: str
    """The model that answered; a fallback's where one was used."""
    recorded: bool
    """The answer was there already, so nothing was asked."""
    cost: float | None = None
    """US dollars; None: unknown."""


class Chat(Protocol):
    """What a proposer asks.  Safe to call from several threads."""

    @property
    def identity(self) -> str:
        """The model asked first."""
        ...

    def ask(self, request: ChatRequest) -> Reply:
        """The answer, recorded before it is returned.

        Raises failures.ChatFailure (this request has no answer, and that is recorded), failures.ProviderDown,
        failures.BudgetExhausted or failures.MissingAnswer.
        """
        ...


def canonical(request: ChatRequest) -> dict[str, Any]:
    """All of a request that can change its answer, as JSON values; the draw is apart."""
    return {
        "messages": [{"role": m.role, "text": m.text} for m in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
        "extra": dict(request.extra),
    }


def content_hash(identity: str, request: ChatRequest) -> str:
    """SHA-256 of model and request in a canonical text, as 64 hexadecimal digits."""
    body = {"format": FORMAT, "model": identity, **canonical(request)}
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def request_key(identity: str, request: ChatRequest) -> str:
    """Key of the row: content and draw."""
    return f"{content_hash(identity, request)}-{request.draw}"
