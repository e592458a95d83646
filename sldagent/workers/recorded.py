"""Evaluations that are known already, in front of a pool for those that are not."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from sldagent.evaluation.result import Evaluation
from sldagent.laws.program import Program
from sldagent.workers.base import WorkerPool

Recorded = Callable[[int, Program], Evaluation | None]
"""The evaluation that was recorded for candidate k, or None where it shall be made again."""


class RecordedPool:
    """A `WorkerPool` that answers from a record where it can."""

    def __init__(self, inner: WorkerPool, recorded: Recorded) -> None:
        self._inner = inner
        self._recorded = recorded
        self._done: list[tuple[int, Evaluation]] = []

    def submit(self, k: int, program: Program) -> None:
        found = self._recorded(k, program)
        if found is None:
            self._inner.submit(k, program)
        else:
            self._done.append((k, found))

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        done, self._done = self._done, []
        return done + self._inner.results(0.0 if done else timeout)

    def pending(self) -> int:
        return len(self._done) + self._inner.pending()

    def close(self) -> None:
        self._done.clear()
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NoPool:
    """A `WorkerPool` for when everything is recorded: it takes nothing."""

    def submit(self, k: int, program: Program) -> None:
        raise RuntimeError(f"candidate {k} is not recorded")

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        return []

    def pending(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
