"""A control group (version 2) around a zygote and all its calls, where this user was given one: caps on their sum.

Without it every call still has its own cap on memory and processor time; what is missing is a cap on all of them together.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


@dataclass(frozen=True)
class Group:
    """A group of our own.

    Attributes:
        path: its folder.
        caps: names of the caps that could be set ("memory", "pids").
    """

    path: Path
    caps: tuple[str, ...]

    def add(self, process: int) -> None:
        """Put a process, and with it its later children, into the group.

        Raises:
            OSError: the system refused.
        """
        (self.path / "cgroup.procs").write_text(str(process))

    def remove(self) -> None:
        """Kill what is left in the group and remove it."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.kill").write_text("1")
        for _ in range(50):
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)
            else:
                return


def make(memory_bytes: int, processes: int, mounts: tuple[Path, ...] = _MOUNTS, proc: Path = Path("/proc")) -> Group | str:
    """A new group with caps on memory and processes, or why there is none."""
    own = _own_path(proc)
    if own is None:
        return "no version 2 control groups"
    for mount in mounts:
        here = mount / own.lstrip("/")
        if not (here / "cgroup.procs").exists():
            continue
        for parent in (here, here.parent):
            if parent == mount.parent or not os.access(parent, os.W_OK):
                continue
            group = _make_in(parent, memory_bytes, processes)
            if group is not None:
                return group
    return "no control group with memory and process caps was delegated to this user"


def _own_path(proc: Path) -> str | None:
    """This process's place among the version 2 groups."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return None
    return next((line[3:] for line in lines if line.startswith("0::")), None)


def _make_in(parent: Path, memory_bytes: int, processes: int) -> Group | None:
    path = parent / f"sldagent-jail-{os.getpid()}-{time.monotonic_ns()}"
    try:
        path.mkdir()
    except OSError:
        return None
    caps = []
    for name, file, value in (("memory", "memory.max", memory_bytes), ("pids", "pids.max", processes)):
        with contextlib.suppress(OSError):
            if (path / file).exists():
                (path / file).write_text(str(value))
                caps.append(name)
    if "memory" in caps:
        with contextlib.suppress(OSError):
            (path / "memory.swap.max").write_text("0")
        with contextlib.suppress(OSError):
            return _entered(Group(path, tuple(caps)))
    with contextlib.suppress(OSError):
        path.rmdir()
    return None


def _entered(group: Group) -> Group:
    """`group`, if processes of ours may be moved into it (the common ancestor must be ours too).

    Raises:
        OSError: they may not.
    """
    if not os.access(group.path.parent / "cgroup.procs", os.W_OK):
        raise PermissionError(str(group.path.parent))
    return group
