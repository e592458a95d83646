"""The seccomp filter: a short list of allowed system calls, as a classic BPF program.

Stand-alone: standard library only.  Everything outside the list fails with EPERM; another instruction set (32-bit, x32)
kills the process.  Reading and computing are allowed; making processes, sockets or files, loading code, signalling others
and gaining rights are not.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass

import syscalls

KILL, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
EPERM, EACCES, ENOSYS = 1, 13, 38
_LOAD, _JEQ, _JSET, _JGE, _AND, _RET = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
_NR, _ARCH, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000

PLAIN = (
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "lseek",
    "close",
    "fstat",
    "newfstatat",
    "statx",
    "stat",
    "lstat",
    "access",
    "faccessat",
    "faccessat2",
    "getdents64",
    "getcwd",
    "dup",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "munmap",
    "mremap",
    "brk",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "exit",
    "exit_group",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "futex",
    "set_robust_list",
    "rseq",
    "membarrier",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "times",
    "getrusage",
    "sysinfo",
    "uname",
    "getrandom",
    "getrlimit",
)
"""Allowed whatever the arguments."""

THREADED = (
    "set_tid_address",
    "get_robust_list",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "pipe2",
    "readlink",
    "readlinkat",
    "sched_getparam",
    "sched_getscheduler",
    "msync",
)
"""Allowed besides where the profile has threads."""

_REFUSED_FLAGS = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o20000000 | 0o10000000
"""O_WRONLY|O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE's own bit, and O_PATH, which Landlock lets pass anywhere."""
_PROT_EXEC = 4
_THREAD_FLAGS = 0x00010000 | 0x00000100 | 0x00000800  # CLONE_THREAD | CLONE_VM | CLONE_SIGHAND
_NAMESPACE_FLAGS = 0x7E020080
_IOCTLS = (0x5401, 0x5451, 0x5450, 0x541B)  # TCGETS, FIOCLEX, FIONCLEX, FIONREAD
_FCNTLS = (0, 1, 2, 3, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC
_PRCTLS = (15, 16)  # PR_SET_NAME, PR_GET_NAME
_ADVICE = (0, 4, 8, 14, 15, 16, 17, 102, 103)
"""MADV_NORMAL, DONTNEED, FREE, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP, GUARD_INSTALL and GUARD_REMOVE, which allocators use.
None that moves pages of files into or out of memory: what is there outlives the call, and another could look."""


@dataclass(frozen=True)
class Rules:
    """What differs between profiles and tiers.

    Attributes:
        opening: may open files for reading (Landlock or a private file system says which).
        executable: may map executable memory.
        threads: may start threads of its own process.
    """

    opening: bool
    executable: bool
    threads: bool


class _Program:
    """Instructions under construction; each rule ends in a return, so that no jump is longer than a rule."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []

    def add(self, operation: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code.append((operation, if_true, if_false, value))

    def rule(self, number: int, body: list[tuple[int, int, int, int]]) -> int:
        """`body`, which must return on every path, for one system call; gives the position of the body."""
        self.add(_JEQ, number, 0, len(body))
        start = len(self.code)
        self.code += body
        return start

    def packed(self) -> bytearray:
        return bytearray(b"".join(struct.pack("<HBBI", op, jt, jf, k) for op, jt, jf, k in self.code))


def _ret(value: int) -> tuple[int, int, int, int]:
    return (_RET, 0, 0, value)


def _low(argument: int) -> tuple[int, int, int, int]:
    """Load the low half of an argument (little-endian machines only)."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _high(argument: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4)


def _none_of(argument: int, bits: int, otherwise: int) -> list[tuple[int, int, int, int]]:
    return [_low(argument), (_JSET, 0, 1, bits), _ret(otherwise), _ret(ALLOW)]


def _one_of(argument: int, values: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    tests = [(_JEQ, len(values) - k, 0, v) for k, v in enumerate(values)]
    return [_low(argument), *tests, _ret(ERRNO | EPERM), _ret(ALLOW)]


@dataclass(frozen=True)
class Filter:
    """A packed program, and where the process's own id stands in it."""

    code: bytes
    pid_at: tuple[int, ...]

    def for_process(self, pid: int) -> bytes:
        """The program of the process `pid`: it may signal itself."""
        code = bytearray(self.code)
        for instruction in self.pid_at:
            struct.pack_into("<I", code, 8 * instruction + 4, pid)
        return bytes(code)


def build(rules: Rules, machine: str) -> Filter:
    """The filter of a profile for "x86_64" or "aarch64"."""
    program = _Program()
    program.add(_LOAD, _ARCH)
    program.add(_JEQ, syscalls.AUDIT_ARCH[machine], 1, 0)
    program.add(_RET, KILL)
    program.add(_LOAD, _NR)
    if machine == "x86_64":
        program.add(_JGE, _X32, 0, 1)
        program.add(_RET, KILL)

    def rule(name: str, body: list[tuple[int, int, int, int]]) -> int | None:
        number = syscalls.number(name, machine)
        return None if number is None else program.rule(number, body)

    for name in PLAIN + (THREADED if rules.threads else ()):
        rule(name, [_ret(ALLOW)])
    no_write = _none_of(2, _REFUSED_FLAGS, ERRNO | EACCES) if rules.opening else [_ret(ERRNO | EACCES)]
    rule("openat", no_write)
    rule("open", _none_of(1, _REFUSED_FLAGS, ERRNO | EACCES) if rules.opening else [_ret(ERRNO | EACCES)])
    for name in ("mmap", "mprotect"):
        rule(name, [_ret(ALLOW)] if rules.executable else _none_of(2, _PROT_EXEC, ERRNO | EPERM))
    rule("madvise", _one_of(2, _ADVICE))
    rule("ioctl", _one_of(1, _IOCTLS))
    rule("fcntl", _one_of(1, _FCNTLS))
    rule("prctl", _one_of(0, _PRCTLS))
    # prlimit64 may read a limit (third argument null), not set one
    refuse, allow = _ret(ERRNO | EPERM), _ret(ALLOW)
    rule("prlimit64", [_low(2), (_JEQ, 0, 3, 0), _high(2), (_JEQ, 0, 1, 0), allow, refuse])
    if rules.threads:
        rule(
            "clone",
            [
                _low(0),
                (_JSET, 0, 1, _NAMESPACE_FLAGS),
                refuse,
                (_AND, 0, 0, _THREAD_FLAGS),
                (_JEQ, 0, 1, _THREAD_FLAGS),
                allow,
                refuse,
            ],
        )
    else:
        rule("clone", [refuse])
    for name in ("clone3", "openat2"):  # their arguments are in memory, where a filter cannot look; libc goes on without
        rule(name, [_ret(ERRNO | ENOSYS)])
    own = [rule(name, [_low(0), (_JEQ, 0, 1, 0), allow, refuse]) for name in ("kill", "tgkill")]
    program.add(_RET, ERRNO | EPERM)
    return Filter(bytes(program.packed()), tuple(at + 1 for at in own if at is not None))


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(code: bytes) -> None:
    """Filter this process from now on (no_new_privs must be set).

    Raises:
        OSError: the kernel has no seccomp filters or refused this one.
    """
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _SockFprog(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p).value)
    # SECCOMP_SET_MODE_FILTER for every thread; a positive result names a thread that could not follow
    if syscalls.call("seccomp", 1, 1, ctypes.addressof(program)) != 0:
        raise OSError(EPERM, "seccomp: a thread stayed outside the filter")
