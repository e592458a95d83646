"""A loopback server of OpenAI's wire format whose answer depends on what is asked and on nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = Callable[[list[dict[str, str]]], str]
"""From the messages of a request to the answer's text."""


class TalkServer(ThreadingHTTPServer):
    """Answers every request with ``answer(messages)``, after `delay` seconds; a context manager.

    Attributes:
        asked: bodies of all requests, in the order in which they came.
        refuse: HTTP status of all answers from now on; 0: none is refused.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer, delay: float = 0.0, usage: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.delay, self.usage = answer, delay, usage
        self.asked: list[dict[str, Any]] = []
        self.refuse = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def spec(self) -> str:
        """As a user names the model."""
        return f"local:scripted@{self.url}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error here."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TalkServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(asked)
        status = self.server.refuse or 200
        if status == 200:
            time.sleep(self.server.delay)
            body = _completion(asked, self.server.answer(asked["messages"]), self.server.usage)
        else:
            body = {"error": {"type": "api_error", "message": "scripted", "code": None}}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _completion(asked: dict[str, Any], text: str, usage: bool) -> dict[str, Any]:
    words = sum(len(m["content"]) for m in asked["messages"]) // 4, len(text) // 4
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        **({"usage": {"prompt_tokens": words[0], "completion_tokens": words[1]}} if usage else {}),
    }  # fmt: skip


def content_number(messages: list[dict[str, str]]) -> int:
    """A number that depends on the messages alone."""
    return int(hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:12], 16)
