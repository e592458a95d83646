"""Shared by all tests: hypothesis without deadlines (the machine may be busy), the folder of development tables, what
not every machine has (see `requirements`), and a PostgreSQL server."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from sldagent.workers.environment import is_secret

sys.path.insert(0, str(Path(__file__).parent))

import requirements

if TYPE_CHECKING:
    from postgres_server import PostgresServer

settings.register_profile(
    "sldagent", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sldagent")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requires(name, ...): needs what tests/requirements.py lists under these names")
    try:
        requirements.required()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _needs(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("requires") for name in mark.args]


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = requirements.lacking(_needs(item))
    if reason:
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A skip of a test that needs what SLDAGENT_REQUIRE names is a failure."""
    report: pytest.TestReport = yield  # type: ignore[misc, assignment]
    must = sorted(requirements.required().intersection(_needs(item)))
    if report.skipped and must and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{requirements.VARIABLE} names {', '.join(must)}, but the test was skipped: {reason}"
    return report  # type: ignore[return-value]


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL server, one per session; mark its tests ``requires("postgres")``."""
    from postgres_server import PostgresServer

    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
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
