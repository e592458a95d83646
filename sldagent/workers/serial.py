"""Evaluation in this process, one candidate per call of `results`; no cap in seconds."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from sldagent.evaluation.result import Evaluation
from sldagent.laws.program import Program
from sldagent.workers.base import MakeEvaluator, evaluate_guarded


class SerialPool:
    """A `WorkerPool` without processes: for tests, debugging and profiles.

    A candidate that hangs or crashes takes the run with it, so runs use `LocalPool` even for one worker.
    """

    def __init__(self, make_evaluator: MakeEvaluator) -> None:
        self._evaluator = make_evaluator()
        self._queue: deque[tuple[int, Program]] = deque()

    def submit(self, k: int, program: Program) -> None:
        self._queue.append((k, program))

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        if not self._queue:
            return []
        k, program = self._queue.popleft()
        return [(k, evaluate_guarded(self._evaluator, program))]

    def pending(self) -> int:
        return len(self._queue)

    def close(self) -> None:
        self._queue.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
