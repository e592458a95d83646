"""A pool of workers on a Ray cluster.

Every worker is an actor that supervises a process of its own (`sldagent.workers.supervisor`).  The pool hands each a
few candidates at a time, as text, and takes back bytes that it checks.  An actor that is lost with its node, or that
is silent for too long, is replaced, and its candidates are handed out again: evaluations do not depend on where they
happen, so nothing is lost and nothing differs.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sldagent import __version__
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.program import Program
from sldagent.laws.render import render_program
from sldagent.workers.base import MakeEvaluator, WorkerStartError
from sldagent.workers.supervisor import Supervisor, open_reply

STARTS = 3
"""Actors in a row that may fail before they are ready."""
NODE_LOST = "node has died"
"""In Ray's words on an actor that ended with its node, which says nothing of the actor."""
LOSSES = 3
"""Workers that one candidate may be lost with before it is blamed."""
SILENCE = 60.0
"""Seconds beyond the cap of its candidates after which an actor that does not answer is given up."""
MEMORY = 4 << 30
"""Resident bytes of an actor and its worker beyond which they are replaced by fresh ones."""


class _Actor:
    """One actor: its handle, and what it was given, oldest first."""

    def __init__(self, handle: Any, clock: Callable[[], float]) -> None:
        self.handle = handle
        self.hello = handle.hello.remote()
        self.given: dict[Any, tuple[int, Program]] = {}
        self.ready = False
        self.full = False
        """It has grown too large: nothing more is given to it."""
        self._clock = clock
        self.heard = clock()

    def give(self, k: int, program: Program) -> None:
        if not self.given:
            self.heard = self._clock()
        self.given[self.handle.evaluate.remote(k, render_program(program))] = (k, program)

    def silent(self, limit: float) -> bool:
        """It owes an answer and has not been heard of for `limit` seconds."""
        return bool(self.given) and self._clock() - self.heard > limit


class RayPool:
    """A `WorkerPool` of Ray actors.

    Args:
        ray: the package, connected to a cluster (`sldagent.workers.ray_cluster.connected`).
        make_evaluator: picklable factory, called once in every worker.
        workers: number of actors, at least 1; those that the cluster has no room for yet wait for it.
        time_limit: seconds that one candidate may take; None: no cap.
        gpus: GPUs of every actor.
        memory: bytes beyond which an actor is replaced.
        depth: candidates that an actor holds at most, which hides the way there and back.
        warm: called in every actor before its worker starts.

    Raises:
        ValueError: `workers` or `depth` out of range.
    """

    def __init__(
        self, ray: Any, make_evaluator: MakeEvaluator, workers: int, time_limit: float | None = None, *,
        gpus: float = 0.0, memory: int = MEMORY, depth: int = 3, warm: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if workers < 1 or depth < 1:
            raise ValueError("a pool needs at least one worker that holds at least one candidate")
        self._ray = ray
        self._make = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(Supervisor)
        self._factory = ray.put(pickle.dumps((make_evaluator, warm)))
        self._time_limit = time_limit
        self._memory = memory
        self._depth = depth
        self._clock = clock
        self._backlog: deque[tuple[int, Program]] = deque()
        self._done: list[tuple[int, Evaluation]] = []
        self._losses: dict[int, int] = {}
        self._failed_starts = 0
        self._actors = [self._start() for _ in range(workers)]

    def submit(self, k: int, program: Program) -> None:
        self._backlog.append((k, program))
        self._hand_out()

    def pending(self) -> int:
        return len(self._backlog) + sum(len(a.given) for a in self._actors) + len(self._done)

    def results(self, timeout: float) -> list[tuple[int, Evaluation]]:
        deadline = self._clock() + timeout
        self._listen(0.0)
        while not self._done and self.pending():
            left = deadline - self._clock()
            if left <= 0:
                break
            self._listen(min(left, 1.0))
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        self._backlog.clear()
        self._done.clear()
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> _Actor:
        return _Actor(self._make.remote(self._factory, self._time_limit), self._clock)

    def _hand_out(self) -> None:
        """Give waiting candidates, oldest first, to the ready actors that hold fewest."""
        able = [actor for actor in self._actors if actor.ready and not actor.full]
        while self._backlog and able:
            actor = min(able, key=lambda a: len(a.given))
            if len(actor.given) >= self._depth:
                return
            actor.give(*self._backlog.popleft())

    def _listen(self, timeout: float) -> None:
        """Wait for any actor, take what has come, and replace actors that are lost, silent or too large."""
        waited = {ref: actor for actor in self._actors for ref in ([] if actor.ready else [actor.hello])}
        waited |= {ref: actor for actor in self._actors for ref in actor.given}
        if waited:
            came, _ = self._ray.wait(list(waited), num_returns=len(waited), timeout=0)
            if not came and timeout > 0:
                came, _ = self._ray.wait(list(waited), num_returns=1, timeout=timeout)
            for ref in came:
                actor = waited[ref]
                if actor in self._actors:  # it may have been replaced because of an earlier answer
                    self._take(actor, ref)
        limit = None if self._time_limit is None else self._depth * self._time_limit + SILENCE
        for actor in list(self._actors):
            if (actor.full and not actor.given) or (limit is not None and actor.silent(limit)):
                self._replace(actor)
        self._hand_out()

    def _take(self, actor: _Actor, ref: Any) -> None:
        """One answer of an actor, or the news of its end."""
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(ref)
        except errors.RayActorError as error:
            self._lost(actor, str(error))
            return
        except errors.RayTaskError as error:
            self._lost(actor, f"{type(error.cause).__name__}: {error.cause}")
            return
        actor.heard = self._clock()
        if ref == actor.hello:
            if answer != __version__:
                raise WorkerStartError(f"the cluster's nodes have sldagent {answer}, and the coordinator {__version__}")
            actor.ready = True
            self._failed_starts = 0
            return
        k, _ = actor.given.pop(ref)
        evaluation, memory = open_reply(answer)
        actor.full = memory > self._memory
        self._losses.pop(k, None)
        self._done.append((k, evaluation))

    def _lost(self, actor: _Actor, reason: str) -> None:
        if not actor.ready and NODE_LOST not in reason:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise WorkerStartError(f"actors end before they are ready: {' '.join(reason.split())[:500]}")
        self._replace(actor)

    def _replace(self, actor: _Actor) -> None:
        """Start a fresh actor and hand the candidates of the old one out again, unless one loses actor after actor.

        Only the oldest can be to blame: the others have not begun.
        """
        self._ray.kill(actor.handle)  # also one that only seems to be gone: it must not go on beside its successor
        again = list(actor.given.values())
        if again:
            k = again[0][0]
            self._losses[k] = self._losses.get(k, 0) + 1
            if self._losses[k] >= LOSSES:
                del self._losses[k], again[0]
                failure = Failure("worker", f"the worker was lost {LOSSES} times while it evaluated this candidate")
                self._done.append((k, Evaluation(failure=failure)))
        self._backlog.extendleft(reversed(again))
        self._actors[self._actors.index(actor)] = self._start()
