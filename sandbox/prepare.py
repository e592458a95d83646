"""What the zygote does once: load the libraries, enter its namespaces, give up rights, try the jail on a call of its own.

Stand-alone: standard library and numpy.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import child  # noqa: F401 - loaded before the calls are forked
import landlock
import libraries
import lockdown
import memory
import namespaces
import seccomp
import syscalls

_TRIAL_MEMORY = 256 << 20
_THREADS = 64
"""Of one call of the JAX profile; XLA starts about ten and then four to eight a processor (see lockdown.PROCESSORS)."""
_SLACK = 8 << 20
_DEVICES = ("/dev/null", "/dev/urandom")
"""What the compiler of JAX reads."""


class PlainForker:
    """Forks calls that share the zygote's process namespace."""

    def fork(self) -> int:
        return os.fork()


def prepare(config: dict[str, Any], here: str) -> tuple[Any, lockdown.Plan, dict[str, Any]]:
    """Get ready for calls; gives the forker, the plan of every call's lockdown and a report for the host.

    Raises:
        OSError, RuntimeError: what was asked for cannot be had on this host.
        ImportError: a library that every program needs is missing.
    """
    failed = libraries.load(config["profile"], config["modules"])
    places = libraries.places(here, _DEVICES if config["profile"] == "jax" else ())
    sys.path.remove(here)
    _fill_import_caches()
    gc.collect()
    gc.disable()
    gc.freeze()
    active = ["process", "rlimits"]
    linux = sys.platform == "linux"
    if linux and config["hardened"]:
        memory.keep_private()
    base, resident = _memory()
    report: dict[str, Any] = {"active": active, "missing": {}, "failed_imports": failed, "resident": resident}
    if not config["hardened"]:
        return PlainForker(), lockdown.Plan(base, None, None, os.getpid(), linux, False), report
    if not linux:  # macOS: the profile around this process is the jail
        active.append("seatbelt")
        return PlainForker(), lockdown.Plan(base, None, None, None, False, True), report
    return _harden(config, places, base, report)


def _harden(
    config: dict[str, Any], places: libraries.Places, base: int, report: dict[str, Any]
) -> tuple[Any, lockdown.Plan, dict[str, Any]]:
    without, missing = set(config["without"]), report["missing"]
    active = {"process", "rlimits", "capabilities", "seccomp"}
    jax = config["profile"] == "jax"
    machine = syscalls.machine()
    if machine not in syscalls.AUDIT_ARCH or "seccomp" in without:
        raise RuntimeError(f"no seccomp filter for this machine ({machine})")
    rules = _landlock(places, jax, without, active, missing)
    root = os.geteuid() == 0
    forker: Any = PlainForker()
    if "namespaces" not in without:
        _refuse_threads()
        forker = namespaces.isolate(places)
        active |= {"pid-namespace", "mount-namespace", "network-namespace", "ipc-namespace"}
    elif root:
        namespaces.give_up_root()
    if root:
        active.add("uid")
    lockdown.drop_bounding_set()
    namespaces.set_dumpable(False)
    private = "mount-namespace" in active
    opening = rules is not None or private
    if not opening:
        active.add("no-open")
    if not jax:
        active.add("no-executable-memory")
    else:
        missing["no-executable-memory"] = "JAX compiles to machine code"
    kept = seccomp.build(seccomp.Rules(opening, jax, jax), machine)
    parent, threads = None if private else os.getpid(), _THREADS if jax else 0
    plan = lockdown.Plan(base, kept, rules, parent, True, True, threads, int(config["parallel"]), jax and private)
    _try_out(forker, plan, active)
    report["active"] = sorted(active)
    return forker, plan, report


def _landlock(
    places: libraries.Places, jax: bool, without: set[str], active: set[str], missing: dict[str, str]
) -> int | None:
    """The ruleset, or None with the reason noted."""
    version = 0 if "landlock" in without else landlock.abi()
    if version == 0:
        missing["landlock"] = "left out" if "landlock" in without else "this kernel has no Landlock (Linux 5.13 or newer)"
        return None
    active.add("landlock")
    paths = places.readable()
    if jax:  # the compiler loads shared libraries late
        paths += sorted(_mapped_files())
    return landlock.ruleset(paths, version)


def _refuse_threads() -> None:
    """Say why there will be no namespaces, which a process of several threads cannot enter.

    Raises:
        RuntimeError: a library has started a thread.
    """
    names = []
    for thread in sorted(os.listdir("/proc/self/task"), key=int):
        with open(f"/proc/self/task/{thread}/comm") as comm:
            names.append(comm.read().strip())
    if len(names) > 1:
        raise RuntimeError(f"a library has started a thread ({', '.join(names[1:])}), so that there can be no namespaces")


def _mapped_files() -> set[str]:
    with open("/proc/self/maps") as maps:
        return {line[line.index("/") :].rstrip("\n") for line in maps if "/" in line and ".so" in line}


def _fill_import_caches() -> None:
    """Let the import system list its folders now; calls may not list those that hold more than libraries."""
    for finder in list(sys.path_importer_cache.values()):
        fill = getattr(finder, "_fill_cache", None)
        if fill is not None:
            fill()


def _memory() -> tuple[int, int]:
    """Address space and resident bytes of this process."""
    try:
        with open("/proc/self/statm") as statm:
            pages = [int(word) for word in statm.read().split()[:2]]
    except OSError:
        return 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages[0] * mmap.PAGESIZE + _SLACK, pages[1] * mmap.PAGESIZE


def _try_out(forker: Any, plan: lockdown.Plan, active: set[str]) -> None:
    """Close the jail around a process of our own and see that it holds.

    Raises:
        RuntimeError: it cannot be closed or does not hold.
    """
    reading, writing = os.pipe()
    process = forker.fork()
    if process == 0:
        with contextlib.suppress(BaseException):
            os.write(writing, _breach(plan, writing, active).encode())
        os._exit(0)
    os.close(writing)
    said = b""
    while part := os.read(reading, 4096):
        said += part
    os.close(reading)
    os.waitpid(process, 0)
    if said != b"holds":
        raise RuntimeError(said.decode(errors="replace") or "the trial call ended without a word")


def _breach(plan: lockdown.Plan, report: int, active: set[str]) -> str:
    """Inside the trial call: "holds", or what is open."""
    rules = plan.rules
    try:
        lockdown.close(plan, rules, _TRIAL_MEMORY, 10)
    except OSError as error:
        return f"the jail cannot be closed: {error}"
    attempts: dict[str, Callable[[], object]] = {
        "files can be read": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "files can be written": lambda: os.open("/tmp/x", os.O_RDWR | os.O_CREAT),
        "sockets can be made": socket.socket,
        # by the system call itself: a library may watch os.fork and raise what no kernel says
        "processes can be made": lambda: syscalls.call("clone", signal.SIGCHLD, None, None, None, None),
        "other processes can be signalled": lambda: os.kill(2 if "pid-namespace" in active else 1, signal.SIGTERM),
    }
    if "no-executable-memory" in active:
        attempts["memory can be made executable"] = lambda: mmap.mmap(-1, mmap.PAGESIZE, prot=5)
    for what, attempt in attempts.items():
        try:
            done = attempt()
        except OSError:
            continue
        if what.startswith("processes") and done == 0:
            os._exit(0)
        return f"the jail does not hold: {what}"
    return "holds"
