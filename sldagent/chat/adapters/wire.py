"""What the two wire formats have in common: from a body to an answer, from an error to a `ChatFailure`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from sldagent.chat.base import ChatAnswer, Finish, Usage
from sldagent.chat.failures import ChatFailure, Kind

_OPENAI_FINISH: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "filter"}
_ANTHROPIC_FINISH: dict[str, Finish] = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "refusal": "filter",
}  # fmt: skip
_QUOTA = ("insufficient_quota", "exceeded your current quota", "credit balance is too low", "billing_hard_limit")
_WAITS = frozenset({408, 409, 425})


def _malformed(who: str, what: str) -> NoReturn:
    raise ChatFailure("malformed", f"{who} sent an answer that cannot be read: {what}")


def decoded(who: str, content: bytes) -> dict[str, Any]:
    """A body as a JSON object.  Raises ChatFailure (malformed)."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        _malformed(who, "no JSON object")
    return body


def openai_answer(who: str, body: Mapping[str, Any]) -> ChatAnswer:
    """The answer in a body of OpenAI's chat completions.  Raises ChatFailure."""
    error = body.get("error")
    if isinstance(error, Mapping):
        code = error.get("code")
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        raise status_failure(who, status, str(error.get("message", "")))
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        _malformed(who, "no choices")
    message = choices[0].get("message")
    if not isinstance(message, Mapping):
        _malformed(who, "a choice without a message")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    if content is not None and not isinstance(content, str):
        _malformed(who, "a message whose content is no text")
    refused = not content and bool(message.get("refusal"))
    finish = "filter" if refused else _OPENAI_FINISH.get(str(choices[0].get("finish_reason")), "other")
    return ChatAnswer(content or "", finish, str(body.get("model") or ""), _openai_usage(body), str(body.get("id") or ""))


def _openai_usage(body: Mapping[str, Any]) -> Usage:
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return Usage()
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, Mapping) else {}
    written = _count(details.get("cache_creation_tokens")) or _count(usage.get("cache_creation_input_tokens"))
    counts = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return _consistent(Usage(*counts, _count(details.get("cached_tokens")), written))


def anthropic_answer(who: str, body: Mapping[str, Any]) -> ChatAnswer:
    """The answer in a body of Anthropic's messages.  Raises ChatFailure."""
    blocks = body.get("content")
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        _malformed(who, "no content")
    text = "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")
    finish = _ANTHROPIC_FINISH.get(str(body.get("stop_reason")), "other")
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    plain, answer = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    cached, written = _count(usage.get("cache_read_input_tokens")), _count(usage.get("cache_creation_input_tokens"))
    # Anthropic counts cached tokens beside its input tokens, not among them.
    total = None if plain is None else plain + (cached or 0) + (written or 0)
    return ChatAnswer(
        text, finish, str(body.get("model") or ""), Usage(total, answer, cached, written), str(body.get("id") or "")
    )


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return int(value)


def _consistent(usage: Usage) -> Usage:
    """`usage` with no more cached tokens than tokens."""
    total = usage.tokens_in
    if total is None:
        return Usage(None, usage.tokens_out)
    cached = None if usage.tokens_cached is None else min(usage.tokens_cached, total)
    written = None if usage.tokens_written is None else min(usage.tokens_written, total - (cached or 0))
    return Usage(total, usage.tokens_out, cached, written)


def status_failure(
    who: str, status: int, message: str, headers: Mapping[str, str] | None = None, now: datetime | None = None
) -> ChatFailure:
    """The failure that an HTTP status means; `message` is the provider's, already without secrets."""
    detail = f": {message}" if message else ""
    if any(mark in message.lower() for mark in _QUOTA):
        return ChatFailure("quota", f"{who}: the account has no balance or quota left ({status}){detail}", status=status)
    kind: Kind
    if status in (401, 403):
        kind, said = "auth", "refused the key"
    elif status == 404:
        kind, said = "missing", "knows no such model or address"
    elif status == 429:
        kind, said = "rate", "asks to slow down"
    elif status in _WAITS or status >= 500:
        kind, said = "server", "is overloaded or out of order"
    else:
        kind, said = "invalid", "rejects the request"
    wait = retry_after(headers or {}, now) if kind in ("rate", "server") else None
    return ChatFailure(kind, f"{who} {said} ({status}){detail}", status=status, retry_after=wait)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the headers ask to wait: ``retry-after-ms``, or ``retry-after`` as seconds or as a date."""
    found = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(found[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(found["retry-after"])
    except (KeyError, ValueError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
