"""The interface of a pool of workers, and what every pool does with a candidate.

Contract, for every implementation:

* the pool is built from a *factory*, a picklable callable without arguments that makes the evaluator; each
  worker calls it once;
* `submit` never waits for an evaluation; results come in any order, each submitted index exactly once;
* the evaluation of a program does not depend on the pool, the number of workers or what was evaluated before;
* whatever happens to a worker, its candidate gets an `Evaluation`: an exception or a repeated death gives
  ``Failure("worker", ...)``, the cap in seconds ``Failure("time", ...)``.  After one death the candidate is
  evaluated again, since its worker may have died of something else.  Only a worker that cannot be
  started at all raises `WorkerStartError`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.program import Program


class ProgramEvaluator(Protocol):
    """Judges programs on one task; deterministic given the program."""

    def evaluate(self, program: Program) -> Evaluation: ...


MakeEvaluator = Callable[[], ProgramEvaluator]
"""Makes the evaluator; for pools of processes picklable: a module-level function or a partial of one."""


class WorkerStartError(RuntimeError):
    """Workers cannot be started: the factory failed, or fresh processes keep dying early."""


class WorkerPool(Protocol):
    """Evaluates submitted programs; see the module's docstring for the contract."""

    def submit(self, k: int, program: Program) -> None:
        """Queue candidate `k`; returns at once."""
        ...

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        """Finished candidates not yet handed out; waits up to `timeout` seconds for the first one.

        Empty at once when nothing is pending.  Raises `WorkerStartError`.
        """
        ...

    def pending(self) -> int:
        """Candidates submitted and not yet handed out."""
        ...

    def close(self) -> None:
        """End all workers; candidates still pending are dropped.  May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def evaluate_guarded(evaluator: ProgramEvaluator, program: Program) -> Evaluation:
    """The evaluation, or ``Failure("worker", ...)`` if it raises: one bad candidate must not end a run."""
    try:
        return evaluator.evaluate(program)
    except MemoryError:
        return Evaluation(failure=Failure("worker", "the evaluation ran out of memory"))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"the evaluation raised {type(error).__name__}: {error} (in {last.name}, line {last.lineno})"
        return Evaluation(failure=Failure("worker", what))
