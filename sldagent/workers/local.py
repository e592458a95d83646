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
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.program import Program
from sldagent.workers.base import MakeEvaluator, WorkerStartError
from sldagent.workers.environment import worker_environment
from sldagent.workers.frames import FrameBuffer, encode

_STARTS = 3
"""Fresh workers in a row that may die before they are ready."""


class _Worker:
    """One process: its connection, what it was given, since when it is busy with the first of that."""

    def __init__(self, factory: bytes, environment: dict[str, str]) -> None:
        self.connection, theirs = socket.socketpair()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sldagent.workers.process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=(theirs.fileno(),),
                env=environment, start_new_session=True,
            )
        self.connection.setblocking(False)
        self.given: deque[tuple[int, Program]] = deque()
        self.ready = False
        self.busy_since = 0.0
        self._out = bytearray()
        self._in = FrameBuffer()
        self.send(factory)

    def give(self, k: int, program: Program) -> None:
        if not self.given:
            self.busy_since = time.monotonic()
        self.given.append((k, program))
        self.send(encode((k, program)))

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


class LocalPool:
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
        if workers < 1 or queue < 0:
            raise ValueError("a pool needs at least one worker and a queue that is not negative")
        self._factory = encode(make_evaluator)
        self._environment = worker_environment()
        self._time_limit = time_limit
        self._depth = queue + 1
        self._backlog: deque[tuple[int, Program]] = deque()
        self._done: list[tuple[int, Evaluation]] = []
        self._deaths: set[int] = set()
        """Candidates that a worker has died with."""
        self._failed_starts = 0
        self._closed = False
        if warm is not None:
            warm()
        self._workers = [_Worker(self._factory, self._environment) for _ in range(workers)]

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Process ids of the present workers."""
        return tuple(worker.process.pid for worker in self._workers)

    def submit(self, k: int, program: Program) -> None:
        self._backlog.append((k, program))
        self._hand_out()

    def pending(self) -> int:
        return len(self._backlog) + sum(len(w.given) for w in self._workers) + len(self._done)

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        deadline = time.monotonic() + timeout
        self._listen(0.0)
        while not self._done and self.pending():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._listen(min(left, self._until_cap()))
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._backlog.clear()
        self._done.clear()
        for worker in self._workers:
            worker.connection.close()  # all idle ones leave at the same time
        for worker in self._workers:
            worker.end(patience=0.0 if worker.given or not worker.ready else 1.0)
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hand_out(self) -> None:
        """Give waiting candidates, oldest first, to the workers with the shortest queues."""
        alive = [worker for worker in self._workers if worker.process.poll() is None]
        while self._backlog and alive:
            worker = min(alive, key=lambda w: len(w.given))
            if len(worker.given) >= self._depth:
                return
            worker.give(*self._backlog.popleft())

    def _until_cap(self) -> float:
        """Seconds until the first busy worker reaches the cap (a second at most, to notice the dead)."""
        if self._time_limit is None:
            return 1.0
        busy = [w.busy_since for w in self._workers if w.ready and w.given]
        return min([1.0] + [max(0.0, since + self._time_limit - time.monotonic()) for since in busy])

    def _listen(self, timeout: float) -> None:
        """Wait for any worker, take what has come, and replace workers that died or reached the cap."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.unsent else 0)
                selector.register(worker.connection, events)
            selector.select(timeout)
        for place, worker in enumerate(self._workers):
            worker.send()
            messages, alive = worker.receive()
            for message in messages:
                self._take(worker, message)
            if not alive:
                self._replace(place, Failure("worker", worker.obituary()))
            elif self._overdue(worker):
                limit = f"the evaluation took longer than the cap of {self._time_limit:g} s"
                self._replace(place, Failure("time", limit))
        self._hand_out()

    def _take(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        worker.busy_since = time.monotonic()
        if message[0] == "ready":
            worker.ready = True
            self._failed_starts = 0
        elif message[0] == "broken":
            raise WorkerStartError(f"a worker could not build its evaluator: {message[1]}")
        else:
            worker.given.popleft()
            self._done.append((message[1], message[2]))

    def _overdue(self, worker: _Worker) -> bool:
        if self._time_limit is None or not (worker.ready and worker.given):
            return False
        return time.monotonic() - worker.busy_since > self._time_limit

    def _replace(self, place: int, failure: Failure) -> None:
        """Blame the candidate it was busy with, hand its other ones out again, start a fresh worker.

        A worker may also die of something else (memory taken by others, a hand): a first death is forgiven.
        """
        worker = self._workers[place]
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise WorkerStartError(f"workers die before they are ready: {failure.detail}")
        elif worker.given and not (failure.reason == "worker" and self._forgiven(worker.given[0][0])):
            k, _ = worker.given.popleft()
            self._done.append((k, Evaluation(failure=failure)))
        self._backlog.extendleft(reversed(worker.given))
        worker.end()
        self._workers[place] = _Worker(self._factory, self._environment)

    def _forgiven(self, k: int) -> bool:
        """True the first time that a worker dies with this candidate."""
        first = k not in self._deaths
        self._deaths.add(k)
        return first
