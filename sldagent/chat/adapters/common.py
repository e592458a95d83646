"""What the adapters have in common: keys, fields that a model refuses, and no way out for either."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NoReturn

from sldagent.chat.base import ChatAnswer, ChatRequest
from sldagent.chat.failures import ChatFailure
from sldagent.chat.redact import redacted
from sldagent.chat.specs import ModelSpec
from sldagent.errors import ConfigError

_OPTIONAL = ("temperature", "seed", "prompt_cache_key")
"""Fields that some models refuse: left out, once and for all, when the provider says so."""

_RENAMED = {"max_completion_tokens": "max_tokens"}
"""Newer name to older, for servers that know the older only."""


def need_package(package: str, spec: ModelSpec) -> None:
    """Raises ConfigError where the provider's package is not installed."""
    if find_spec(package) is None:
        raise ConfigError(f"{spec} needs the package {package}; install sldagent with its 'llm' extra")


def need_key(spec: ModelSpec, environment: Mapping[str, str], *names: str) -> str:
    """The first of these environment variables that is set.  Raises ConfigError where none is."""
    for name in names:
        if environment.get(name, "").strip():
            return environment[name].strip()
    raise ConfigError(f"{spec} needs a key in the environment variable {' or '.join(names)}")


def causes(error: BaseException) -> list[BaseException]:
    """The exception and what caused it, outermost first."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


class Adapter(ABC):
    """A `ChatBackend` over a provider's package.  Holds no key itself, shows none, and cannot be copied to another
    process."""

    def __init__(self, spec: ModelSpec, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self._environment = environment
        self._refused: frozenset[str] = frozenset()
        self._older: frozenset[str] = frozenset()

    @property
    def identity(self) -> str:
        return self.spec.identity

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection to a language model stays in the process that made it")

    def complete(self, request: ChatRequest, timeout: float) -> ChatAnswer:
        fields = self.fields(request)
        while True:
            sent = {_RENAMED.get(n, n) if n in self._older else n: v for n, v in fields.items() if n not in self._refused}
            outcome = self._attempt(sent, timeout)
            if isinstance(outcome, ChatAnswer):
                return outcome
            if not self._give_way(outcome, sent):
                raise outcome

    def _give_way(self, failure: ChatFailure, sent: Mapping[str, Any]) -> bool:
        """Leave out or rename the field that the provider named in its refusal; False where it named none."""
        if failure.kind != "invalid":
            return False
        message = str(failure)
        for name in _OPTIONAL:
            if name in sent and name in message:
                self._refused |= {name}
                return True
        for name in _RENAMED:
            if name in sent and name in message:
                self._older |= {name}
                return True
        return False

    def _attempt(self, fields: Mapping[str, Any], timeout: float) -> ChatAnswer | ChatFailure:
        # The failure is handed over as a value and raised outside the handler, so that it carries no reference to
        # the package's exception, which holds the request's headers.
        try:
            return self.send(fields, timeout)
        except ChatFailure as failure:
            return failure
        except self.caught() as error:
            return self.failure(error, timeout)

    def hidden(self, message: object) -> str:
        """A provider's message without secrets."""
        return redacted(str(message), self._environment)

    def timed_out(self, timeout: float, *, sent: bool = True) -> ChatFailure:
        return ChatFailure("timeout", f"{self.spec} did not answer within {timeout:.3g} s", sent=sent)

    def unreachable(self, error: BaseException) -> ChatFailure:
        """A connection that failed; whether the request was sent follows from the causes' names."""
        names = [type(cause).__name__ for cause in causes(error)]
        sent = not any(name in ("ConnectError", "ConnectTimeout", "ConnectionRefusedError", "gaierror") for name in names)
        said = "dropped the connection" if sent else "cannot be reached"
        return ChatFailure("connection", f"{self.spec} {said} ({self.hidden(error)})", sent=sent)

    @abstractmethod
    def fields(self, request: ChatRequest) -> dict[str, Any]:
        """The request in the provider's own words."""

    @abstractmethod
    def send(self, fields: Mapping[str, Any], timeout: float) -> ChatAnswer:
        """One request over the wire.  Raises ChatFailure or one of `caught`."""

    @abstractmethod
    def caught(self) -> tuple[type[Exception], ...]:
        """The package's exceptions."""

    @abstractmethod
    def failure(self, error: Exception, timeout: float) -> ChatFailure:
        """What one of them means."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""
