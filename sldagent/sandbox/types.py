"""Values that cross the jail's wall on the host's side: limits, a job, its answer, why it failed, the layers in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
JSON: TypeAlias = Any
"""None, bool, int, finite float, str, or lists and string-keyed dictionaries of them."""

FailureKind = Literal[
    "syntax",
    "missing-function",
    "import",
    "error",
    "shape",
    "non-finite",
    "exit",
    "signal",
    "wall-time",
    "cpu-time",
    "memory",
    "flood",
    "protocol",
    "too-large",
    "jail",
]
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
Profile = Literal["numpy", "jax"]
Mode = Literal["auto", "no-namespaces", "docker", "unsafe-local"]
MODES: tuple[Mode, ...] = get_args(Mode)

PROFILE_MEMORY: Mapping[Profile, int] = {"numpy": 1 << 30, "jax": 4 << 30}
"""Address space of a call that names none.  JAX maps up to 2.4 GiB of libraries and thread stacks before it computes; what
it holds in memory then is a tenth of that."""

MAX_CODE_BYTES = 1 << 20
"""Longest source text of a job."""


@dataclass(frozen=True)
class Limits:
    """What one call may use.

    Attributes:
        wall_seconds: from the start of the call until everything it started is killed.
        cpu_seconds: processor time (whole seconds, rounded up); None: wall_seconds + 1, four times that with JAX.
        memory_bytes: address space above what the guest holds before the code runs; None: that of the profile,
            `PROFILE_MEMORY`.
        result_bytes: longest answer frame.
        log_bytes: standard output and error that are kept; sixty-four times as much ends the call as a flood.
        payload_bytes: longest code plus arrays of a job.
    """

    wall_seconds: float = 30.0
    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    result_bytes: int = 1 << 20
    log_bytes: int = 16384
    payload_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"the limit {name} must be positive and finite, not {value!r}")

    def memory(self, profile: Profile) -> int:
        """Bytes of address space for a call of a profile."""
        return self.memory_bytes if self.memory_bytes is not None else PROFILE_MEMORY[profile]


@dataclass(frozen=True)
class Job:
    """One call: a program's text, what to do with it, and the data it sees.

    Attributes:
        code: Python source, at most MAX_CODE_BYTES.
        entry: name of a driver of the guest: "fit", "predict" or "custom_fit" (`sandbox/drivers.py` says what each
            takes and gives).
        arrays: float64 arrays by name, all finite or not as the caller likes.
        options: plain JSON, at most 48 kB.
    """

    code: str
    entry: str
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    options: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True)
class JailFailure:
    """Why a call has no answer.

    Attributes:
        kind: "syntax", "missing-function", "import", "error", "shape", "non-finite": of the code, as the guest reports it
            (the code could forge these); "exit", "signal": how its process ended without an answer; "wall-time",
            "cpu-time", "memory", "flood": the limit it ran into; "protocol", "too-large": its answer was not a frame,
            or it or the job was beyond the size allowed; "jail": the jail itself failed, not the code.
        message: one untrusted text for people, control characters stripped, at most 2,000 characters.
    """

    kind: FailureKind
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True)
class Answer:
    """What came back from one call.

    Attributes:
        arrays: float64 arrays by name, finite; empty after a failure.
        values: plain JSON beside them; empty after a failure.
        log: what the code printed (untrusted; control characters stripped, capped).
        failure: None where the call succeeded.
        cpu_seconds, wall_seconds: processor time from the kernel, wall time from the host.
        peak_bytes: resident memory at its highest, above the guest's own; 0 where unknown.
    """

    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    values: Mapping[str, JSON] = field(default_factory=dict)
    log: str = ""
    failure: JailFailure | None = None
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Layers:
    """Which layers of the jail are in force.

    Attributes:
        active: names among LAYERS, in that order.
        missing: name and reason of each layer that is not.
        mode: the mode that was asked for.
        system: "linux", "macos" or "docker".
    """

    active: Sequence[str]
    missing: Mapping[str, str]
    mode: Mode
    system: str = "linux"

    @property
    def safe(self) -> bool:
        """System calls filtered, and files closed by Landlock, a private file system or a filter without open.

        Seatbelt alone counts on macOS, which has nothing else: `describe` then says "reduced isolation".
        """
        if self.mode == "unsafe-local":
            return False
        if "seatbelt" in self.active:
            return True
        files = {"landlock", "mount-namespace", "no-open"} & set(self.active)
        return "seccomp" in self.active and bool(files)

    @property
    def reduced(self) -> bool:
        """Safe only in the weaker sense of macOS."""
        return self.safe and "seatbelt" in self.active

    def describe(self) -> str:
        """One line: what is in force, what is not."""
        word = "reduced isolation" if self.reduced else "jailed" if self.safe else "NOT ISOLATED"
        text = f"{word} ({self.mode}): {', '.join(self.active) or 'nothing'}"
        if self.missing:
            text += f"; without {', '.join(self.missing)}"
        return text

    def as_json(self) -> dict[str, JSON]:
        """For the archive: {"mode", "system", "safe", "reduced", "active", "missing"}."""
        return {
            "mode": self.mode,
            "system": self.system,
            "safe": self.safe,
            "reduced": self.reduced,
            "active": list(self.active),
            "missing": dict(self.missing),
        }


LAYERS: Mapping[str, str] = {
    "process": "own process, fixed environment, no inherited files",
    "rlimits": "caps on memory, processor time, file size and processes",
    "uid": "an unused user id instead of root",
    "capabilities": "no capabilities, no way to gain any",
    "pid-namespace": "sees and signals no other process",
    "mount-namespace": "a private read-only file system with the libraries only",
    "network-namespace": "no network interface",
    "ipc-namespace": "no shared memory or queues of others",
    "landlock": "may read library files and nothing else",
    "no-open": "no system call that opens a file",
    "seccomp": "a short list of allowed system calls",
    "no-executable-memory": "no machine code beyond the libraries loaded beforehand",
    "cgroup": "a cap on the sum of all calls",
    "docker": "a container without network around the guest",
    "seatbelt": "macOS sandbox profile",
}
"""Every layer by name, with what it does."""
