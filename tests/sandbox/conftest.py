"""Jails shared by the tests (starting one takes seconds), programs, and running as an ordinary user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sldagent.errors import JailUnavailable
from sldagent.sandbox import Answer, Jail, Job, Limits
from tests.sandbox.helpers import ROWS, SHORT, body


def start(**options: object) -> Jail:
    try:
        return Jail(**{"parallel": 4, **options})  # type: ignore[arg-type]
    except JailUnavailable as error:
        pytest.skip(f"no such jail on this host: {error}")


@pytest.fixture(scope="session")
def jail() -> Iterator[Jail]:
    """Every layer that this host has."""
    with start() as made:
        yield made


@pytest.fixture(scope="session")
def open_jail() -> Iterator[Jail]:
    """No jail at all: the positive control."""
    with Jail(mode="unsafe-local") as made:
        yield made


@pytest.fixture
def fit(jail: Jail) -> Callable[..., Answer]:
    """Call the jail with the body of a fitting function."""

    def call(text: str, limits: Limits = SHORT) -> Answer:
        return jail.call(Job(body(text), "fit", ROWS), limits)

    return call


@pytest.fixture(scope="session")
def ordinary_user(repository: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a Python text as an ordinary user: as root, as another one, who is shown the interpreter."""
    command = [sys.executable, "-c"]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", _REACHABLE, "sh", _closed_parent(), *command]

    def run(text: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(repository), "HOME": "/nonexistent"}
        done = subprocess.run([*command, text], capture_output=True, text=True, env=environment, timeout=600, check=False)
        if "CANNOT" in done.stderr:
            pytest.skip("this host does not let the tests become another user")
        return done

    return run


_REACHABLE = """
if [ -n "$1" ]; then
  mount --make-rprivate / && mkdir -p /tmp/.sldagent-tests && mount --bind "$1" /tmp/.sldagent-tests &&
  mount -t tmpfs -o mode=755 none "$(dirname "$1")" && mkdir "$1" && mount --move /tmp/.sldagent-tests "$1" ||
  { echo CANNOT >&2; exit 1; }
fi
shift
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""
"""$1: a folder below one that only root may enter, or nothing; the one above is replaced by one that shows $1 alone."""


def _closed_parent() -> str:
    """The part of the interpreter's path just below a folder that others may not enter; empty where all is open."""
    below = Path(sys.base_prefix).resolve()
    for folder in below.parents:
        if not folder.stat().st_mode & 0o001:
            return str(below)
        below = folder
    return ""
