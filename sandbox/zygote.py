"""The zygote: a process that has loaded every library and forks one locked-down process per call.

Stand-alone: standard library and numpy.  It is started by exec with a fixed environment and one extra file, the control
socket, whose number is its argument; its configuration comes as JSON on standard input.  It never sees a job: a request
carries the files of one call (job, log, result and a reply socket) and its limits.  On the reply socket it says
"started", with a process descriptor to kill by, and "ended", with the exit status and the kernel's account.  A reply socket
that is closed for writing ends its call; the control socket's end ends everything.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any, NoReturn

MESSAGE = 512
"""Every message of the control and reply sockets: JSON filled up with spaces."""


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    config = json.loads(sys.stdin.buffer.read())
    sys.path[:] = [here, *config["path"]]
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    try:
        import prepare

        # the guest's own modules are loaded now; programs import from the libraries only
        forker, plan, report = prepare.prepare(config, here)
    except BaseException as error:
        _send(control, {"broken": f"{type(error).__name__}: {error}"[:400]})
        raise
    control.sendall(_message({"ready": len(text := json.dumps(report).encode())}))
    control.sendall(text)
    Zygote(control, forker, plan).serve()


def _message(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode().ljust(MESSAGE)


def _send(to: socket.socket, content: dict[str, Any], *files: int) -> None:
    """Send one message; a receiver that is gone is no trouble of ours."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    with contextlib.suppress(OSError):
        to.sendmsg([_message(content)], rights)


class Zygote:
    """The loop over requests, ends of calls and closed reply sockets; one thread."""

    def __init__(self, control: socket.socket, forker: Any, plan: Any) -> None:
        self._control = control
        self._forker = forker
        self._plan = plan
        self._calls: dict[int, socket.socket] = {}  # process -> reply socket
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the host goes away."""
        while True:
            poll = select.poll()
            poll.register(self._control, select.POLLIN)
            poll.register(self._wake, select.POLLIN)
            replies = {reply.fileno(): process for process, reply in self._calls.items()}
            for reply in replies:
                poll.register(reply, select.POLLIN)
            events = dict(poll.poll())
            if self._wake in events:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            for reply, process in replies.items():
                if reply in events:
                    self._abandon(process)
            self._reap()
            if self._control.fileno() in events and not self._take():
                return

    def _take(self) -> bool:
        """Receive one request and start it; False at the end of the control socket."""
        text, files, _, _ = socket.recv_fds(self._control, MESSAGE, 4)
        if not text:
            return False
        while len(text) < MESSAGE:  # a stream (macOS) may come in pieces
            text += self._control.recv(MESSAGE - len(text))
        request = json.loads(text)
        job, log, result, reply = files
        channel = socket.socket(fileno=reply)
        try:
            process = self._start(job, log, result, request)
        except Exception as error:  # a library that watches os.fork may raise anything
            _send(channel, {"failed": f"no new process: {error}"[: MESSAGE // 2]})
            channel.close()
            return True
        finally:
            for file in (job, log, result):
                os.close(file)
        self._calls[process] = channel
        self._announce(channel, process)
        return True

    def _start(self, job: int, log: int, result: int, request: dict[str, Any]) -> int:
        process = int(self._forker.fork())
        if process == 0:
            try:
                self._be_child(job, log, result, request)
            finally:  # never back into the zygote's loop
                os._exit(1)
        return process

    def _be_child(self, job: int, log: int, result: int, request: dict[str, Any]) -> NoReturn:
        import child

        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        gc.enable()
        child.run(self._plan, (job, log, result), int(request["memory"]), int(request["cpu"]))

    def _announce(self, channel: socket.socket, process: int) -> None:
        if not hasattr(os, "pidfd_open"):
            _send(channel, {"started": process})
            return
        try:
            descriptor = os.pidfd_open(process)
        except OSError:  # an old kernel: the host asks us to kill
            _send(channel, {"started": process})
            return
        _send(channel, {"started": process}, descriptor)
        os.close(descriptor)

    def _abandon(self, process: int) -> None:
        """The host has given the call up, or asks for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        self._end_session(process)

    def _end_session(self, process: int) -> None:
        """Without a jail, a call may have left others behind in its session."""
        if not self._plan.hardened:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)

    def _reap(self) -> None:
        while True:
            try:
                process, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            self._end_session(process)
            reply = self._calls.pop(process, None)
            if reply is not None:
                _send(reply, {"ended": status, "cpu": used.ru_utime + used.ru_stime, "peak": _bytes(used)})
                reply.close()


def _bytes(used: resource.struct_rusage) -> int:
    """Highest resident memory; the kernel counts in kB, macOS in bytes."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
