"""From how a call ended and what it sent to an `Answer`: the reason of every failure in one word and one sentence."""

from __future__ import annotations

import os
import signal

from sldagent.sandbox.call import Outcome
from sldagent.sandbox.checks import check
from sldagent.sandbox.frames import ProtocolError, decode
from sldagent.sandbox.text import clean_log, clean_message
from sldagent.sandbox.types import Answer, FailureKind, JailFailure, Job, Limits

LOCKDOWN_FAILED = 77
"""Exit code of a guest that could not close its jail (`sandbox/lockdown.py`)."""

REPORTED: frozenset[FailureKind] = frozenset(
    ("syntax", "missing-function", "import", "error", "shape", "non-finite", "memory", "exit", "too-large")
)
"""Failures that the guest itself may report."""


def judge(job: Job, limits: Limits, cpu_limit: int, outcome: Outcome, resident: int) -> Answer:
    """The answer of one call; `resident` is what the guest holds before any call."""
    failure = _ending(limits, cpu_limit, outcome)
    frame = None
    if failure is None:
        try:
            frame = decode(outcome.result)
        except ProtocolError as error:
            failure = JailFailure("protocol", clean_message(str(error)))
    if frame is not None:
        failure = _reported(frame.failure) or check(job, frame.arrays)
    good = frame is not None and failure is None
    return Answer(
        arrays=frame.arrays if frame is not None and good else {},
        values=frame.values if frame is not None and good else {},
        log=clean_log(bytes(outcome.log), limits.log_bytes, outcome.dropped),
        failure=failure,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_bytes=max(0, outcome.peak_bytes - resident),
    )


def _ending(limits: Limits, cpu_limit: int, outcome: Outcome) -> JailFailure | None:
    """Why the process did not end by itself with an answer, or None."""
    if outcome.killed is not None:
        return JailFailure(outcome.killed, _KILLED[outcome.killed].format(limits=limits))
    status = outcome.status
    if status is None:
        return JailFailure("jail", "how the call ended is not known")
    if os.WIFSIGNALED(status):
        return _signalled(os.WTERMSIG(status), cpu_limit, outcome)
    code = os.WEXITSTATUS(status)
    if code == LOCKDOWN_FAILED and not outcome.job_read:
        return JailFailure("jail", clean_message(outcome.log.decode("utf-8", errors="replace")) or "lockdown failed")
    if code != 0:
        return JailFailure("exit", f"the program ended its process with exit code {code}")
    if not outcome.result:
        return JailFailure("exit", "the program ended its process without an answer")
    return None


_KILLED: dict[FailureKind, str] = {
    "wall-time": "ended after {limits.wall_seconds:g} s, the limit of wall time",
    "flood": "ended because it printed without end; {limits.log_bytes} bytes are kept",
    "too-large": "the answer is larger than the {limits.result_bytes} bytes allowed",
    "memory": "ended because it held more than {limits.memory_bytes} bytes of memory",
}


TICKED = 0.5
"""Least share of the limit of processor time that a process killed for it has used by the exact count."""


def _signalled(number: int, cpu_limit: int, outcome: Outcome) -> JailFailure:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    # The kernel enforces the limit in whole ticks, of which a process on a busy machine may have had only a part.
    if number == signal.SIGXCPU or (number == signal.SIGKILL and outcome.cpu_seconds >= TICKED * cpu_limit):
        return JailFailure("cpu-time", f"ended after {cpu_limit} s of processor time, the limit")
    hint = " (the system ran out of memory?)" if number == signal.SIGKILL else ""
    return JailFailure("signal", f"the program's process was ended by {name}{hint}")


def _reported(failure: tuple[str, str] | None) -> JailFailure | None:
    if failure is None:
        return None
    kind, message = failure
    for known in REPORTED:
        if kind == known:
            return JailFailure(known, clean_message(message))
    return JailFailure("protocol", "the answer names a failure that there is not")
