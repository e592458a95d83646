"""One call to the jail: hand over the job, listen to log and answer within their caps, kill on time, say how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

from sldagent.sandbox.frames import MAX_HEADER, PREFIX
from sldagent.sandbox.keeper import SOCKET_KIND, Zygote, ZygoteGone, receive
from sldagent.sandbox.rss import resident
from sldagent.sandbox.scratch import scratch
from sldagent.sandbox.types import FailureKind, Limits

FLOOD = 64
"""Times the kept length of a log at which a call is ended."""

START_SECONDS, END_SECONDS = 60.0, 30.0
"""How long a zygote may take to fork, and to report an end that we have seen or asked for, before it counts as stuck."""

_SEALS = 0x0F  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
_F_ADD_SEALS = 1033


@dataclass
class Outcome:
    """How a call ended, before anybody looks at what it said.

    Attributes:
        result, log: bytes as they came, capped; `dropped` bytes of the log were thrown away.
        status: wait status, None where the zygote could not tell.
        killed: the limit for which the host ended it.
        job_read: the process got as far as reading its job, hence had closed its jail.
    """

    result: bytearray = field(default_factory=bytearray)
    log: bytearray = field(default_factory=bytearray)
    dropped: int = 0
    status: int | None = None
    killed: FailureKind | None = None
    job_read: bool = False
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_bytes: int = 0


def sealed(payload: tuple[bytes, ...]) -> int:
    """A file descriptor of an anonymous file with `payload` that nobody can change any more."""
    job = scratch()
    try:
        for part in payload:
            view = memoryview(part)
            while view:
                view = view[os.write(job, view) :]
        os.lseek(job, 0, os.SEEK_SET)
        if sys.platform == "linux":
            fcntl.fcntl(job, _F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(job)
        raise
    return job


def run(zygote: Zygote, payload: tuple[bytes, ...], limits: Limits, memory_bytes: int, cpu_seconds: int) -> Outcome:
    """Make one call.

    Raises:
        ZygoteGone: the zygote ended or is stuck; the call may have run or not.
    """
    with contextlib.ExitStack() as files:
        job = _owned(files, sealed(payload))
        log, log_end = channel()
        _owned(files, log)
        result, result_end = channel()
        _owned(files, result)
        ours, theirs = socket.socketpair(socket.AF_UNIX, SOCKET_KIND)
        files.enter_context(ours)
        try:
            zygote.request((job, log_end, result_end, theirs.fileno()), memory_bytes, cpu_seconds)
        finally:
            os.close(log_end)
            os.close(result_end)
            theirs.close()
        outcome = _Listener(ours, log, result, limits, memory_bytes).listen(files)
        outcome.job_read = os.lseek(job, 0, os.SEEK_CUR) > 0
        return outcome


def channel() -> tuple[int, int]:
    """A file to read from and one to write to.

    On Linux two sockets: whoever writes to a pipe may open its reading end by /proc/self/fd, and no socket can be opened
    anew.  Elsewhere, where there is no such way, a pipe.
    """
    if sys.platform != "linux":
        return os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.shutdown(socket.SHUT_WR)
    return ours.detach(), theirs.detach()


def _owned(files: contextlib.ExitStack, descriptor: int) -> int:
    files.callback(os.close, descriptor)
    return descriptor


class _Listener:
    """The loop over the call's pipes, its process and its reply socket."""

    def __init__(self, reply: socket.socket, log: int, result: int, limits: Limits, memory_bytes: int) -> None:
        self._reply = reply
        self._log = log
        self._result = result
        self._limits = limits
        self._memory = memory_bytes
        self._process = -1
        self._descriptor = -1
        self._open = {log, result}
        self._outcome = Outcome()
        for pipe in (log, result):
            os.set_blocking(pipe, False)

    def listen(self, files: contextlib.ExitStack) -> Outcome:
        started = time.monotonic()
        deadline = started + START_SECONDS
        stuck: float | None = deadline
        poll = select.poll()
        for file in (self._log, self._result, self._reply.fileno()):
            poll.register(file, select.POLLIN)
        while True:
            now = time.monotonic()
            if stuck is not None and now >= stuck:
                raise ZygoteGone("the zygote does not answer")
            if stuck is None and now >= deadline:
                self._kill("wall-time")
                stuck = now + END_SECONDS
            until = deadline if stuck is None else stuck
            ready = {file for file, _ in poll.poll(self._patience(until - now))}
            if sys.platform == "darwin":
                self._watch_memory()
            for pipe in ready & self._open:
                if not self._read(pipe):
                    poll.unregister(pipe)
                    self._open.discard(pipe)
            if self._outcome.killed is not None and stuck is None:
                stuck = time.monotonic() + END_SECONDS
            if self._descriptor in ready:  # it has ended; the zygote will say how
                poll.unregister(self._descriptor)
                stuck = stuck or time.monotonic() + END_SECONDS
            if self._reply.fileno() in ready:
                message, passed = receive(self._reply)
                if "started" in message:
                    self._process = int(message["started"])
                    started = time.monotonic()
                    deadline, stuck = started + self._limits.wall_seconds, None
                    for descriptor in passed:
                        self._descriptor = _owned(files, descriptor)
                        poll.register(descriptor, select.POLLIN)
                elif "failed" in message:
                    raise ZygoteGone(message["failed"])
                else:
                    return self._ended(message, started)

    def _patience(self, seconds: float) -> float:
        """Milliseconds to sleep; on macOS memory is looked at ten times a second."""
        longest = 100.0 if sys.platform == "darwin" else 60_000.0
        return max(0.0, min(longest, 1000.0 * seconds + 0.5))

    def _ended(self, message: dict[str, float], started: float) -> Outcome:
        for pipe in list(self._open):  # what is still in the pipes; nobody is left to write more
            while self._read(pipe):
                if not select.select([pipe], [], [], 0)[0]:
                    break
        outcome = self._outcome
        outcome.status = int(message["ended"])
        outcome.cpu_seconds = float(message["cpu"])
        outcome.peak_bytes = int(message["peak"])
        outcome.wall_seconds = time.monotonic() - started
        return outcome

    def _read(self, pipe: int) -> bool:
        """Take what there is; False at the end of the pipe, or where its cap ends the call."""
        try:
            chunk = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        outcome = self._outcome
        if pipe == self._log:
            kept = chunk[: max(0, self._limits.log_bytes - len(outcome.log))]
            outcome.log += kept
            outcome.dropped += len(chunk) - len(kept)
            if outcome.dropped > FLOOD * self._limits.log_bytes:
                self._kill("flood")
                return False
            return True
        if len(outcome.result) + len(chunk) > self._limits.result_bytes + MAX_HEADER + PREFIX:
            outcome.result.clear()
            self._kill("too-large")
            return False
        outcome.result += chunk
        return True

    def _watch_memory(self) -> None:
        if self._process > 0 and resident(self._process) > self._memory:
            self._kill("memory")

    def _kill(self, why: FailureKind) -> None:
        if self._outcome.killed is None:
            self._outcome.killed = why
        if self._descriptor >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._reply.shutdown(socket.SHUT_WR)  # the zygote ends it too, and without a jail its session
