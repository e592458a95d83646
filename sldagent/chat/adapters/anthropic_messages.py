"""Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sldagent.chat.adapters.common import Adapter, need_key, need_package
from sldagent.chat.adapters.wire import anthropic_answer, decoded, status_failure
from sldagent.chat.base import ChatAnswer, ChatRequest, Message
from sldagent.chat.failures import ChatFailure
from sldagent.chat.specs import ModelSpec

_MARKS = 4
"""Most prefixes that one request may mark for caching."""


class AnthropicBackend(Adapter):
    """``anthropic:MODEL``; key in ANTHROPIC_API_KEY, or a token in ANTHROPIC_AUTH_TOKEN."""

    def __init__(self, spec: ModelSpec, environment: Mapping[str, str]) -> None:
        """Raises ConfigError where the package or the key is missing."""
        super().__init__(spec, environment)
        need_package("anthropic", spec)
        key = need_key(spec, environment, "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
        import anthropic

        self._anthropic = anthropic
        address = environment.get("ANTHROPIC_BASE_URL", "").strip() or None
        kind = "api_key" if environment.get("ANTHROPIC_API_KEY", "").strip() else "auth_token"
        options: dict[str, Any] = {kind: key}
        self._client = anthropic.Anthropic(**options, base_url=address, max_retries=0)

    def fields(self, request: ChatRequest) -> dict[str, Any]:
        marked = [n for n, message in enumerate(request.messages) if message.cache][-_MARKS:]
        blocks = [(m.role, _block(m, n in marked)) for n, m in enumerate(request.messages)]
        found: dict[str, Any] = {
            "messages": _turns([(role, block) for role, block in blocks if role != "system"]),
            "max_tokens": request.max_tokens,
        }
        if system := [block for role, block in blocks if role == "system"]:
            found["system"] = system
        if request.temperature is not None:
            found["temperature"] = request.temperature
        return {**found, **request.extra}

    def send(self, fields: Mapping[str, Any], timeout: float) -> ChatAnswer:
        rest = {name: value for name, value in fields.items() if name not in ("messages", "max_tokens")}
        raw = self._client.messages.with_raw_response.create(
            model=self.spec.model, max_tokens=fields["max_tokens"], messages=fields["messages"],
            extra_body=rest, timeout=timeout,
        )  # fmt: skip
        return anthropic_answer(str(self.spec), decoded(str(self.spec), raw.http_response.content))

    def caught(self) -> tuple[type[Exception], ...]:
        return (self._anthropic.AnthropicError, ValueError)

    def failure(self, error: Exception, timeout: float) -> ChatFailure:
        sdk = self._anthropic
        if isinstance(error, sdk.APIStatusError):
            return status_failure(str(self.spec), error.status_code, self.hidden(error.message), error.response.headers)
        if isinstance(error, sdk.APITimeoutError):
            return self.timed_out(timeout)
        if isinstance(error, sdk.APIConnectionError):
            return self.unreachable(error)
        return ChatFailure("malformed", f"{self.spec} sent an answer that cannot be read: {self.hidden(error)}")

    def close(self) -> None:
        self._client.close()


def _block(message: Message, marked: bool) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": message.text}
    if marked:
        block["cache_control"] = {"type": "ephemeral"}
    return block


def _turns(blocks: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Messages in turn: neighbours of one role are one message of several blocks."""
    turns: list[dict[str, Any]] = []
    for role, block in blocks:
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].append(block)
        else:
            turns.append({"role": role, "content": [block]})
    return turns
