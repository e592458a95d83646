"""How a user names a model: ``openai:MODEL``, ``anthropic:MODEL``, ``litellm:PROVIDER/MODEL``, ``local:MODEL@URL``."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, cast
from urllib.parse import urlsplit

from sldagent.errors import ConfigError

SpecKind = Literal["openai", "anthropic", "litellm", "local"]

FORMS: dict[SpecKind, str] = {
    "openai": "openai:MODEL",
    "anthropic": "anthropic:MODEL",
    "litellm": "litellm:PROVIDER/MODEL",
    "local": "local:MODEL@URL",
}
_ALL = ", ".join(FORMS.values())


@dataclass(frozen=True)
class ModelSpec:
    """A model and how to reach it."""

    kind: SpecKind
    model: str
    url: str = ""
    """Address of an OpenAI-compatible server, for ``local`` only."""

    @property
    def identity(self) -> str:
        """``KIND:MODEL``, without an address: a server that moves keeps its answers."""
        return f"{self.kind}:{self.model}"

    def __str__(self) -> str:
        return f"{self.identity}@{self.url}" if self.url else self.identity


def parse_spec(text: str) -> ModelSpec:
    """The model that `text` names.  Raises ConfigError with the forms that there are."""
    name, colon, rest = text.strip().partition(":")
    if not colon or name not in FORMS:
        near = get_close_matches(name, FORMS, n=1)
        hint = f"; did you mean {FORMS[cast(SpecKind, near[0])]}?" if near else ""
        raise ConfigError(f"{_shown(text)} names no language model; write one of {_ALL}{hint}")
    kind: SpecKind = name
    url = ""
    if kind == "local":
        at = max(rest.rfind("@http://"), rest.rfind("@https://"))
        if at < 0:
            raise ConfigError(
                f"{_shown(text)} does not say where the server is; write local:MODEL@URL, "
                "such as local:MODEL@http://127.0.0.1:8080/v1"
            )
        rest, url = rest[:at], _url(rest[at + 1 :])
    if not rest or rest != rest.strip() or not rest.isprintable() or any(c.isspace() for c in rest):
        raise ConfigError(f"{_shown(text)} names no model; write {FORMS[kind]}")
    if kind == "litellm" and not all(rest.partition("/")):
        raise ConfigError(f"{_shown(text)} does not name a provider; write {FORMS[kind]}")
    return ModelSpec(kind, rest, url)


def _url(text: str) -> str:
    """A server's address, checked; without a final slash."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError("the address of the local server cannot be read; write http://HOST:PORT/v1") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(
            "the address of a local server must hold no user, password or query, since it is stored with the run; "
            "put a key into the environment variable SLDAGENT_LOCAL_API_KEY"
        )
    if not parts.hostname or port == 0 or any(c.isspace() for c in text):
        raise ConfigError(f"{text!r} is not the address of a server; write http://HOST:PORT/v1")
    return text.rstrip("/")


def _shown(text: str) -> str:
    """The text for a message, without what might be a password in an address."""
    head, slashes, tail = text.partition("://")
    return repr(f"{head}://…@{tail.rpartition('@')[2]}" if slashes and "@" in tail else text)
