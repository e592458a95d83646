"""A scripted loopback server that speaks both wire formats, a model for every adapter, and no way out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sldagent.archive.store import Archive
from sldagent.chat.adapters import make_backend
from sldagent.chat.base import ChatAnswer, ChatBackend, ChatRequest, Message, Usage
from sldagent.chat.client import LiveChat, Surroundings
from sldagent.chat.failures import ChatFailure
from sldagent.chat.ledger import Budget, Ledger
from sldagent.chat.policy import Notice, Policy
from sldagent.chat.prices import Prices
from sldagent.chat.specs import parse_spec

KEY = "sk-test-" + "0" * 20 + "never-to-be-seen"
"""Stands in for every key; no test may find it anywhere but in a request's header."""


@pytest.fixture(autouse=True)
def offline(no_way_out: None) -> None:
    """Every test here."""


class Server(ThreadingHTTPServer):
    """Answers requests in the order of `script`, then with ``ok``; keeps what it saw.

    A step is ``{"text": ..., "finish": "stop" | "length" | "filter"}``, or has ``status`` (with ``headers``,
    ``message``, ``code``), ``raw`` (bytes of a body), ``drop``, ``sleep`` or ``drip`` (seconds between bytes).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[dict[str, Any]] = []
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, asked))
            step = self.server.script.pop(0) if self.server.script else {"text": "ok"}
        time.sleep(step.get("sleep", 0))
        if step.get("drop"):
            self.close_connection = True
            self.connection.close()
            return
        anthropic = self.path.endswith("/messages")
        status = step.get("status", 200)
        if "raw" in step:
            body = step["raw"]
        elif status != 200:
            error = {"type": step.get("type", "api_error"), "message": step.get("message", "scripted")}
            body = json.dumps(
                {"type": "error", "error": error} if anthropic else {"error": {**error, "code": step.get("code")}}
            ).encode()
        else:
            body = json.dumps((_messages if anthropic else _completion)(asked, step)).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **step.get("headers", {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if step.get("drip"):
            for n in range(len(body)):
                self.wfile.write(body[n : n + 1])
                self.wfile.flush()
                time.sleep(step["drip"])
        else:
            self.wfile.write(body)


def _completion(asked: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    finish = {"stop": "stop", "length": "length", "filter": "content_filter"}[step.get("finish", "stop")]
    message = {"role": "assistant", "content": step["text"]}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 4}}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": asked["model"] + "-2026",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        **({} if step.get("no_usage") else {"usage": usage}),
    }  # fmt: skip


def _messages(asked: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    finish = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"}[step.get("finish", "stop")]
    usage = {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}
    content = [{"type": "text", "text": step["text"]}] if step["text"] else []
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"] + "-2026", "content": content,
        "stop_reason": finish, "stop_sequence": None, **({} if step.get("no_usage") else {"usage": usage}),
    }  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


@dataclass(frozen=True)
class Provider:
    """An adapter under test and what differs between them on the wire."""

    name: str
    spec: str
    package: str

    def environment(self, url: str) -> dict[str, str]:
        return {
            "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url + "/v1",
            "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url,
        }  # fmt: skip


PROVIDERS = [
    Provider("openai", "openai:gpt-test", "openai"),
    Provider("local", "local:tiny@{url}/v1", "openai"),
    Provider("anthropic", "anthropic:claude-test", "anthropic"),
    Provider("litellm-openai", "litellm:openai/gpt-test", "litellm"),
    Provider("litellm-anthropic", "litellm:anthropic/claude-test", "litellm"),
]


@pytest.fixture(params=PROVIDERS, ids=lambda p: p.name)
def provider(request: pytest.FixtureRequest) -> Provider:
    given: Provider = request.param
    if find_spec(given.package) is None:
        pytest.skip(f"the package {given.package} is not installed (extra 'llm')")
    return given


@pytest.fixture
def backend(provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatBackend]:
    """Each adapter in turn, connected to the scripted server."""
    environment = provider.environment(server.url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = make_backend(parse_spec(provider.spec.format(url=server.url)), environment)
    yield made
    made.close()


def asking(text: str = "say ok", **changed: Any) -> ChatRequest:
    """A request with a stable prefix."""
    given: dict[str, Any] = {"max_tokens": 100, **changed}
    return ChatRequest((Message("system", "You find laws.", cache=True), Message("user", text)), **given)


@pytest.fixture(name="asking")
def asking_fixture() -> Callable[..., ChatRequest]:
    return asking


@dataclass
class Scripted:
    """A backend without a wire: each request is answered by the next of `script` (an answer, a failure, or a function
    of the request), then with ``ok``."""

    identity: str = "local:scripted"
    script: list[Any] = field(default_factory=list)
    asked: list[ChatRequest] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def complete(self, request: ChatRequest, timeout: float) -> ChatAnswer:
        with self.lock:
            self.asked.append(request)
            self.timeouts.append(timeout)
            step = self.script.pop(0) if self.script else ChatAnswer("ok", "stop", "scripted-1", Usage(10, 5))
        if callable(step):
            step = step(request)
        if isinstance(step, BaseException):
            raise step
        assert isinstance(step, ChatAnswer)
        return step

    def close(self) -> None:
        pass


@pytest.fixture(name="Scripted")
def scripted_fixture() -> type[Scripted]:
    return Scripted


@dataclass
class Clock:
    """Time that only moves when somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chat") / "archive.db"
    Archive.open(str(path)).close()
    return path


@pytest.fixture
def archive(tmp_path: Path, empty_archive: Path) -> Iterator[Archive]:
    """An archive with a run ``r``."""
    (tmp_path / "archive.db").write_bytes(empty_archive.read_bytes())
    with Archive.open(str(tmp_path / "archive.db")) as opened:
        begin(opened, "r")
        yield opened


def begin(archive: Archive, run: str) -> None:
    archive.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])


@pytest.fixture(name="begin")
def begin_fixture() -> Callable[[Archive, str], None]:
    return begin


@pytest.fixture
def talk(archive: Archive, clock: Clock) -> Callable[..., Any]:
    """``talk(*backends, policy=..., budget=..., prices=...)``: a LiveChat over them, with what happened beside it."""

    def make(
        *backends: Any, policy: Policy | None = None, budget: Budget | None = None, prices: Prices | None = None
    ) -> Any:
        notices: list[Notice] = []
        ledger = Ledger(archive.chats(), "r", budget or Budget(), prices or Prices(table={}))
        around = Surroundings(clock, clock.sleep, lambda: 0.5, notices.append)
        chat = LiveChat(backends, ledger, policy or Policy(), around)
        chat.notices, chat.ledger = notices, ledger  # type: ignore[attr-defined]
        return chat

    return make


@pytest.fixture
def failure() -> Callable[..., ChatFailure]:
    return lambda kind, **more: ChatFailure(kind, f"scripted {kind}", **more)
