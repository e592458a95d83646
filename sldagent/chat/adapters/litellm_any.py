"""Every other provider, through litellm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sldagent.chat.adapters.common import Adapter, causes, need_package
from sldagent.chat.adapters.wire import openai_answer, status_failure
from sldagent.chat.base import ChatAnswer, ChatRequest
from sldagent.chat.failures import ChatFailure
from sldagent.chat.specs import ModelSpec

_MARKS_PREFIXES = ("anthropic", "bedrock", "vertex_ai")
"""Providers whose prompt caches want a mark."""
_CONNECTION = frozenset(
    ("ConnectError", "ReadError", "WriteError", "RemoteProtocolError", "ConnectionError", "ConnectionResetError")
)
"""Names of the exceptions, of several packages, that a broken connection causes."""
_OURS = frozenset({"model", "messages", "timeout", "max_retries", "num_retries", "drop_params"})


class LiteLLMBackend(Adapter):
    """``litellm:PROVIDER/MODEL``; litellm reads the provider's own environment variables."""

    def __init__(self, spec: ModelSpec, environment: Mapping[str, str]) -> None:
        """Raises ConfigError where the package is missing."""
        super().__init__(spec, environment)
        need_package("litellm", spec)
        # Without this, importing litellm fetches a price table from the network.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        litellm.suppress_debug_info = True
        litellm.telemetry = False
        self._litellm: Any = litellm

    def fields(self, request: ChatRequest) -> dict[str, Any]:
        marks = self.spec.model.partition("/")[0] in _MARKS_PREFIXES
        found: dict[str, Any] = {"messages": [], "max_tokens": request.max_tokens}
        for m in request.messages:
            content: Any = m.text
            if marks and m.cache:
                content = [{"type": "text", "text": m.text, "cache_control": {"type": "ephemeral"}}]
            found["messages"].append({"role": m.role, "content": content})
        if request.temperature is not None:
            found["temperature"] = request.temperature
        if request.seed is not None:
            found["seed"] = request.seed
        return {**found, **{name: value for name, value in request.extra.items() if name not in _OURS}}

    def send(self, fields: Mapping[str, Any], timeout: float) -> ChatAnswer:
        # litellm's retries stack with those of the package underneath: both are off.
        response = self._litellm.completion(
            model=self.spec.model, timeout=timeout, max_retries=0, num_retries=0, drop_params=True, **fields
        )
        return openai_answer(str(self.spec), response.model_dump())

    def caught(self) -> tuple[type[Exception], ...]:
        # litellm raises whatever the provider's client raised, and at times a plain Exception.
        return (Exception,)

    def failure(self, error: Exception, timeout: float) -> ChatFailure:
        message = self.hidden(getattr(error, "message", "") or error)
        names = [type(cause).__name__ for cause in causes(error)]
        if isinstance(error, self._litellm.Timeout):
            return self.timed_out(timeout, sent="ConnectTimeout" not in names)
        status = getattr(error, "status_code", None)
        # litellm reports lost connections and unreadable answers as a server's error; only one that comes from an
        # HTTP status is sure not to be charged.
        real = any(name.endswith("HTTPStatusError") for name in names)
        if isinstance(status, int) and 400 <= status < 600 and (status < 500 or real):
            headers = getattr(error, "litellm_response_headers", None)
            if not headers:
                headers = getattr(getattr(error, "response", None), "headers", None)
            return status_failure(str(self.spec), status, message, headers if isinstance(headers, Mapping) else {})
        if any(name in _CONNECTION for name in names):
            return self.unreachable(error)
        return ChatFailure("malformed", f"{self.spec} sent an answer that cannot be read: {message or names[0]}")

    def close(self) -> None:
        """litellm keeps its own connections."""
