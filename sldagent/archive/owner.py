"""Which process writes a run, and whether it still lives."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other one on this machine and on others."""

    host: str
    """The machine's name, for messages."""
    machine: str
    """Tells this start of this machine, and this space of process ids (a container has its own), from others."""
    pid: int
    born: str
    """When the process began, in the kernel's count: process ids are used again.  '' where that is not known."""

    @property
    def words(self) -> str:
        return f"process {self.pid} on {self.host}"

    def lives(self) -> bool | None:
        """Whether the process is there; None where that cannot be seen from here."""
        if not self.machine or self.machine != _machine():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        born = _born(self.pid)
        if born is None:
            return not Path("/proc/self/stat").exists()
        return born == self.born


def this_process() -> Owner:
    """The process that asks."""
    return Owner(socket.gethostname(), _machine(), os.getpid(), _born(os.getpid()) or "")


def _machine() -> str:
    """The boot's id and the space of process ids on Linux; the machine's name and system elsewhere."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()} {platform.system()}"


def _born(pid: int) -> str | None:
    """Clock ticks from the machine's start to the process's; None for a process that is gone, or without /proc.

    A zombie counts as gone: it will not write any more.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
