"""Requests, answers, keys; nothing secret in a message; no way out of the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.chat.base import ChatAnswer, ChatRequest, Message, Usage, content_hash, request_key
from sldagent.chat.redact import HIDDEN, LONGEST, redacted
from sldagent.errors import ConfigError

ASK = ChatRequest((Message("user", "a law?"),), 10)


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": (Message("user", "a law!"),)},
        {"messages": (Message("system", "a law?"),)},
        {"messages": (Message("user", "a law?"), Message("user", ""))},
        {"max_tokens": 11},
        {"temperature": 0.0},
        {"seed": 1},
        {"extra": {"grammar": "x"}},
    ],
)
def test_whatever_can_change_an_answer_changes_the_key(changed: dict) -> None:
    other = ChatRequest(**{"messages": ASK.messages, "max_tokens": 10, **changed})
    assert content_hash("local:m", other) != content_hash("local:m", ASK)


def test_keys() -> None:
    again = ChatRequest((Message("user", "a law?", cache=True),), 10, draw=3)
    assert content_hash("local:m", again) == content_hash("local:m", ASK), "a mark for the cache changes no answer"
    assert request_key("local:m", again) == content_hash("local:m", ASK) + "-3"
    assert content_hash("local:n", ASK) != content_hash("local:m", ASK)
    first = ChatRequest((Message("user", "½", cache=True),), 5, extra={"b": 1, "a": 2})
    second = ChatRequest((Message("user", "½"),), 5, extra={"a": 2, "b": 1})
    assert content_hash("x:y", first) == content_hash("x:y", second), "the order of fields does not matter"


def test_the_canonical_form_is_frozen() -> None:
    """Recorded answers are found by this hash: a change here loses them all, unless FORMAT says so."""
    request = ChatRequest((Message("user", "½"),), 5, temperature=0.5, extra={"a": 2})
    assert content_hash("x:y", request) == "296d969e3625522298c5fe8a382b4b739f9ff4374a7aea646c16256b240456d4"


@pytest.mark.parametrize(
    "bad",
    [{"messages": ()}, {"max_tokens": 0}, {"draw": -1}, {"temperature": float("nan")}, {"temperature": -1.0}],
)
def test_requests_out_of_range(bad: dict) -> None:
    with pytest.raises(ConfigError):
        ChatRequest(**{"messages": ASK.messages, "max_tokens": 10, **bad})


@given(st.text(), st.sampled_from(["stop", "length", "filter", "other"]), st.none() | st.integers(0, 10**9))
def test_answers_survive_the_archive(text: str, finish: str, tokens: int | None) -> None:
    answer = ChatAnswer(text, finish, "m", Usage(tokens, tokens, None, tokens), "id")  # type: ignore[arg-type]
    assert ChatAnswer.from_json(answer.to_json()) == answer


def test_redaction() -> None:
    environment = {"OPENAI_API_KEY": "hunter2hunter2", "PLACE": "somewhere", "MY_TOKEN": "abc"}
    shown = redacted("key hunter2hunter2\nof somewhere abc, sk-proj-12345678abc, Bearer xyz", environment)
    assert shown == f"key {HIDDEN} of somewhere abc, {HIDDEN}, {HIDDEN}"
    assert len(redacted("x" * 10_000, {})) == LONGEST


def test_no_test_can_leave_this_machine() -> None:
    for address in (("192.0.2.1", 80), ("example.org", 443)):
        with pytest.raises(AssertionError, match="tried to"):
            socket.create_connection(address, timeout=0.1)
    with pytest.raises(AssertionError, match="tried to"), socket.socket() as raw:
        raw.connect_ex(("192.0.2.1", 80))
    assert not [name for name in os.environ if name.endswith("_API_KEY") or name.upper().endswith("_PROXY")]


def test_importing_the_package_imports_no_providers_package() -> None:
    program = (
        "import sys, sldagent.chat.client, sldagent.chat.replay, sldagent.chat.adapters, sldagent.chat.prices\n"
        "import sldagent.chat.adapters.wire\n"
        "print([m for m in ('openai', 'anthropic', 'litellm', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
