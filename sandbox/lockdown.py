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
import seccomp
import syscalls

FAILED = 77
"""Exit code of a process that could not close its jail; it has not read the job."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 1, 38, 24, 47
_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
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
        processes: cap on processes and threads, None where the user's other processes count too and are not to be refused.
        linux: the system knows the Linux calls.
        hardened: False: process and resource limits only.
        further: cap on threads beyond what the user runs as the call begins, where those count too; None: `processes` says.
    """

    base_bytes: int
    filter: seccomp.Filter | None
    rules: int | None
    parent: int | None
    processes: int | None
    linux: bool
    hardened: bool
    further: int | None = None


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
        if plan.processes is not None:
            caps[resource.RLIMIT_NPROC] = plan.processes
    for kind, cap in caps.items():
        _, present = resource.getrlimit(kind)
        if present != resource.RLIM_INFINITY:
            cap = min(cap, present)
        resource.setrlimit(kind, (cap, cap))


def running_tasks() -> int | None:
    """Processes and threads that count against this user's RLIMIT_NPROC, our own among them, to one or two.

    The kernel counts those of every container and what /proc hides too, so it is asked: the lowest soft limit under which a
    thread can be started, halving.  None: not even the hard limit allows one.  Leaves the soft limit changed.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = 1 << 22 if hard == resource.RLIM_INFINITY else hard

    def starts(limit: int) -> bool:
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, hard))
        try:
            _thread.start_new_thread(int, ())
        except RuntimeError:
            return False
        while len(os.listdir("/proc/self/task")) > 1:  # gone before anything else is closed
            time.sleep(0)
        return True

    low, high = 0, 1
    while not starts(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if starts(middle) else (middle, high)
    return high - 1


def _limit_tasks(further: int) -> None:
    """This process may start `further` threads beyond what the user runs now; others of the user are not touched."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    running = running_tasks()
    cap = hard if running is None else running + further
    if hard != resource.RLIM_INFINITY:
        cap = min(cap, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (cap, cap))


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
    if plan.linux:
        syscalls.call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if plan.parent is not None and os.getppid() != plan.parent:
            raise OSError("the forker has died")
    limit(plan, memory_bytes, cpu_seconds)
    if not plan.hardened:
        return
    if plan.linux:
        _drop_capabilities()
        if plan.further is not None:  # without capabilities, which would lift the limit
            _limit_tasks(plan.further)
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
