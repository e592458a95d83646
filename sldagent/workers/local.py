"""A pool of worker processes on this machine.

Processes are started directly rather than through `multiprocessing`: each gets its own clean environment and
its own process group (so that a terminal's interrupt reaches the coordinator only), and the caller's main
module is not imported again, so that discovery works from scripts without a guard and from notebooks.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from sldagent.evaluation.result import Failure
from sldagent.laws.program import Program
from sldagent.workers.base import MakeEvaluator, WorkerStartError
from sldagent.workers.environment import worker_environment
from sldagent.workers.frames import FrameBuffer, encode
from sldagent.workers.queued import Holder, QueuedPool


class _Worker(Holder):
    """One process: its connection, and since when it is busy with the first of what it was given."""

    def __init__(self, factory: bytes, environment: dict[str, str]) -> None:
        super().__init__()
        self.connection, theirs = socket.socketpair()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sldagent.workers.process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=(theirs.fileno(),),
                env=environment, start_new_session=True,
            )
        self.connection.setblocking(False)
        self.busy_since = 0.0
        self._out = bytearray()
        self._in = FrameBuffer()
        self.send(factory)

    def send(self, frame: bytes = b"") -> None:
        """Write `frame` and what is left of earlier ones, as far as the connection takes it at once."""
        self._out += frame
        while self._out:
            try:
                sent = self.connection.send(self._out)
            except BlockingIOError:
                return
            except OSError:  # the worker is dead; reading says so
                self._out.clear()
                return
            del self._out[:sent]

    @property
    def unsent(self) -> bool:
        return bool(self._out)

    def receive(self) -> tuple[list[tuple[Any, ...]], bool]:
        """Messages that have arrived, and whether the worker is still there."""
        messages: list[tuple[Any, ...]] = []
        while True:
            try:
                chunk = self.connection.recv(1 << 18)
            except BlockingIOError:
                return messages, self.process.poll() is None
            except OSError:
                return messages, False
            if not chunk:
                return messages, False
            messages.extend(self._in.feed(chunk))

    def end(self, patience: float = 0.0) -> None:
        """End the process and all it started; an idle one gets `patience` seconds to leave by itself."""
        self.connection.close()
        if patience > 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def obituary(self) -> str:
        """How the process ended, in one sentence."""
        try:
            status = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "the worker closed its connection"
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 300))
        words = " ".join(self.log.read().decode(errors="replace").split())
        if status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
            hint = " (out of memory?)" if -status == signal.SIGKILL else ""
            return f"the worker was ended by {name}{hint}"
        return f"the worker ended with status {status}" + (f": {words}" if words else "")


class LocalPool(QueuedPool[_Worker]):
    """A `WorkerPool` of local processes.

    Args:
        make_evaluator: picklable factory, called once in every worker.
        workers: number of processes, at least 1.
        time_limit: seconds that one candidate may take; None: no cap.
        queue: candidates handed to a worker beyond the one it works on, which hides the way there and back.
        warm: called before the first worker starts, so that workers find compiled code in the disk cache.

    Raises:
        ValueError: `workers` or `queue` out of range.
    """

    def __init__(
        self, make_evaluator: MakeEvaluator, workers: int, time_limit: float | None = None, *, queue: int = 2,
        warm: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(workers, queue + 1)
        self._factory = encode(make_evaluator)
        self._environment = worker_environment()
        self._time_limit = time_limit
        if warm is not None:
            warm()
        self._begin()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Process ids of the present workers."""
        return tuple(worker.process.pid for worker in self._workers)

    def _start(self) -> _Worker:
        return _Worker(self._factory, self._environment)

    def _able(self, worker: _Worker) -> bool:
        return worker.process.poll() is None

    def _give(self, worker: _Worker, candidates: list[tuple[int, Program]]) -> None:
        if len(worker.given) == len(candidates):  # it was idle
            worker.busy_since = self._clock()
        for k, program in candidates:
            worker.send(encode((k, program)))

    def _end(self, worker: _Worker) -> None:
        worker.end()

    def _end_all(self, workers: list[_Worker]) -> None:
        for worker in workers:
            worker.connection.close()  # all idle ones leave at the same time
        for worker in workers:
            worker.end(patience=0.0 if worker.given or not worker.ready else 1.0)

    def _patience(self) -> float:
        """Seconds until the first busy worker reaches the cap."""
        if self._time_limit is None:
            return super()._patience()
        busy = [w.busy_since for w in self._workers if w.ready and w.given]
        return min([super()._patience()] + [max(0.0, since + self._time_limit - self._clock()) for since in busy])

    def _listen(self, timeout: float) -> None:
        """Wait for any worker, take what has come, and replace workers that died or reached the cap."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.unsent else 0)
                selector.register(worker.connection, events)
            selector.select(timeout)
        for worker in list(self._workers):
            worker.send()
            messages, alive = worker.receive()
            for message in messages:
                self._take(worker, message)
            if not alive:
                self._died(worker)
            elif self._overdue(worker):
                limit = f"the evaluation took longer than the cap of {self._time_limit:g} s"
                self._replace(worker, Failure("time", limit))

    def _take(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        worker.busy_since = self._clock()
        if message[0] == "ready":
            self._started(worker)
        elif message[0] == "broken":
            raise WorkerStartError(f"a worker could not build its evaluator: {message[1]}")
        else:
            self._answered(worker, message[1], message[2])

    def _overdue(self, worker: _Worker) -> bool:
        if self._time_limit is None or not (worker.ready and worker.given):
            return False
        return self._clock() - worker.busy_since > self._time_limit

    def _died(self, worker: _Worker) -> None:
        """It may have died of something else than its candidate (memory taken by others, a hand): once is forgiven."""
        reason = worker.obituary()
        if worker.ready:
            self._replace(worker, Failure("worker", reason), forgiven=1)
        else:
            self._failed_start(reason)
            self._replace(worker)
