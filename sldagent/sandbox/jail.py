"""The jail: one zygote with its libraries loaded, any number of calls, each in a locked-down process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import re
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from sldagent.errors import JailUnavailable
from sldagent.sandbox import call, cgroup, frames
from sldagent.sandbox.docker import DockerJail
from sldagent.sandbox.keeper import Setup, StartError, Zygote, ZygoteGone
from sldagent.sandbox.types import LAYERS, MAX_CODE_BYTES, MODES, Answer, JailFailure, Job, Layers, Limits, Mode, Profile
from sldagent.sandbox.verdict import judge

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ATTEMPTS = 2
"""A call whose zygote dies or sticks is made once more with a fresh one."""


class _Backend(Protocol):
    layers: Layers

    @property
    def failed_imports(self) -> Mapping[str, str]: ...
    def call(self, job: Job, limits: Limits) -> Answer: ...
    def close(self) -> None: ...


class Jail:
    """Runs untrusted programs.

    Several threads may call at once.  Starting takes a second or more (the libraries are loaded once); a call costs
    milliseconds.  The process that makes a jail stops other processes of the same user from looking into it
    (PR_SET_DUMPABLE), because it holds what the jail must not see.

    Args:
        profile: "numpy" (numpy and scipy, one thread, no machine code beyond the libraries) or "jax".
        modules: further importable names that programs may import ("sklearn.linear_model"); loaded beforehand.
        mode: "auto" (every layer this host has), "no-namespaces", "docker" (in a container) or "unsafe-local" (no jail:
            `layers.safe` is False, and whoever runs it must say so).
        limits: of calls that name none (None: the defaults).
        parallel: calls that run at once; further ones wait.
        without: layers to leave out though the host has them ("namespaces", "landlock", "seccomp"), to see what the
            others hold.

    Raises:
        JailUnavailable: this host cannot run untrusted code safely in this mode.
        ValueError: an unknown mode or layer, or a module that is no importable name.
    """

    def __init__(
        self,
        profile: Profile = "numpy",
        *,
        modules: Collection[str] = (),
        mode: Mode = "auto",
        limits: Limits | None = None,
        parallel: int | None = None,
        without: Collection[str] = (),
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"no mode {mode!r}; there are {', '.join(MODES)}")
        wrong = [name for name in modules if _MODULE.fullmatch(name) is None]
        if wrong or not set(without) <= {"namespaces", "landlock", "seccomp"}:
            raise ValueError(f"not importable: {wrong}" if wrong else f"not layers that can be left out: {set(without)}")
        self.profile = profile
        self.modules = tuple(sorted(set(modules)))
        self.mode = mode
        self.limits = limits or Limits()
        parallel = parallel or os.cpu_count() or 1
        self._slots = threading.BoundedSemaphore(parallel)
        self._backend: _Backend
        if mode == "docker":
            self._backend = DockerJail(profile, self.modules, self.limits, parallel)
        else:
            self._backend = _LocalJail(profile, self.modules, mode, self.limits, parallel, frozenset(without))

    @property
    def layers(self) -> Layers:
        """What is in force."""
        return self._backend.layers

    @property
    def failed_imports(self) -> Mapping[str, str]:
        """Modules asked for that cannot be imported on this host, with why; programs that import them fail."""
        return self._backend.failed_imports

    def call(self, job: Job, limits: Limits | None = None) -> Answer:
        """Run one job.  Whatever the code does is in the answer, never an exception.

        Raises:
            ValueError: the job itself is malformed (a defect of the caller).
        """
        limits = limits or self.limits
        limits = replace(limits, memory_bytes=limits.memory(self.profile))
        if len(job.code.encode("utf-8", "surrogatepass")) > MAX_CODE_BYTES:
            return Answer(failure=JailFailure("too-large", f"the program is longer than {MAX_CODE_BYTES} bytes"))
        with self._slots:
            return self._backend.call(job, limits)

    def close(self) -> None:
        """End the jail and every call in it."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def payload_of(job: Job) -> tuple[bytes, ...]:
    """The bytes of a job: 8 bytes of the code's length, the code, a frame.

    Raises:
        ValueError: arrays or options that do not fit into a frame.
    """
    code = job.code.encode("utf-8", "replace")
    try:
        frame = frames.encode(job.arrays, {"entry": job.entry, "options": dict(job.options)})
    except frames.ProtocolError as error:
        raise ValueError(f"the job does not fit into a frame: {error}") from None
    return len(code).to_bytes(8, "little"), code, frame


def cpu_limit(limits: Limits, profile: Profile) -> int:
    """Whole seconds of processor time for one call."""
    seconds = limits.cpu_seconds
    if seconds is None:
        seconds = (limits.wall_seconds + 1.0) * (4.0 if profile == "jax" else 1.0)
    return max(1, math.ceil(seconds))


class _LocalJail:
    """A zygote on this machine, replaced when it dies or sticks."""

    def __init__(
        self, profile: Profile, modules: tuple[str, ...], mode: Mode, limits: Limits, parallel: int, without: frozenset[str]
    ) -> None:
        self._profile = profile
        self._lock = threading.Lock()
        self._closed = False
        _hide_this_process()
        self._group = cgroup.make(parallel * limits.memory(profile) + (2 << 30), 64 * (parallel + 1))
        if mode == "no-namespaces":
            without |= {"namespaces"}
        full = Setup(profile, modules, mode != "unsafe-local", tuple(sorted(without)), parallel)
        self._zygote, self._setup, refused = self._first(full)
        self.layers = self._layers(mode, refused)
        if not self.layers.safe and mode != "unsafe-local":
            self.close()
            raise JailUnavailable(_sentence(self.layers.describe()))

    def _first(self, setup: Setup) -> tuple[Zygote, Setup, str]:
        """Start with every layer, then without namespaces; also why namespaces were refused."""
        try:
            return self._start(setup), setup, ""
        except StartError as error:
            refused = str(error)
        if "namespaces" in setup.without or not setup.hardened or sys.platform != "linux":
            self.close()
            raise JailUnavailable(_sentence(refused))
        fewer = replace(setup, without=(*setup.without, "namespaces"))
        try:
            return self._start(fewer), fewer, refused
        except StartError as error:
            self.close()
            raise JailUnavailable(_sentence(str(error))) from None

    def _start(self, setup: Setup) -> Zygote:
        return Zygote(setup, self._group if isinstance(self._group, cgroup.Group) else None)

    def _layers(self, mode: Mode, refused: str) -> Layers:
        report = self._zygote.report
        active = set(report["active"])
        missing: dict[str, str] = dict(report["missing"])
        if isinstance(self._group, cgroup.Group):
            active.add("cgroup")
        else:
            missing["cgroup"] = self._group
        if "pid-namespace" not in active:
            left_out = "left out" if "namespaces" in self._setup.without and not refused else "not tried"
            for name in ("pid-namespace", "mount-namespace", "network-namespace", "ipc-namespace"):
                missing[name] = refused or left_out
        system = {"linux": "linux", "darwin": "macos"}.get(sys.platform, sys.platform)
        return Layers(tuple(n for n in LAYERS if n in active), missing, mode, system)

    @property
    def failed_imports(self) -> Mapping[str, str]:
        failed: Mapping[str, str] = self._zygote.report["failed_imports"]
        return failed

    def call(self, job: Job, limits: Limits) -> Answer:
        payload = payload_of(job)
        size = sum(map(len, payload))
        if size > limits.payload_bytes:
            return Answer(failure=JailFailure("too-large", f"the job has {size} bytes; {limits.payload_bytes} are allowed"))
        cpu = cpu_limit(limits, self._profile)
        trouble = ""
        for _ in range(_ATTEMPTS):
            try:
                zygote = self._living()
            except StartError as error:
                return Answer(failure=JailFailure("jail", f"no new guest can be started: {error}"))
            try:
                outcome = call.run(zygote, payload, limits, limits.memory(self._profile) + 3 * size, cpu)
            except ZygoteGone as error:
                trouble = str(error)
                self._replace(zygote)
                continue
            return judge(job, limits, cpu, outcome, int(zygote.report["resident"]))
        return Answer(failure=JailFailure("jail", f"the guest was lost twice: {trouble}"))

    def _living(self) -> Zygote:
        with self._lock:
            if self._closed:
                raise StartError("the jail is closed")
            if not self._zygote.alive:
                self._zygote.end()
                self._zygote = self._start(self._setup)
            return self._zygote

    def _replace(self, zygote: Zygote) -> None:
        """End a zygote that is of no use; the next call starts another."""
        with self._lock:
            if self._zygote is zygote:
                zygote.end()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if hasattr(self, "_zygote"):
                self._zygote.end()
            if isinstance(self._group, cgroup.Group):
                self._group.remove()


def _hide_this_process() -> None:
    """Other processes of this user may no longer read this one's memory, environment and files."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def _sentence(reason: str) -> str:
    return (
        f"Untrusted code cannot run safely on this host ({reason}): see 'sldagent doctor', use Docker (mode 'docker'), or "
        "accept the risk with mode 'unsafe-local'."
    )
