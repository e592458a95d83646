"""Live escape attempts, one of each kind, as programs that print BREACH where they succeed; and the bait they are after.

Each is tried in the jail and, as a proof that the attempt means something, without one.  Nothing here does harm: the bait
is a file, a folder, a listening socket and a process of our own.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sldagent.sandbox.types import Limits

ENTRY = "fit_scaling_law"
_HEAD = """
import ctypes, mmap, os, signal, socket, sys, time
import numpy as np
def breach(seen=True):
    if seen:
        print("BREACH", flush=True)
def fit_scaling_law(data_points, loss_values):
"""


JAILED = Limits(wall_seconds=30.0, memory_bytes=256 << 20)
FREE = Limits(wall_seconds=30.0, memory_bytes=2 << 30)


@dataclass(frozen=True)
class Bait:
    """What the attempts are after.

    Attributes:
        token: a secret that is nowhere else.
        file, folder: readable, and writable, by anybody on the host.
        port: of a socket that listens on the loopback interface.
        process: holds the token in its environment and memory.
    """

    token: str
    file: Path
    folder: Path
    port: int
    process: int


@dataclass(frozen=True)
class Escape:
    """One attempt.

    Attributes:
        name, what: shown by `doctor`.
        body: statements of a function; {file}, {folder}, {port}, {pid} and {token} stand for the bait.
        jailed, free: limits with and without the jail, where they are what is tried.
    """

    name: str
    what: str
    body: str
    jailed: Limits = JAILED
    free: Limits = FREE

    def code(self, bait: Bait) -> str:
        body = self.body
        places = {"file": repr(str(bait.file)), "folder": repr(str(bait.folder)), "port": bait.port, "pid": bait.process}
        # the token is cut in two so that the program's own text does not hold it
        places["token"] = f"({bait.token[:8]!r} + {bait.token[8:]!r})"
        for word, value in places.items():
            body = body.replace("{" + word + "}", str(value))
        lines = "\n".join("    " + line for line in body.strip().splitlines())
        return f"{_HEAD}{lines}\n    return [1.0]\n"


ESCAPES = (
    Escape("file-read", "read a file that anybody may read", "breach({token} in open({file}).read())"),
    Escape(
        "file-write",
        "create a file in a folder that anybody may write to",
        """
open(os.path.join({folder}, "written"), "w").close()
breach()""",
    ),
    Escape(
        "environment",
        "read another process's environment",
        """
breach({token}.encode() in open("/proc/{pid}/environ", "rb").read())""",
    ),
    Escape(
        "network",
        "connect to a socket on this machine",
        """
socket.create_connection(("127.0.0.1", {port}), 2.0).close()
breach()""",
    ),
    Escape(
        "fork",
        "make a process",
        """
if os.fork() == 0:
    breach()
    os._exit(0)
os.wait()""",
    ),
    Escape(
        "exec",
        "run another program",
        """
os.execv(sys.executable, [sys.executable, "-S", "-c", "print('BREACH')"])""",
    ),
    Escape(
        "ptrace",
        "trace another process",
        """
libc = ctypes.CDLL(None, use_errno=True)
breach(libc.ptrace(0x4206, {pid}, None, None) == 0)""",
    ),
    Escape(
        "memory-of-others",
        "read another process's memory",
        """
os.close(os.open("/proc/{pid}/mem", os.O_RDONLY))
breach()""",
    ),
    Escape(
        "signal",
        "signal another process",
        """
os.kill({pid}, 0)
breach()""",
    ),
    Escape(
        "machine-code",
        "run machine code of its own",
        """
codes = {"x86_64": "b82a000000c3", "aarch64": "40058052c0035fd6"}  # return 42
code = bytes.fromhex(codes[os.uname().machine])
page = mmap.mmap(-1, mmap.PAGESIZE, prot=7)
page.write(code)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
breach(ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 42)""",
    ),
    Escape(
        "memory",
        "hold more memory than allowed",
        """
held = [np.ones(1 << 20) for _ in range(48)]
breach(len(held) == 48)""",
        Limits(wall_seconds=30.0, memory_bytes=128 << 20),
    ),
    Escape(
        "wall-time",
        "run for longer than allowed",
        """
time.sleep(4.0)
breach()""",
        Limits(wall_seconds=0.5, memory_bytes=256 << 20),
    ),
)


@contextmanager
def bait() -> Iterator[Bait]:
    """Lay it out, and clear it away afterwards."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="sldagent-doctor-") as name, socket.socket() as listener:
        folder = Path(name)
        folder.chmod(0o777)
        file = folder / "bait"
        file.write_text(token)
        file.chmod(0o644)
        with suppress(OSError):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", "import sys; print(flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SLDAGENT_BAIT": token},
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it has started, hence has its environment
            yield Bait(token, file, folder, int(listener.getsockname()[1]), process.pid)
        finally:
            process.kill()
            process.communicate()
