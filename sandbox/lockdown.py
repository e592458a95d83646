"""Closing the jail around this process, layer by layer; any layer that fails is fatal to the call.

Stand-alone: standard library only.
"""

from __future__ import annotations

import _thread
import os
import resource
import signal
import struct
import time
from dataclasses import dataclass
from typing import NoReturn

import landlock
import namespaces
import seccomp
import syscalls

FAILED = 77
"""Exit code of a process that could not close its jail; it has not read the job."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 1, 38, 24, 47
_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
PROCESSORS = 4
"""That a call with threads may use."""
RESULT = 3
"""The answer's file descriptor; 0 is the job, 1 and 2 the log."""


@dataclass(frozen=True)
class Plan:
    """How every call of one zygote is locked down.

    Attributes:
        base_bytes: address space that the zygote has itself.
        filter: system calls allowed; None: no seccomp ("unsafe-local" and macOS only).
        rules: Landlock ruleset's file descriptor, None without Landlock.
        parent: the forker's process id, None where calls have a process namespace and cannot see it.
        linux: the system knows the Linux calls.
        hardened: False: process and resource limits only.
        threads: threads that a call may start; 0: none.
        calls: how many calls may run at once.
        own_users: each call gets a user namespace of its own, so that its threads are counted apart.
    """

    base_bytes: int
    filter: seccomp.Filter | None
    rules: int | None
    parent: int | None
    linux: bool
    hardened: bool
    threads: int = 0
    calls: int = 1
    own_users: bool = False


def place_files(job: int, log: int, result: int, rules: int | None) -> int | None:
    """Put the call's files at 0, 1, 2 and 3 and close all others but the ruleset, whose new number is given."""
    high = [os.dup2(fd, 64 + k, inheritable=False) for k, fd in enumerate((job, log, result))]
    kept = None if rules is None else os.dup2(rules, 67, inheritable=False)
    for target, source in ((0, high[0]), (1, high[1]), (2, high[1])):
        os.dup2(source, target)
    os.dup2(high[2], RESULT, inheritable=False)
    if kept is not None:
        kept = os.dup2(kept, RESULT + 1, inheritable=False)
    _close_from(RESULT + 1 if kept is None else RESULT + 2)
    return kept


def _close_from(first: int) -> None:
    """Close every file from number `first` on."""
    try:
        syscalls.call("close_range", first, 0x7FFFFFFF, 0)
    except (OSError, AttributeError):  # before Linux 5.9; not Linux
        os.closerange(first, 4096)


def limit(plan: Plan, memory_bytes: int, cpu_seconds: int) -> None:
    """Resource limits of one call.

    Soft and hard limit are one: the first process of a process namespace would ignore the soft one's signal.
    """
    caps = {resource.RLIMIT_CPU: cpu_seconds, resource.RLIMIT_CORE: 0}
    if plan.linux:
        caps[resource.RLIMIT_AS] = plan.base_bytes + memory_bytes
    if plan.hardened:
        caps |= {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: 64, resource.RLIMIT_MEMLOCK: 0}
        if plan.linux:
            caps[resource.RLIMIT_MSGQUEUE] = 0
            if not plan.threads:
                caps[resource.RLIMIT_NPROC] = 1
    for kind, cap in caps.items():
        _, present = resource.getrlimit(kind)
        if present != resource.RLIM_INFINITY:
            cap = min(cap, present)
        resource.setrlimit(kind, (cap, cap))


def running_tasks() -> int | None:
    """Processes and threads that count against this process's RLIMIT_NPROC, its own among them.

    The kernel counts those of every container and what /proc hides too, so it is asked: the lowest soft limit under which a
    thread can be started, halving.  None: not even the hard limit allows one.  Leaves the soft limit changed.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = 1 << 22 if hard == resource.RLIM_INFINITY else hard

    def starts(limit: int) -> bool:
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, hard))
        return _starts_a_thread()

    low, high = 0, 1
    while not starts(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if starts(middle) else (middle, high)
    return high - 1


def _starts_a_thread() -> bool:
    """Whether a thread can be started; it is gone, and no longer counted, on return."""
    ids: list[int] = []
    try:
        _thread.start_new_thread(lambda: ids.append(_thread.get_native_id()), ())
    except RuntimeError:
        return False
    while not ids:
        time.sleep(0)
    try:
        while True:
            syscalls.call("tgkill", os.getpid(), ids[0], 0)
            time.sleep(0)
    except ProcessLookupError:
        return True


def _limit_tasks(threads: int, calls: int) -> None:
    """This process may start `threads` threads beyond what runs now; others of the user are not touched.

    Where others are counted with it, the share of all `calls` that may run at once is added, as they may begin later.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    running = running_tasks()
    cap = hard if running is None else running + threads * (1 if running == 1 else calls)
    if hard != resource.RLIM_INFINITY:
        cap = min(cap, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (cap, cap))


def _take_processors(most: int) -> None:
    """Stay on at most `most` of the processors, any of them: libraries start threads by their number."""
    allowed = sorted(os.sched_getaffinity(0))
    first = int.from_bytes(os.urandom(4), "little") % len(allowed)
    os.sched_setaffinity(0, (allowed[first:] + allowed[:first])[:most])


def drop_bounding_set() -> None:
    """Capabilities that no process below this one can ever have; without the right to do so it needs none."""
    for capability in range(64):
        try:
            syscalls.call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError:
            return


def _drop_capabilities() -> None:
    syscalls.call("capset", struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), bytes(24))


def close(plan: Plan, rules: int | None, memory_bytes: int, cpu_seconds: int) -> None:
    """Everything between the fork and the first look at the job.

    Raises:
        OSError: a layer could not be closed; the caller must end the process.
    """
    os.setsid()
    if plan.own_users:
        namespaces.own_users()
        drop_bounding_set()
    if plan.linux:
        syscalls.call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if plan.parent is not None and os.getppid() != plan.parent:
            raise OSError("the forker has died")
    limit(plan, memory_bytes, cpu_seconds)
    if not plan.hardened:
        return
    if plan.linux:
        _drop_capabilities()
        if plan.threads:  # without capabilities, which would lift the limit
            _take_processors(PROCESSORS)
            _limit_tasks(plan.threads, plan.calls)
        syscalls.call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if rules is not None:
        landlock.restrict(rules)
        os.close(rules)
    if plan.filter is not None:
        seccomp.install(plan.filter.for_process(os.getpid()))


def fail(error: BaseException) -> NoReturn:
    """Say why on the log, and end."""
    try:
        os.write(2, f"lockdown failed: {type(error).__name__}: {error}".encode())
    finally:
        os._exit(FAILED)
