"""The filter, decided by a small BPF machine of our own, for both machines; no kernel is asked."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sldagent.sandbox import guest

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
MACHINES = ("x86_64", "aarch64")


@pytest.fixture(scope="module")
def seccomp() -> ModuleType:
    """The guest's module, whose neighbours are imported by plain names."""
    sys.path.insert(0, str(guest.folder()))
    try:
        import seccomp as module
    finally:
        sys.path.remove(str(guest.folder()))
    return module


def decide(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = 0xC000003E) -> int:
    """Run a classic BPF program over the kernel's seccomp_data."""
    words = [a & (2**64 - 1) for a in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    data = struct.pack("<iIQ6Q", number, arch, 0, *words)
    code = [struct.unpack_from("<HBBI", program, 8 * k) for k in range(len(program) // 8)]
    at, a = 0, 0
    while True:
        operation, jt, jf, k = code[at]
        at += 1
        if operation == 0x20:
            (a,) = struct.unpack_from("<I", data, k)
        elif operation == 0x06:
            return int(k)
        elif operation == 0x54:
            a &= k
        else:
            met = {0x15: a == k, 0x45: bool(a & k), 0x35: a >= k}[operation]
            at += jt if met else jf


def call(
    module: ModuleType, machine: str, name: str, *arguments: int, rules: tuple[bool, bool, bool] = (True, False, False)
) -> int:
    program = module.build(module.Rules(*rules), machine).for_process(77)
    number = module.syscalls.number(name, machine)
    assert number is not None
    return decide(program, number, arguments, module.syscalls.AUDIT_ARCH[machine])


@pytest.mark.parametrize("machine", MACHINES)
def test_reading_and_computing_are_allowed_and_nothing_that_leads_out(seccomp: ModuleType, machine: str) -> None:
    for name in ("read", "write", "munmap", "futex", "exit_group", "clock_nanosleep", "getrandom", "newfstatat"):
        assert call(seccomp, machine, name) == ALLOW, name
    for name in (
        "execve",
        "setns",
        "unshare",
        "capset",
        "memfd_create",
        "pidfd_send_signal",
        "mount",
        "seccomp",
        "clone",
        "landlock_create_ruleset",
        "pipe2",
        "pidfd_open",
    ):
        assert call(seccomp, machine, name) == ERRNO | 1, name
    assert call(seccomp, machine, "clone3") == ERRNO | 38
    assert call(seccomp, machine, "openat2") == ERRNO | 38
    for number in (*range(500), 1 << 20):  # nothing outside the list slips through, whatever its number
        known = {n for n in (seccomp.syscalls.number(x, machine) for x in seccomp.syscalls.NUMBERS) if n is not None}
        if number not in known:
            program = seccomp.build(seccomp.Rules(True, True, True), machine).for_process(77)
            assert decide(program, number, (), seccomp.syscalls.AUDIT_ARCH[machine]) & 0xFFFF0000 == ERRNO


@pytest.mark.parametrize("machine", MACHINES)
def test_files_are_opened_for_reading_only(seccomp: ModuleType, machine: str) -> None:
    assert call(seccomp, machine, "openat", -100, 0, 0o2000000) == ALLOW
    for flags in (0o1, 0o2, 0o100, 0o1000, 0o2000, 0o20200000, 0o10000000, 0o101):
        assert call(seccomp, machine, "openat", -100, 0, flags) == ERRNO | 13, oct(flags)
    assert call(seccomp, machine, "openat", -100, 0, 0, rules=(False, False, False)) == ERRNO | 13


@pytest.mark.parametrize("machine", MACHINES)
def test_executable_memory_threads_and_signals(seccomp: ModuleType, machine: str) -> None:
    for name in ("mmap", "mprotect"):
        assert call(seccomp, machine, name, 0, 4096, 3) == ALLOW
        assert call(seccomp, machine, name, 0, 4096, 5) == ERRNO | 1
        assert call(seccomp, machine, name, 0, 4096, 5, rules=(True, True, True)) == ALLOW
    jax = (True, True, True)
    thread = 0x3D0F00
    assert call(seccomp, machine, "clone", thread, rules=jax) == ALLOW
    assert call(seccomp, machine, "clone", 17, rules=jax) == ERRNO | 1
    assert call(seccomp, machine, "clone", 0x4100 | 17, rules=jax) == ERRNO | 1  # vfork
    assert call(seccomp, machine, "clone", thread | 0x10000000, rules=jax) == ERRNO | 1
    assert call(seccomp, machine, "kill", 77, 9) == ALLOW
    assert call(seccomp, machine, "tgkill", 77, 77, 6) == ALLOW
    for target in (1, 78, -1, -77, 0):
        assert call(seccomp, machine, "kill", target, 9) == ERRNO | 1
    assert call(seccomp, machine, "prlimit64", 0, 7, 0, 4096) == ALLOW
    assert call(seccomp, machine, "prlimit64", 0, 7, 4096, 0) == ERRNO | 1
    assert call(seccomp, machine, "prlimit64", 0, 7, 1 << 40, 0) == ERRNO | 1
    assert call(seccomp, machine, "ioctl", 1, 0x5401) == ALLOW
    assert call(seccomp, machine, "ioctl", 1, 0x5412) == ERRNO | 1  # TIOCSTI
    assert call(seccomp, machine, "fcntl", 1, 8) == ERRNO | 1  # F_SETOWN


@pytest.mark.parametrize("machine", MACHINES)
def test_other_instruction_sets_are_killed(seccomp: ModuleType, machine: str) -> None:
    program = seccomp.build(seccomp.Rules(True, False, False), machine).for_process(1)
    for arch in (0x40000003, 0x40000028, 0xC00000B7 if machine == "x86_64" else 0xC000003E):
        assert decide(program, 0, (), arch) == KILL
    if machine == "x86_64":
        assert decide(program, 0x40000000, ()) == KILL


def test_programs_fit_the_kernel(seccomp: ModuleType) -> None:
    for machine in MACHINES:
        code = seccomp.build(seccomp.Rules(True, True, True), machine).for_process(1)
        assert len(code) % 8 == 0 and len(code) // 8 <= 4096


@pytest.mark.parametrize(("machine", "header"), [("x86_64", "asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")])
def test_numbers_are_those_of_the_kernel_headers(seccomp: ModuleType, machine: str, header: str) -> None:
    try:
        # what the kernel's own unistd.h of arm64 asks of the generic one
        wants = [f"-D__ARCH_WANT_{w}" for w in ("NEW_STAT", "SET_GET_RLIMIT", "SYS_CLONE3")]
        line = ["cc", "-E", "-dM", *wants, "-include", header, "-x", "c", "/dev/null"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no C compiler to read the kernel's headers with")
    if done.returncode != 0:
        pytest.skip(f"no kernel header {header}")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)\n", done.stdout))
    found.setdefault("newfstatat", found.get("fstatat", ""))
    compared = 0
    for name, pair in seccomp.syscalls.NUMBERS.items():
        number = pair[MACHINES.index(machine)]
        if found.get(name):
            assert int(found[name]) == number, name
            compared += 1
        else:
            assert number is None, name
    assert compared > 60


def test_every_rule_names_a_known_call(seccomp: ModuleType) -> None:
    assert set(seccomp.PLAIN) | set(seccomp.THREADED) <= set(seccomp.syscalls.NUMBERS)
    assert not set(seccomp.PLAIN) & set(seccomp.THREADED)
    assert len(set(seccomp.PLAIN)) == len(seccomp.PLAIN)


def test_the_guest_imports_nothing_of_the_host() -> None:
    for path in Path(guest.folder()).glob("*.py"):
        assert not re.search(r"^\s*(import|from) sldagent", path.read_text(), re.MULTILINE), path.name
