"""One contract for all adapters, over the real wire formats."""

from __future__ import annotations

import gc
import logging
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest

from sldagent.chat.adapters import make_backend
from sldagent.chat.base import ChatBackend, ChatRequest, Message, Usage
from sldagent.chat.failures import ChatFailure
from sldagent.chat.specs import parse_spec
from sldagent.errors import ConfigError

KEY = "sk-test-" + "0" * 20 + "never-to-be-seen"
CODE = "```python\ndef law(N, E, A, a):\n    return E + A * N**-"


def failed(backend: ChatBackend, request: ChatRequest, timeout: float = 20.0) -> ChatFailure:
    with pytest.raises(ChatFailure) as caught:
        backend.complete(request, timeout)
    return caught.value


def test_an_answer(backend: ChatBackend, server: Any, asking: Callable[..., ChatRequest]) -> None:
    server.script = [{"text": "a law: ½"}]
    answer = backend.complete(asking(), 20)
    assert (answer.text, answer.finish) == ("a law: ½", "stop")
    assert answer.model.endswith("-2026")
    assert (answer.usage.tokens_in, answer.usage.tokens_out, answer.usage.tokens_cached) == (11, 7, 4)
    assert len(server.seen) == 1


def test_what_is_sent(backend: ChatBackend, provider: Any, server: Any, asking: Callable[..., ChatRequest]) -> None:
    backend.complete(asking("what now?", temperature=0.7, seed=3), 20)
    path, _, body = server.seen[0]
    text = str(body)
    assert "You find laws." in text
    assert "what now?" in text
    assert body["temperature"] == 0.7
    assert not body.get("stream")
    assert 100 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    if "anthropic" in provider.name:
        assert path == "/v1/messages"
        assert text.count("'cache_control': {'type': 'ephemeral'") == 1
        assert body["system"][0]["cache_control"]["type"] == "ephemeral"
        assert "seed" not in body
    else:
        assert path == "/v1/chat/completions"
        assert body["seed"] == 3
        assert "cache_control" not in text
        assert [m["role"] for m in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "every_call"),
    [
        (400, "invalid", False, False),
        (401, "auth", False, True),
        (403, "auth", False, True),
        (404, "missing", False, True),
        (429, "rate", True, False),
        (500, "server", True, False),
        (503, "server", True, False),
        (529, "server", True, False),
    ],
)
def test_refusals(
    backend: ChatBackend, server: Any, asking: Any, status: int, kind: str, retryable: bool, every_call: bool
) -> None:
    server.script = [{"status": status, "message": "scripted reason"}]
    failure = failed(backend, asking())
    assert (failure.kind, failure.retryable, failure.every_call) == (kind, retryable, every_call)
    assert not failure.unclear, "a refusal is not charged"
    assert "scripted reason" in str(failure)
    assert len(server.seen) == 1, "adapters never retry"


def test_retry_after(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"status": 429, "headers": {"Retry-After": "7"}}]
    assert failed(backend, asking()).retry_after == 7
    server.script = [{"status": 429}]
    assert failed(backend, asking()).retry_after is None


def test_an_account_without_balance_is_not_a_rate_limit(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"status": 429, "message": "You exceeded your current quota", "code": "insufficient_quota"}]
    failure = failed(backend, asking())
    assert failure.kind == "quota"
    assert failure.every_call
    assert not failure.retryable


def test_time_out(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"sleep": 1.5, "text": "late"}]
    begun = time.monotonic()
    failure = failed(backend, asking(), 0.3)
    assert failure.kind == "timeout"
    assert failure.unclear, "the provider may have worked and charge for it"
    assert time.monotonic() - begun < 1.4


def test_dropped_connection(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"drop": True}]
    failure = failed(backend, asking())
    assert failure.retryable
    assert failure.unclear
    assert failure.kind == "connection"
    assert len(server.seen) == 1


def test_nobody_listens(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.shutdown()
    server.server_close()
    failure = failed(backend, asking())
    assert failure.retryable
    assert failure.kind == "connection"
    assert not failure.unclear, "what was not sent is not charged"


@pytest.mark.parametrize("body", [b'{"choices": [{"mess', b"<html>busy</html>", b"[]", b"{}", b"", b'{"choices": []}'])
def test_unreadable_bodies(backend: ChatBackend, server: Any, asking: Any, body: bytes) -> None:
    server.script = [{"raw": body}]
    failure = failed(backend, asking())
    assert failure.retryable
    assert failure.unclear
    assert len(server.seen) == 1


def test_a_stream_that_nobody_asked_for_is_unreadable(backend: ChatBackend, server: Any, asking: Any) -> None:
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "E"}}]}\n\ndata: [DONE]\n\n'
    server.script = [{"raw": event, "headers": {"Content-Type": "text/event-stream"}}]
    failure = failed(backend, asking())
    assert failure.retryable
    assert failure.unclear


def test_an_empty_answer_is_an_answer(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"text": ""}]
    answer = backend.complete(asking(), 20)
    assert answer.text == ""
    assert answer.usage.tokens_out == 7


def test_truncated_code_is_told(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"text": CODE, "finish": "length"}]
    answer = backend.complete(asking(), 20)
    assert (answer.text, answer.finish) == (CODE, "length")


def test_a_withheld_answer_is_told(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"text": "", "finish": "filter"}]
    assert backend.complete(asking(), 20).finish == "filter"


def test_a_refused_parameter_is_left_out_from_then_on(backend: ChatBackend, server: Any, asking: Any) -> None:
    server.script = [{"status": 400, "message": "Unsupported parameter: 'temperature'"}, {"text": "ok"}]
    assert backend.complete(asking(temperature=0.5), 20).text == "ok"
    assert backend.complete(asking("again", temperature=0.5), 20).text == "ok"
    assert ["temperature" in body for _, _, body in server.seen] == [True, False, False]


def test_the_key_goes_to_its_provider_and_nowhere_else(
    backend: ChatBackend, provider: Any, server: Any, asking: Any, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    server.script = [{"text": "ok"}, {"status": 401, "message": f"Incorrect API key provided: {KEY}"}]
    answer = backend.complete(asking(), 20)
    failure = failed(backend, asking())
    headers = [str(h) for _, h, _ in server.seen]
    assert all((KEY in h) == (provider.name != "local") for h in headers)
    printed = capsys.readouterr()
    shown = [repr(backend), str(answer), str(failure), repr(failure), caplog.text, printed.out, printed.err]
    assert not any(KEY in text for text in shown)
    assert failure.__context__ is None, "the package's exception holds the request"
    assert failure.__cause__ is None
    with pytest.raises(TypeError, match="stays in the process"):
        pickle.dumps(backend)


def test_a_local_server_sees_nothing_of_openai(server: Any, monkeypatch: pytest.MonkeyPatch, asking: Any) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed (extra 'llm')")
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Secret: {KEY}")
    spec = parse_spec(f"local:tiny@{server.url}/v1")
    make_backend(spec).complete(asking(), 20)
    make_backend(spec, {"SLDAGENT_LOCAL_API_KEY": "of-the-house"}).complete(asking(), 20)
    assert KEY not in str(server.seen)
    assert [h["authorization"] for _, h, _ in server.seen] == ["Bearer none", "Bearer of-the-house"]


def test_extra_fields_reach_a_local_server(server: Any, asking: Any) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed (extra 'llm')")
    backend = make_backend(parse_spec(f"local:tiny@{server.url}/v1"), {})
    backend.complete(asking(extra={"grammar": 'root ::= "x"'}), 20)
    assert server.seen[0][2]["grammar"] == 'root ::= "x"'
    assert "prompt_cache_key" not in server.seen[0][2]


def test_older_servers_behind_openai(server: Any, asking: Any) -> None:
    pytest.importorskip("openai", reason="the package openai is not installed (extra 'llm')")
    backend = make_backend(parse_spec("openai:m"), {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url + "/v1"})
    server.script = [{"status": 400, "message": "unknown field max_completion_tokens"}]
    backend.complete(asking(), 20)
    assert server.seen[1][2]["max_tokens"] == 100
    assert "max_completion_tokens" not in server.seen[1][2]


def test_anthropic_gets_turns_and_at_most_four_marks(server: Any) -> None:
    pytest.importorskip("anthropic", reason="the package anthropic is not installed (extra 'llm')")
    backend = make_backend(parse_spec("anthropic:m"), {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url})
    messages = [Message("user", f"part {n}", cache=True) for n in range(6)]
    messages += [Message("assistant", "law"), Message("user", "repair")]
    answer = backend.complete(ChatRequest(tuple(messages), 50), 20)
    body = server.seen[0][2]
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert str(body).count("cache_control") == 4
    assert "cache_control" in body["messages"][0]["content"][-1]
    assert "system" not in body
    assert answer.usage == Usage(11, 7, 4, 2), "Anthropic counts cached tokens apart"


def test_tokens_that_nobody_counted_are_unknown(backend: ChatBackend, provider: Any, server: Any, asking: Any) -> None:
    if provider.package == "litellm":
        pytest.skip("litellm fills in its own count")
    server.script = [{"text": "ok", "no_usage": True}]
    assert backend.complete(asking(), 20).usage == Usage()


@pytest.mark.parametrize(
    ("spec", "variable"), [("openai:m", "OPENAI_API_KEY"), ("anthropic:m", "ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN")]
)
def test_no_key(spec: str, variable: str) -> None:
    package = spec.partition(":")[0]
    pytest.importorskip(package, reason=f"the package {package} is not installed (extra 'llm')")
    with pytest.raises(ConfigError, match=f"{spec} needs a key in the environment variable {variable}"):
        make_backend(parse_spec(spec), {"OPENAI_API_KEY": " "})


@pytest.mark.parametrize("spec", ["openai:m", "anthropic:m", "litellm:p/m", "local:m@http://127.0.0.1:1/v1"])
def test_no_package(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.chat.adapters.common.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="install sldagent with its 'llm' extra"):
        make_backend(parse_spec(spec), {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})


def test_no_backend_object_leads_to_the_key_by_its_own_attributes(backend: ChatBackend) -> None:
    """Of what the adapter holds, only the package's client and the environment it was given know a key."""
    gc.collect()
    own = {name: value for name, value in vars(backend).items() if name not in ("_client", "_environment")}
    assert KEY not in str(own)
