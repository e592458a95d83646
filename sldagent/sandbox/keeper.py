"""The host's end of one zygote: start it, hand it the files of one call, end it."""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sldagent.sandbox import guest, macos
from sldagent.sandbox.cgroup import Group
from sldagent.sandbox.scratch import scratch
from sldagent.sandbox.types import Profile

MESSAGE = 512
"""Length of a message on the control and reply sockets."""

START_SECONDS = 120.0
SOCKET_KIND = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_STREAM


class StartError(Exception):
    """The zygote could not be started; the text says what the guest or the system said."""


class ZygoteGone(Exception):
    """The zygote has ended, or does not answer."""


@dataclass(frozen=True)
class Setup:
    """How zygotes of one jail are started.

    Attributes:
        profile, modules: what is loaded.
        hardened: False: no layer of the jail but the process and its limits.
        without: layers left out ("namespaces", "landlock", "seccomp").
        parallel: calls that run at once.
    """

    profile: Profile
    modules: tuple[str, ...]
    hardened: bool
    without: tuple[str, ...] = ()
    parallel: int = 1

    def config(self) -> bytes:
        content = {
            "profile": self.profile,
            "modules": list(self.modules),
            "hardened": self.hardened,
            "without": list(self.without),
            "parallel": self.parallel,
            "path": guest.import_path(self.profile, self.modules),
        }
        return json.dumps(content).encode()


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One message and the files that came with it.

    Raises:
        ZygoteGone: the other end is closed.
    """
    try:
        text, files, _, _ = socket.recv_fds(connection, MESSAGE, 1)
        while text and len(text) < MESSAGE:
            more = connection.recv(MESSAGE - len(text))
            if not more:
                break
            text += more
        return (json.loads(text), files) if text else ({}, _gone())
    except (OSError, ValueError) as error:
        raise ZygoteGone(str(error)) from None


def _gone() -> list[int]:
    raise ZygoteGone("the zygote has ended")


class Zygote:
    """One running zygote.

    Args:
        setup: what to load and which layers to close.
        group: a control group to put it into, or None.

    Attributes:
        report: {"active", "missing", "failed_imports", "resident"} as the guest gave it (it is trusted until it forks).

    Raises:
        StartError: the guest cannot be started with these layers.
    """

    def __init__(self, setup: Setup, group: Group | None) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, SOCKET_KIND)
        self._lock = threading.Lock()
        self._log = open(scratch(), "w+b")  # noqa: SIM115 - lives as long as the process
        try:
            with theirs:
                self._process = self._popen(setup, theirs)
        except OSError as error:  # no executable interpreter, or no process or file left for it
            self._control.close()
            self._log.close()
            raise StartError(f"the guest cannot be started: {error}") from None
        try:
            if group is not None:
                group.add(self._process.pid)
            self.report = self._begin(setup)
        except BaseException:
            self.end()
            raise

    def _popen(self, setup: Setup, theirs: socket.socket) -> subprocess.Popen[bytes]:
        theirs.set_inheritable(True)
        prefix = macos.command(guest.import_path(setup.profile, setup.modules)) if setup.hardened else []
        return subprocess.Popen(
            [*prefix, *guest.command(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            pass_fds=(theirs.fileno(),),
            env=guest.environment(),
            cwd="/",
            start_new_session=True,
        )

    def _begin(self, setup: Setup) -> Mapping[str, Any]:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(setup.config())
        self._control.settimeout(START_SECONDS)
        try:
            message, _ = receive(self._control)
            if "broken" in message:
                raise StartError(message["broken"])
            text = b""
            while len(text) < message["ready"]:
                text += self._control.recv(1 << 16)
            report: dict[str, Any] = json.loads(text)
        except (ZygoteGone, TimeoutError) as error:
            raise StartError(self._obituary() or f"the guest did not start: {error}") from None
        self._control.settimeout(None)
        return report

    @property
    def alive(self) -> bool:
        """The process is there, and its end of the control socket is open."""
        if self._process.poll() is not None:
            return False
        poll = select.poll()
        poll.register(self._control, 0)
        return not poll.poll(0)

    @property
    def pid(self) -> int:
        return self._process.pid

    def request(self, files: tuple[int, int, int, int], memory_bytes: int, cpu_seconds: int) -> None:
        """Ask for a call.  `files`: job, log, result, reply socket.

        Raises:
            ZygoteGone: there is nobody to ask.
        """
        text = json.dumps({"memory": memory_bytes, "cpu": cpu_seconds}).encode().ljust(MESSAGE)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
        try:
            with self._lock:
                self._control.sendmsg([text], rights)
        except OSError as error:
            raise ZygoteGone(str(error)) from None

    def end(self) -> None:
        """Kill it and with it every call it has forked."""
        self._control.close()
        if self._process.returncode is None:  # a number that has been waited for may be another's by now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if not self._log.closed:
            self._log.close()

    def _obituary(self) -> str:
        """The last line of what it wrote while it started."""
        deadline = time.monotonic() + 2.0
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
