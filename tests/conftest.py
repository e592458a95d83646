"""Shared by all tests: hypothesis without deadlines (the machine may be busy), and the folder of development tables."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from sldagent.workers.environment import is_secret

settings.register_profile(
    "sldagent", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sldagent")

REPOSITORY = Path(__file__).resolve().parent.parent


def _data() -> Path:
    given = os.environ.get("SLDAGENT_DATA")
    return Path(given) if given else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of development tables (SLDAGENT_DATA, else ../shared/data); the test is skipped without it."""
    folder = _data()
    if not folder.is_dir():
        pytest.skip(f"no folder of development tables: set SLDAGENT_DATA ({folder} does not exist)")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


def _local(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) else address
    return isinstance(host, (str, bytes)) and (
        not isinstance(address, tuple) or str(host) in ("127.0.0.1", "::1", "localhost")
    )


@pytest.fixture
def no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no proxy in the environment, no connection but to this machine: for tests that talk to models."""
    for name, value in list(os.environ.items()):
        if is_secret(name, value) or name.upper().endswith("_PROXY") or name.startswith(("OPENAI_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            if not _local(address):
                raise AssertionError(f"a test tried to reach {address}")
            return real(self, address)

        return call

    def guarded_resolve(host: Any, *rest: Any, **named: Any) -> Any:
        if host is not None and not _local((host,)):
            raise AssertionError(f"a test tried to look up {host}")
        return resolve(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
