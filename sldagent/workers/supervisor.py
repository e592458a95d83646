"""What runs in a Ray actor: it keeps one worker process and always answers with bytes.

Candidates are evaluated in the worker process, a child of its own as in `LocalPool`: it is ended when a candidate takes
too long or crashes, while the actor, which Ray cannot interrupt, stays and says so.
"""

from __future__ import annotations

import os
import pickle
import struct

from sldagent import __version__
from sldagent.errors import LawError
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.laws.parse import parse_program
from sldagent.workers.base import WorkerStartError
from sldagent.workers.environment import is_secret
from sldagent.workers.local import LocalPool
from sldagent.workers.wire import decode_evaluation, encode_evaluation

_HEAD = struct.Struct("<BQ")
_RESULT, _BROKEN = 0, 1


class Supervisor:
    """One worker process and what it was built from.

    Args:
        factory: pickled, from the coordinator: what makes the evaluator, and what to call before (or None).
        time_limit: seconds that one candidate may take; None: no cap.
    """

    def __init__(self, factory: bytes, time_limit: float | None) -> None:
        for name in [name for name, value in os.environ.items() if is_secret(name, value)]:
            del os.environ[name]  # a cluster that somebody else started may have keys in its environment
        make_evaluator, warm = pickle.loads(factory)
        self._pool = LocalPool(make_evaluator, 1, time_limit, queue=0, warm=warm)

    def hello(self) -> str:
        """The release that runs here."""
        return __version__

    def evaluate(self, k: int, source: str) -> bytes:
        """Evaluate the program with this text; `open_reply` reads the answer."""
        try:
            self._pool.submit(k, parse_program(source))
            while not (found := self._pool.results(60.0)):
                continue
        except WorkerStartError as error:
            return _HEAD.pack(_BROKEN, 0) + str(error).encode()
        except LawError as error:
            broken = Evaluation(failure=Failure("worker", f"the program's text did not survive its way: {error}"))
            return _HEAD.pack(_RESULT, self._memory()) + encode_evaluation(broken)
        ((_, evaluation),) = found
        return _HEAD.pack(_RESULT, self._memory()) + encode_evaluation(evaluation)

    def _memory(self) -> int:
        """Resident bytes of this process and its worker, as far as the kernel tells."""
        return sum(map(resident, (os.getpid(), *self._pool.process_ids)))


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 where that is not known."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def open_reply(reply: object) -> tuple[Evaluation, int]:
    """(evaluation, resident bytes at the worker's end) of an answer.

    An answer that is not one gives ``Failure("worker", ...)``.  Raises WorkerStartError where the worker could not be
    started.
    """
    if not isinstance(reply, bytes) or len(reply) < _HEAD.size:
        return Evaluation(failure=Failure("worker", "the worker's answer is not one")), 0
    kind, memory = _HEAD.unpack_from(reply)
    body = reply[_HEAD.size :]
    if kind == _BROKEN:
        raise WorkerStartError(body.decode(errors="replace")[:1000])
    try:
        return decode_evaluation(body), memory
    except ValueError as error:
        return Evaluation(failure=Failure("worker", f"the worker's answer cannot be read: {error}")), memory
