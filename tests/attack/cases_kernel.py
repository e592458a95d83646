"""Attacks on the walls themselves: system calls, machine code, rights, signals."""

from __future__ import annotations

from tests.attack.case import Case

_JIT = "JAX compiles to machine code, so that memory may be executable; what the code may ask of the kernel is the same"
_LATE = "libraries of the installation may be mapped, as JAX loads its own late"
_CODE = {"jax": _JIT, "jax, no namespaces": _JIT}
_PAGE = """
def run(code, protection=7):
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=protection)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_long)(address)()
"""

KERNEL = (
    Case(
        "mmap_exec", "machine code of its own", """
        code = bytes.fromhex("40058052c0035fd6" if ARM else "b82a000000c3")
        if run(code) == 42:
            breach("ran machine code")
        return [1.0]""",
        top=_PAGE, leaks=_CODE, fast=True,
    ),
    Case(
        "mprotect_exec", "making memory executable afterwards", """
        page = mmap.mmap(-1, mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        reached("mprotect", (10, 226), address, mmap.PAGESIZE, 5)
        return [1.0]""",
        leaks=_CODE,
    ),
    Case(
        "odd_ways_to_execute", "executable memory by keys, READ_IMPLIES_EXEC, remapping and shared segments", """
        page = mmap.mmap(-1, mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        reached("pkey_mprotect", (329, 288), address, mmap.PAGESIZE, 5, -1)
        reached("personality", (135, 92), 0x0400000)
        reached("remap_file_pages", (216, 234), address, mmap.PAGESIZE, 0, 0, 0)
        reached("shmat with SHM_EXEC", (30, 196), -1, None, 0o100000)
        return [1.0]""",
    ),
    Case(
        "x32_abi", "system calls by the other numbers of x86", """
        result, error = raw((0x40000000 + 39, 0x40000000 + 172))
        if result > 0:
            breach("x32")
        return [1.0]""",
        uncontrolled="this kernel has no x32 system calls", ways=(),
    ),
    Case(
        "int_0x80", "32-bit system calls out of machine code", """
        if ARM:
            return [1.0]
        if run(bytes.fromhex("b814000000cd80c3")) > 0:
            breach("getpid by int 0x80")
        return [1.0]""",
        top=_PAGE,
    ),
    Case(
        "machine_code_socket", "a socket asked for by machine code, past every library", """
        code = "c81880d2400080d2210080d2020080d2010000d4c0035fd6" if ARM else "b829000000bf02000000be0100000031d20f05c3"
        if run(bytes.fromhex(code)) >= 0:
            breach("socket by machine code")
        return [1.0]""",
        top=_PAGE, fast=True,
    ),
    Case(
        "proc_self_mem", "writing over its own read-only code by /proc/self/mem", """
        libc.getpid.restype = ctypes.c_int
        address = ctypes.cast(libc.getpid, ctypes.c_void_p).value
        with open("/proc/self/mem", "r+b", 0) as memory:
            memory.seek(address)
            kept = memory.read(4)
            memory.seek(address)
            memory.write(kept)
        breach("wrote over code")
        return [1.0]""",
        fast=True,
    ),
    Case("exec_shell", "another program", """
        os.system(f"echo x > {os.path.join(@folder@, @mark@)}")
        return [1.0]""", fast=True),
    Case(
        "exec_variants", "another program by execve, execveat and posix_spawn", """
        place = os.path.join(@folder@, @mark@)
        arguments = [sys.executable, "-S", "-c", f"open({place!r}, 'w')"]
        attempt(lambda: os.posix_spawn(sys.executable, arguments, {}))
        reached("execveat", (322, 281), -1, b"x", None, None, 0)
        attempt(lambda: os.execv(sys.executable, arguments))
        return [1.0]""",
        settle=0.2,
    ),
    Case(
        "memfd_execveat", "a program that never was a file", """
        file = os.memfd_create("program", 0)
        os.write(file, b"#!/bin/sh\\necho BREACH ran a script out of memory\\n")
        raw((322, 281), file, b"", None, None, 0x1000)
        os.execve(file, ["x"], {"PATH": "/bin:/usr/bin"})
        return [1.0]""",
        fast=True,
    ),
    Case(
        "load_library", "a shared library that is not there yet", """
        import _sqlite3
        breach("loaded machine code from a file")
        return [1.0]""",
        leaks={"jax": _LATE, "jax, no namespaces": _LATE},
    ),
    Case(
        "ctypes_syscalls", "a dozen and more system calls that no fit needs", """
        calls = {
            "unshare": ((272, 97), 0), "setns": ((308, 268), -1, 0), "chroot": ((161, 51), b"/nonexistent"),
            "pivot_root": ((155, 41), b"x", b"x"), "umount": ((166, 39), b"/nonexistent", 0),
            "sethostname": ((170, 161), b"x", -1), "setdomainname": ((171, 162), b"x", -1),
            "reboot": ((169, 142), 0, 0, 0, None), "swapon": ((167, 224), b"/nonexistent", 0),
            "init_module": ((175, 105), None, 0, b""), "delete_module": ((176, 106), b"none", 0),
            "acct": ((163, 89), b"/nonexistent"), "settimeofday": ((164, 170), None, None), "adjtimex": ((159, 171), None),
            "clock_settime": ((227, 112), 99, None), "kexec_load": ((246, 104), 0, 0, None, 0xFFFF),
            "kcmp": ((312, 272), 0, 0, 9, 0, 0), "process_madvise": ((440, 440), -1, None, 0, 0, 0),
            "landlock": ((444, 444), None, 0, 1), "seccomp": ((317, 277), 9, 0, None), "setpgid": ((109, 154), -1, 0),
            "capset": ((126, 91), None, None), "get_mempolicy": ((239, 236), None, None, 0, None, 0),
            "move_pages": ((279, 239), -1, 0, None, None, None, 0), "modify_ldt": ((154, None), 9, None, 0),
            "lookup_dcookie": ((212, 18), 0, None, 0), "memfd_secret": ((447, 447), 0xFFFF),
            "cachestat": ((451, 451), -1, None, None, 0), "lsm_set_self_attr": ((460, 460), 0, None, 0, 0),
            "mseal": ((462, 462), 1, 1, 0),
        }
        for name, (numbers, *arguments) in calls.items():
            reached(name, numbers, *arguments)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "new_user_namespace", "becoming root in a namespace of its own", """
        if raw((272, 97), 0x10000000)[0] == 0:
            breach(f"a user namespace, capabilities {read('/proc/self/status').decode().split('CapEff:')[1][:17]}")
        return [1.0]""",
    ),
    Case(
        "enter_namespaces", "going where the evaluator is", """
        for name in ("user", "mnt", "net", "pid", "ipc", "uts"):
            for process in (@pid@, os.getppid(), 1):
                try:
                    file = os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY)
                except OSError:
                    continue
                breach(f"holds the {name} namespace of {process}")
                raw((308, 268), file, 0)
        return [1.0]""",
    ),
    Case(
        "mount", "mounting over what it may not see", """
        raw((272, 97), 0x10020000) if os.geteuid() else raw((272, 97), 0x20000)
        raw((165, 40), b"none", b"/", None, 0x44000, None)
        if raw((165, 40), b"none", @folder@.encode(), b"tmpfs", 0, None)[0] == 0:
            breach("mounted")
        reached("mount_setattr", (442, 442), -1, b"x", 0, None, 0)
        reached("move_mount", (429, 429), -1, b"x", -1, b"x", 0)
        return [1.0]""",
    ),
    Case("bpf", "programs in the kernel", """
        held = ctypes.create_string_buffer(128)
        reached("bpf", (321, 280), 999, ctypes.addressof(held), 128)
        return [1.0]""", as_root=True),
    Case("perf_event_open", "counters that watch others", """
        event = struct.pack("<IIQQQQ", 1, 112, 0, 0, 0, 0) + bytes(80)
        reached("perf_event_open", (298, 241), event, 0, -1, -1, 0)
        return [1.0]""", as_root=True),
    Case("kexec", "another kernel", "reached('kexec_file_load', (320, 294), -1, -1, 0, b'', 0xFFFF)\nreturn [1.0]",
         as_root=True, ways=(), uncontrolled="this kernel has no kexec"),
    Case("userfaultfd", "page faults handled by the candidate, which widens races in the kernel",
         "reached('userfaultfd', (323, 282), 1)\nreturn [1.0]"),
    Case(
        "regain_root", "becoming root", """
        for call in (lambda: os.setresuid(0, 0, 0), lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.setgid(0)):
            attempt(call)
        if 0 in (os.getuid(), os.geteuid(), os.getgid()):
            breach(f"is {os.getuid()} {os.geteuid()} {os.getgid()}")
        return [1.0]""",
        as_root=True, fast=True,
    ),
    Case(
        "capabilities", "rights that were left", """
        header = struct.pack("<Ii", 0x20080522, 0)
        held = ctypes.create_string_buffer(24)
        result, _ = raw((125, 90), header, ctypes.addressof(held))
        if result == 0 and any(held.raw[:24]):
            breach("has capabilities")
        if raw((157, 167), 23, 21, 0, 0, 0)[0] == 1:
            breach("could gain capabilities by another program")
        return [1.0]""",
    ),
    Case(
        "prctl", "making itself traceable, keeping itself alive, new privileges, speculation", """
        for name, option, value in (("dumpable", 4, 1), ("tracer", 0x59616D61, -1), ("no death signal", 1, 0),
                                    ("subreaper", 36, 1), ("timing", 26, 1), ("mm", 35, 99), ("syscall dispatch", 59, 0)):
            result, error = raw((157, 167), option, value, 0, 0, 0)
            if result == 0:
                breach(name)
        reached("arch_prctl", (158, None), 0x1004, ctypes.addressof(ctypes.create_string_buffer(8)))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "kill_evaluator", "killing the evaluator", """
        for process in (@pid@, os.getppid()):
            if process > 1:
                attempt(lambda: os.kill(process, signal.SIGKILL), lambda: os.kill(process, signal.SIGTERM))
        return [1.0]""",
        fast=True,
    ),
    Case("stop_evaluator", "stopping the evaluator", "os.kill(@pid@, signal.SIGSTOP)\nreturn [1.0]", fast=True),
    Case(
        "signal_everybody", "whom a signal reaches: parent, group, sibling, all", """
        me = os.getpid()
        for process in (os.getppid(), @pid@, @sibling@, @victim@, -1, 1, *range(2, 12)):
            if process not in (0, me):
                try:
                    os.kill(process, 0)
                except OSError:
                    continue
                breach(f"signals {process}")
        reached("tkill", (200, 130), @sibling@, 0)
        reached("rt_sigqueueinfo", (129, 138), @sibling@, 0, ctypes.addressof(ctypes.create_string_buffer(128)))
        reached("rt_tgsigqueueinfo", (297, 240), @sibling@, @sibling@, 0, ctypes.addressof(ctypes.create_string_buffer(128)))
        attempt(lambda: breach(f"by handle {signal.pidfd_send_signal(os.pidfd_open(@sibling@), 0)}"))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "signal_by_file", "signals to others by the owner of a file, a lock or a timer", """
        import fcntl
        attempt(lambda: breach(f"owner {fcntl.fcntl(1, 8, @pid@)}"))
        attempt(lambda: breach(f"signal {fcntl.fcntl(1, 10, 9)}"))
        attempt(lambda: breach(f"notify {fcntl.fcntl(os.open('/', 0), 1026, 1)}"))
        attempt(lambda: breach(f"lease {fcntl.fcntl(1, 1024, 0)}"))
        reached("ioctl FIOSETOWN", (16, 29), 1, 0x8901, ctypes.addressof(ctypes.c_int(@pid@)))
        reached("ioctl TIOCSTI", (16, 29), 1, 0x5412, b"x")
        reached("ioctl TIOCLINUX", (16, 29), 1, 0x541C, b"x")
        reached("flock", (73, 32), 1, 99)
        return [1.0]""",
        fast=True,
    ),
    Case(
        "shared_descriptions", "flags of files that the host shares: append, nonblocking, direct, seals, size", """
        import fcntl
        for file in (0, 1, 2, 3):
            for command, value in ((4, os.O_NONBLOCK), (4, os.O_APPEND), (4, os.O_ASYNC), (1033, 1), (1031, 1 << 20)):
                attempt(lambda: breach(f"file {file}: {command} {fcntl.fcntl(file, command, value)}"))
            attempt(lambda: breach(f"cut file {file} {os.ftruncate(file, 0)}"))
        return [1.0]""",
    ),
    Case(
        "reopen_files", "its own files opened anew by /proc, for writing or to read its job again", """
        for file in range(5):
            for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY) if file == 0 else (os.O_RDWR, os.O_WRONLY):
                place = f"/proc/self/fd/{file}"
                attempt(lambda: breach(f"file {file} again: {os.open(place, flags | os.O_NONBLOCK)}"))
        return [1.0]""",
    ),
    Case(
        "reopen_pipes", "the reading ends of its own log and answer by /proc", """
        for file in (1, 2, 3):
            attempt(lambda: breach(f"file {file} again: {os.open(f'/proc/self/fd/{file}', os.O_RDONLY | os.O_NONBLOCK)}"))
        return [1.0]""",
        fast=True,
    ),
    Case(
        "splice_and_tee", "moving bytes between files within the kernel", """
        reached("splice", (275, 76), -1, None, -1, None, 1, 0)
        reached("tee", (276, 77), -1, -1, 1, 0)
        reached("vmsplice", (278, 75), -1, None, 0, 0)
        reached("sendfile", (40, 71), -1, -1, None, 1)
        reached("copy_file_range", (326, 285), -1, None, -1, None, 1, 0)
        reached("sync_file_range", (277, 84), -1, 0, 0, 0)
        reached("fallocate", (285, 47), -1, 0, 0, 1)
        reached("sync", (162, 81))
        return [1.0]""",
        fast=True,
    ),
)  # fmt: skip
