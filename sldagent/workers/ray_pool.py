"""A pool of workers on a Ray cluster.

Every worker is an actor that supervises a process of its own (`sldagent.workers.supervisor`).  The pool hands each a
few candidates at a time and takes back bytes that it checks.  One call to an actor is under way at a time: it brings new
candidates, and returns when one that the actor holds is finished, while its process goes on with the next.  An actor that
is lost with its node, or that is silent for too long, is replaced, and its candidates are handed out again.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from typing import Any

from sldagent import __version__
from sldagent.evaluation.result import Failure
from sldagent.laws.program import Program
from sldagent.workers.base import MakeEvaluator, WorkerStartError
from sldagent.workers.queued import Holder, QueuedPool
from sldagent.workers.supervisor import Supervisor, open_reply, pack_candidates
from sldagent.workers.wire import WireError

NODE_LOST = "node has died"
"""In Ray's words on an actor that ended with its node, which says nothing of the actor."""
LOSSES = 3
"""Workers that one candidate may be lost with before it is blamed."""
SILENCE = 60.0
"""Seconds beyond the cap of its candidates after which an actor that does not answer is given up."""
MEMORY = 4 << 30
"""Resident bytes of an actor and its worker beyond which they are replaced by fresh ones."""


class _Actor(Holder):
    """One actor: its handle, the call that is under way, and what the next call will bring."""

    def __init__(self, handle: Any, clock: Callable[[], float]) -> None:
        super().__init__()
        self.handle = handle
        self.call = handle.hello.remote()
        self.unsent: list[tuple[int, Program]] = []
        self.full = False
        """It has grown too large: nothing more is given to it."""
        self.heard = clock()


class RayPool(QueuedPool[_Actor]):
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
        super().__init__(workers, depth, clock)
        self._ray = ray
        self._make = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(Supervisor)
        self._factory = ray.put(pickle.dumps((make_evaluator, warm)))
        self._time_limit = time_limit
        self._memory = memory
        self._begin()

    def _start(self) -> _Actor:
        return _Actor(self._make.remote(self._factory, self._time_limit, self._depth), self._clock)

    def _able(self, worker: _Actor) -> bool:
        return worker.ready and not worker.full

    def _give(self, worker: _Actor, candidates: list[tuple[int, Program]]) -> None:
        worker.unsent += candidates
        self._call(worker)

    def _call(self, actor: _Actor) -> None:
        """Ask for the next answer, unless the actor is asked already or holds nothing."""
        if actor.call is None and actor.given:
            actor.call = actor.handle.work.remote(pack_candidates(actor.unsent))
            actor.unsent.clear()
            actor.heard = self._clock()

    def _end(self, worker: _Actor) -> None:
        self._ray.kill(worker.handle)  # also one that only seems to be gone: it must not go on beside its successor

    def _turn(self, timeout: float) -> None:
        super()._turn(timeout)
        for actor in self._workers:  # those that got nothing new, but hold something
            self._call(actor)

    def _listen(self, timeout: float) -> None:
        """Wait for any actor, take what has come, and replace actors that are lost, silent or too large."""
        waited = {actor.call: actor for actor in self._workers if actor.call is not None}
        if waited:
            came, _ = self._ray.wait(list(waited), num_returns=len(waited), timeout=0)
            if not came and timeout > 0:
                came, _ = self._ray.wait(list(waited), num_returns=1, timeout=timeout)
            for call in came:
                self._take(waited[call])
        limit = None if self._time_limit is None else self._depth * self._time_limit + SILENCE
        for actor in list(self._workers):
            if actor.full and not actor.given:
                self._replace(actor)
            elif limit is not None and actor.given and self._clock() - actor.heard > limit:
                self._lost(actor, "it did not answer")

    def _take(self, actor: _Actor) -> None:
        """One answer of an actor, or the news of its end."""
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(actor.call)
            actor.call = None
            if actor.ready:
                found, memory = open_reply(answer)
        except errors.RayActorError as error:
            self._lost(actor, str(error))
            return
        except errors.RayTaskError as error:
            self._lost(actor, f"{type(error.cause).__name__}: {error.cause}")
            return
        except WireError as error:
            self._lost(actor, str(error))
            return
        if not actor.ready:
            if answer != __version__:
                raise WorkerStartError(f"the cluster's nodes have sldagent {answer}, and the coordinator {__version__}")
            self._started(actor)
            return
        actor.full = memory > self._memory
        for k, evaluation in found:
            self._answered(actor, k, evaluation)

    def _lost(self, actor: _Actor, reason: str) -> None:
        if not actor.ready and NODE_LOST not in reason:
            self._failed_start(reason)
        failure = Failure("worker", f"the worker was lost {LOSSES} times while it evaluated this candidate")
        self._replace(actor, failure, forgiven=LOSSES - 1)
