"""OpenAI's chat completions: OpenAI itself, and every server that speaks its protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sldagent.chat.adapters.common import Adapter, need_key, need_package
from sldagent.chat.adapters.wire import decoded, openai_answer, status_failure
from sldagent.chat.base import ChatAnswer, ChatRequest
from sldagent.chat.failures import ChatFailure
from sldagent.chat.specs import ModelSpec

LOCAL_KEY = "SLDAGENT_LOCAL_API_KEY"


class OpenAIBackend(Adapter):
    """``openai:MODEL`` (key in OPENAI_API_KEY) and ``local:MODEL@URL`` (key, if any, in SLDAGENT_LOCAL_API_KEY).

    A local server never sees OpenAI's key, organisation or headers.
    """

    def __init__(self, spec: ModelSpec, environment: Mapping[str, str]) -> None:
        """Raises ConfigError where the package or the key is missing."""
        super().__init__(spec, environment)
        need_package("openai", spec)
        local = spec.kind == "local"
        key = environment.get(LOCAL_KEY, "").strip() or "none" if local else need_key(spec, environment, "OPENAI_API_KEY")
        import openai

        self._openai = openai
        address = spec.url if local else environment.get("OPENAI_BASE_URL", "").strip() or None
        self._client = openai.OpenAI(api_key=key, base_url=address, max_retries=0)
        if local:
            # The package reads these from the environment by itself; they belong to OpenAI.
            for name in ("organization", "project", "admin_api_key"):
                if hasattr(self._client, name):
                    setattr(self._client, name, None)
            self._client._custom_headers = {}

    def fields(self, request: ChatRequest) -> dict[str, Any]:
        local = self.spec.kind == "local"
        found: dict[str, Any] = {
            "messages": [{"role": m.role, "content": m.text} for m in request.messages],
            "max_tokens" if local else "max_completion_tokens": request.max_tokens,
        }
        if request.temperature is not None:
            found["temperature"] = request.temperature
        if request.seed is not None:
            found["seed"] = request.seed
        if not local and (prefix := cached_prefix(request)):
            found["prompt_cache_key"] = prefix
        return {**found, **request.extra}

    def send(self, fields: Mapping[str, Any], timeout: float) -> ChatAnswer:
        rest = {name: value for name, value in fields.items() if name != "messages"}
        raw = self._client.chat.completions.with_raw_response.create(
            model=self.spec.model, messages=fields["messages"], extra_body=rest, timeout=timeout
        )
        return openai_answer(str(self.spec), decoded(str(self.spec), raw.http_response.content))

    def caught(self) -> tuple[type[Exception], ...]:
        return (self._openai.OpenAIError, ValueError)

    def failure(self, error: Exception, timeout: float) -> ChatFailure:
        sdk = self._openai
        if isinstance(error, sdk.APIStatusError):
            body = str(error.body.get("code") or "") if isinstance(error.body, dict) else ""
            message = self.hidden(f"{error.message} {body}")
            return status_failure(str(self.spec), error.status_code, message, error.response.headers)
        if isinstance(error, sdk.APITimeoutError):
            return self.timed_out(timeout)
        if isinstance(error, sdk.APIConnectionError):
            return self.unreachable(error)
        return ChatFailure("malformed", f"{self.spec} sent an answer that cannot be read: {self.hidden(error)}")

    def close(self) -> None:
        self._client.close()


def cached_prefix(request: ChatRequest) -> str:
    """A short name of the prefix marked for caching, the same for all requests that share it; '' without a mark."""
    marks = [n for n, message in enumerate(request.messages) if message.cache]
    if not marks:
        return ""
    text = "\0".join(message.text for message in request.messages[: marks[0] + 1])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
