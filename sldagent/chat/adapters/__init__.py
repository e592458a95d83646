"""One adapter per provider's package; each imports its package when it is made, never before."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sldagent.chat.base import ChatBackend
from sldagent.chat.specs import ModelSpec


def make_backend(spec: ModelSpec, environment: Mapping[str, str] | None = None) -> ChatBackend:
    """The adapter for `spec`, with its key from `environment` (default: this process's).

    Raises ConfigError where the provider's package is not installed or its key is not set.
    """
    environment = os.environ if environment is None else environment
    if spec.kind == "anthropic":
        from sldagent.chat.adapters.anthropic_messages import AnthropicBackend

        return AnthropicBackend(spec, environment)
    if spec.kind == "litellm":
        from sldagent.chat.adapters.litellm_any import LiteLLMBackend

        return LiteLLMBackend(spec, environment)
    from sldagent.chat.adapters.openai_chat import OpenAIBackend

    return OpenAIBackend(spec, environment)
