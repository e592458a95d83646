"""What all pools of several workers share: the queue before them, what each one holds, and who is to blame for a loss.

A pool hands every worker a few candidates at a time, so that the next one is there when one is finished.  What a lost
worker held is handed out again: evaluations do not depend on where they happen, so nothing is lost and nothing differs.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.program import Program
from sldagent.workers.base import WorkerStartError

STARTS = 3
"""Fresh workers in a row that may end before they are ready."""
LOOK = 1.0
"""Seconds between looks at workers that say nothing."""


class Holder:
    """One worker as its pool sees it: `given` is what it was given and has not answered, oldest first."""

    def __init__(self) -> None:
        self.given: deque[tuple[int, Program]] = deque()
        self.ready = False


Worker = TypeVar("Worker", bound=Holder)


class QueuedPool(ABC, Generic[Worker]):
    """A `WorkerPool` of workers that it starts, listens to and replaces.

    Args:
        workers: their number, at least 1.
        depth: candidates that one worker holds at most, the one it works on included; at least 1.
        clock: seconds from any origin.

    Raises:
        ValueError: `workers` or `depth` out of range.
    """

    def __init__(self, workers: int, depth: int, clock: Callable[[], float] = time.monotonic) -> None:
        if workers < 1 or depth < 1:
            raise ValueError("a pool needs at least one worker that holds at least one candidate")
        self._count = workers
        self._depth = depth
        self._clock = clock
        self._backlog: deque[tuple[int, Program]] = deque()
        self._done: list[tuple[int, Evaluation]] = []
        self._losses: dict[int, int] = {}
        """Workers that were lost with a candidate, by its index."""
        self._failed_starts = 0
        self._workers: list[Worker] = []

    @abstractmethod
    def _start(self) -> Worker:
        """A fresh worker, which need not be ready yet."""

    @abstractmethod
    def _able(self, worker: Worker) -> bool:
        """Whether candidates may be given to the worker."""

    @abstractmethod
    def _give(self, worker: Worker, candidates: list[tuple[int, Program]]) -> None:
        """Send the worker candidates, which are in `given` already."""

    @abstractmethod
    def _listen(self, timeout: float) -> None:
        """Wait for any worker, take what has come, and replace those that are lost."""

    @abstractmethod
    def _end(self, worker: Worker) -> None:
        """End a worker at once, whatever it does."""

    def _end_all(self, workers: list[Worker]) -> None:
        """End workers whose answers nobody wants any more."""
        for worker in workers:
            self._end(worker)

    def _patience(self) -> float:
        """Seconds that `_listen` may wait at most."""
        return LOOK

    def _begin(self) -> None:
        """Start all workers."""
        self._workers = [self._start() for _ in range(self._count)]

    def submit(self, k: int, program: Program) -> None:
        self._backlog.append((k, program))
        self._hand_out()

    def pending(self) -> int:
        return len(self._backlog) + sum(len(w.given) for w in self._workers) + len(self._done)

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        deadline = self._clock() + timeout
        self._turn(0.0)
        while not self._done and self.pending():
            left = deadline - self._clock()
            if left <= 0:
                break
            self._turn(min(left, self._patience()))
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        self._backlog.clear()
        self._done.clear()
        workers, self._workers = self._workers, []
        self._end_all(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _turn(self, timeout: float) -> None:
        self._listen(timeout)
        self._hand_out()

    def _hand_out(self) -> None:
        """Give waiting candidates, oldest first, to the workers that hold fewest."""
        able = [worker for worker in self._workers if self._able(worker)]
        new: dict[int, list[tuple[int, Program]]] = {}
        while self._backlog and able:
            worker = min(able, key=lambda w: len(w.given))
            if len(worker.given) >= self._depth:
                break
            candidate = self._backlog.popleft()
            worker.given.append(candidate)
            new.setdefault(id(worker), []).append(candidate)
        for worker in able:
            if id(worker) in new:
                self._give(worker, new[id(worker)])

    def _started(self, worker: Worker) -> None:
        """The worker is ready."""
        worker.ready = True
        self._failed_starts = 0

    def _answered(self, worker: Worker, k: int, evaluation: Evaluation) -> None:
        """The worker has evaluated candidate `k`; an answer to a question that it was not asked is left out."""
        held = next((candidate for candidate in worker.given if candidate[0] == k), None)
        if held is None:
            return
        worker.given.remove(held)
        self._losses.pop(k, None)
        self._done.append((k, evaluation))

    def _failed_start(self, reason: str) -> None:
        """A worker ended before it was ready.  Raises WorkerStartError where too many in a row did."""
        self._failed_starts += 1
        if self._failed_starts >= STARTS:
            raise WorkerStartError(f"workers end before they are ready: {' '.join(reason.split())[:500]}")

    def _replace(self, worker: Worker, failure: Failure | None = None, forgiven: int = 0) -> None:
        """Start a fresh worker and queue what the old one held again, before all else.

        Only the oldest can be to blame, the others have not begun: once more than `forgiven` workers were lost with it,
        `failure` is its evaluation.  None: nobody is to blame.
        """
        if failure is not None and worker.given:
            k = worker.given[0][0]
            self._losses[k] = self._losses.get(k, 0) + 1
            if self._losses[k] > forgiven:
                self._answered(worker, k, Evaluation(failure=failure))
        self._backlog.extendleft(reversed(worker.given))
        worker.given.clear()
        self._end(worker)
        self._workers[self._workers.index(worker)] = self._start()
