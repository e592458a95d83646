"""Connecting to a Ray cluster, or starting one on this machine, without keys in its environment.

Ray's processes inherit the environment of whatever started them, and its workers that of the raylet.  So a cluster of
our own starts from the scrubbed environment of a worker; of a cluster that somebody else started only its owner can
say what its environment holds, and every actor forgets what looks like a secret.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sldagent.errors import ConfigError
from sldagent.workers.environment import worker_environment

LOCAL = "local"
"""The address that stands for a cluster of our own on this machine."""
STORE_BYTES = 100 << 20
"""Object store of such a cluster: candidates and answers are small."""
ANSWER_SECONDS = 10.0
"""How long a cluster elsewhere may take to accept a connection."""


def ray() -> Any:
    """The package.  Raises ConfigError where it is not installed."""
    try:
        import ray as package
    except ModuleNotFoundError as error:
        raise ConfigError(f"--ray needs the package {error.name}; install sldagent with its 'ray' extra") from None
    return package


@contextlib.contextmanager
def connected(address: str, cpus: int | None = None, gpus: float = 0.0) -> Iterator[Any]:
    """The package, connected to the cluster at `address` until the block ends.

    ``local`` starts a cluster of `cpus` and `gpus`, and takes it down again.  A process that is connected already stays
    so.  Raises ConfigError where nobody answers.
    """
    package = ray()
    if package.is_initialized():
        yield package
        return
    if address != LOCAL:
        _reach(address)
        with _quiet(address):
            package.init(address=address, log_to_driver=False, logging_level="ERROR")
        try:
            yield package
        finally:
            package.shutdown()
        return
    folder = Path(tempfile.mkdtemp(prefix="sldray-"))  # a short name: sockets' paths may have some 100 characters
    try:
        with scrubbed(), _quiet(address):
            package.init(
                address="local", num_cpus=cpus, num_gpus=gpus or None, include_dashboard=False, log_to_driver=False,
                logging_level="ERROR", object_store_memory=STORE_BYTES, _temp_dir=str(folder),
            )  # fmt: skip
        yield package
    finally:
        package.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def scrubbed() -> Iterator[None]:
    """While inside, this process's environment holds no secrets, so that what it starts has none."""
    before = dict(os.environ)
    clean = worker_environment(before)
    clean["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        os.environ.clear()
        os.environ.update(clean)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _reach(address: str) -> None:
    """Raises ConfigError where nobody listens at ``host:port``; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon and address != "auto":
        raise ConfigError(f"'{address}' is no Ray address: write HOST:PORT, ray://HOST:PORT, auto, or --ray alone")
    if address == "auto":
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"no Ray cluster answers at '{address}' ({error}); check the address, or write --ray alone for this machine"
        ) from None


@contextlib.contextmanager
def _quiet(address: str) -> Iterator[None]:
    """Ray's own ways to fail at the start, as ConfigError."""
    try:
        yield
    except (ConnectionError, RuntimeError, TimeoutError, ValueError, OSError) as error:
        where = "here" if address == LOCAL else f"at '{address}'"
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"a Ray cluster cannot be used {where}: {reason}") from None
