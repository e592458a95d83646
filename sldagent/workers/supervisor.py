"""What runs in a Ray actor: it keeps one worker process and always answers with bytes.

Candidates are evaluated in the worker process, a child of its own as in `LocalPool`: it is ended when a candidate takes
too long or crashes, while the actor, which Ray cannot interrupt, stays and says so.  The process holds the next candidates
already, so that it works on while an answer is on its way to the coordinator and the coordinator's next call on its way
back.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterable, Sequence

from sldagent import __version__
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.program import Program
from sldagent.workers.base import WorkerStartError
from sldagent.workers.environment import is_secret
from sldagent.workers.local import LocalPool
from sldagent.workers.wire import WireError, decode_evaluation, encode_evaluation

_HEAD = struct.Struct("<BQ")
_RESULT, _BROKEN = 0, 1
_EACH = struct.Struct("<qI")
"""Before each evaluation: its candidate, and the number of its bytes."""
_WAIT = 60.0
"""Seconds between looks at whether a worker that says nothing still holds candidates."""


class Supervisor:
    """One worker process and what it was built from.

    Args:
        factory: pickled, from the coordinator: what makes the evaluator, and what to call before (or None).
        time_limit: seconds that one candidate may take; None: no cap.
        depth: candidates that the worker process holds at most.
    """

    def __init__(self, factory: bytes, time_limit: float | None, depth: int) -> None:
        for name in [name for name, value in os.environ.items() if is_secret(name, value)]:
            del os.environ[name]  # a cluster that somebody else started may have keys in its environment
        make_evaluator, warm = pickle.loads(factory)
        self._pool = LocalPool(make_evaluator, 1, time_limit, queue=depth - 1, warm=warm)

    def hello(self) -> str:
        """The release that runs here."""
        return __version__

    def work(self, fresh: bytes) -> bytes:
        """Take candidates (`pack_candidates`), and wait until any that is here is finished; `open_reply` reads the answer.

        All that are finished are in the answer; none where none is here.
        """
        found: list[tuple[int, Evaluation]] = []
        candidates: list[tuple[int, Program]] = pickle.loads(fresh)
        try:
            for k, program in candidates:
                self._pool.submit(k, program)
            while not found and self._pool.pending():
                found = self._pool.results(_WAIT)
        except WorkerStartError as error:
            return _HEAD.pack(_BROKEN, 0) + str(error).encode()
        return reply(found, sum(map(resident, (os.getpid(), *self._pool.process_ids))))


def pack_candidates(candidates: Sequence[tuple[int, Program]]) -> bytes:
    """Candidates on their way to a supervisor, which trusts its coordinator."""
    return pickle.dumps(list(candidates), protocol=pickle.HIGHEST_PROTOCOL)


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 where that is not known."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def reply(found: Iterable[tuple[int, Evaluation]], memory: int) -> bytes:
    """Evaluations as an answer; `memory`: resident bytes at the worker's end."""
    parts = [_HEAD.pack(_RESULT, memory)]
    for k, evaluation in found:
        body = encode_evaluation(evaluation)
        parts += [_EACH.pack(k, len(body)), body]
    return b"".join(parts)


def open_reply(answer: object) -> tuple[list[tuple[int, Evaluation]], int]:
    """(candidates with their evaluations, resident bytes at the worker's end) of an answer.

    An evaluation that cannot be read is ``Failure("worker", ...)``.  Raises WireError for an answer that is not one, and
    WorkerStartError where the worker could not be started.
    """
    if not isinstance(answer, bytes) or len(answer) < _HEAD.size:
        raise WireError("the answer is not one")
    kind, memory = _HEAD.unpack_from(answer)
    at = _HEAD.size
    if kind == _BROKEN:
        raise WorkerStartError(answer[at:].decode(errors="replace")[:1000])
    found: list[tuple[int, Evaluation]] = []
    while at < len(answer):
        if at + _EACH.size > len(answer):
            raise WireError("the answer is cut off")
        k, length = _EACH.unpack_from(answer, at)
        at += _EACH.size
        if at + length > len(answer):
            raise WireError("the answer is cut off")
        found.append((k, _evaluation(answer[at : at + length])))
        at += length
    return found, memory


def _evaluation(body: bytes) -> Evaluation:
    try:
        return decode_evaluation(body)
    except ValueError as error:
        return Evaluation(failure=Failure("worker", f"the worker's answer cannot be read: {error}"))
