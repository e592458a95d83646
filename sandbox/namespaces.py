"""Namespaces: the guest's own users, processes, network, host name, shared memory and a private read-only file system.

Stand-alone: standard library only.  As an ordinary user everything hangs on one new user namespace.  As root the file system
is made first, then root is given up for an unused user id, and a user namespace of that user owns the process ids: each call
is then forked into a process namespace of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import libraries
import syscalls

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_NOATIME, _MS_NODIRATIME, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_RELATIME = 1024, 2048, 4096, 16384, 1 << 18, 1 << 21
_KEPT = {
    _MS_RDONLY: 1,
    _MS_NOSUID: 2,
    _MS_NODEV: 4,
    _MS_NOEXEC: 8,
    _MS_NOATIME: 1024,
    _MS_NODIRATIME: 2048,
    _MS_RELATIME: 4096,
}
"""Flags that a mount keeps, by what `statvfs` calls them: a user namespace may not take them away."""
_FIRST_UNUSED_USER, _UNUSED_USERS = 1_879_048_192, 1 << 24
_OTHER_UNUSED_USERS = (62_017, 65_534)
"""Ids that nobody has: of the range that systemd leaves free; for containers that map few ids, smaller ones."""
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_READ_ONLY = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
_MNT_DETACH = 2
_OLD = "/.old"
_HOST_NAME = "jail"


def set_dumpable(flag: bool) -> None:
    """Whether other processes of the same user may look into this one."""
    syscalls.call("prctl", _PR_SET_DUMPABLE, int(flag), 0, 0, 0)


def give_up_root() -> int:
    """Become an unused user for good; gives its id.

    The id is drawn anew for every zygote where the host has many: what the kernel counts or permits by user then concerns
    its own calls alone, whatever other jails the host has.

    Raises:
        OSError: no unused id can be had.
    """
    os.setgroups([])
    for user in (_FIRST_UNUSED_USER + int.from_bytes(os.urandom(8), "little") % _UNUSED_USERS, *_OTHER_UNUSED_USERS):
        try:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        except OSError:
            continue
        return user
    raise OSError(1, "no unused user id can be taken")


def _write(path: str, text: str, proc: int) -> None:
    file = os.open(path, os.O_WRONLY, dir_fd=proc)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def _map_user(proc: int, user: int, group: int) -> None:
    """Let the new user namespace know this one user and group, under their own numbers."""
    with contextlib.suppress(FileNotFoundError):
        _write("self/setgroups", "deny", proc)
    _write("self/uid_map", f"{user} {user} 1", proc)
    _write("self/gid_map", f"{group} {group} 1", proc)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    syscalls.call(
        "mount", source.encode(), target.encode(), kind.encode() if kind else None, flags, data.encode() if data else None
    )


def _bind(old: str, source: str, path: str) -> None:
    """Show `source` of the old root at `path`, read-only."""
    if os.path.isdir(old + source):
        os.makedirs(path, mode=0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))
    _mount(old + source, path, None, _MS_BIND)
    present = os.statvfs(path).f_flag
    kept = sum(flag for flag, name in _KEPT.items() if present & name)
    _mount("none", path, None, (_READ_ONLY & ~_MS_NODEV if path.startswith("/dev/") else _READ_ONLY) | kept)


def _private_root(view: libraries.Places) -> None:
    """Replace the file system by an empty one that shows the libraries only, read-only."""
    real = [(path, os.path.realpath(path)) for path in (*view.standard, *view.packages, *view.devices)]
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    base = "/tmp"
    _mount("jail", base, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=512k,nr_inodes=4096,mode=755")
    os.mkdir(base + _OLD, 0o700)
    os.chdir(base)
    syscalls.call("pivot_root", b".", _OLD.removeprefix("/").encode())
    os.chdir("/")
    standard = set(view.standard)
    for path, source in real:
        if path in standard:
            _bind(_OLD, source, path)
    for path in view.masked:
        _mount("none", path, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=64k,nr_inodes=1024,mode=755")
    for path, source in real:
        if path not in standard:
            _bind(_OLD, source, path)
    syscalls.call("umount2", _OLD.encode(), _MNT_DETACH)
    os.rmdir(_OLD)
    for path in ("/", *view.masked):
        _mount("none", path, None, _READ_ONLY)


def own_users() -> None:
    """Move this process into a user namespace of its own, without a name for any user: its threads are counted apart.

    Raises:
        OSError: this host does not allow it.
    """
    syscalls.call("unshare", _NEWUSER)


def isolate(view: libraries.Places) -> Forker:
    """Move this process into namespaces of its own, give up root, and go on as the first process of a new one.

    The process that called stays behind as a parent that waits, and ends as the new one ends.

    Raises:
        OSError: this host does not allow it; the process is then of no further use.
    """
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if os.geteuid() == 0:
        syscalls.call("unshare", _NEWNS | _NEWUTS | _NEWIPC | _NEWNET)
        socket.sethostname(_HOST_NAME)
        _private_root(view)
        user = group = give_up_root()
        set_dumpable(True)  # the kernel takes it away with the user id, and the maps could not be written
        syscalls.call("unshare", _NEWUSER | _NEWPID)
        _map_user(proc, user, group)
    else:
        user, group = os.geteuid(), os.getegid()
        syscalls.call("unshare", _NEWUSER | _NEWNS | _NEWUTS | _NEWIPC | _NEWNET | _NEWPID)
        _map_user(proc, user, group)
        socket.sethostname(_HOST_NAME)
        _private_root(view)
    child = os.fork()
    if child:
        os.closerange(0, 1 << 16)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    syscalls.call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    forker = Forker(os.open("self/ns/pid", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc))
    os.close(proc)
    return forker


class Forker:
    """Forks each call into a process namespace of its own, which is the child of the forker's.

    The forked process is number 1 of its namespace: it sees no other process.
    """

    def __init__(self, own: int) -> None:
        self._own = own

    def fork(self) -> int:
        """Like `os.fork`, into a new process namespace."""
        syscalls.call("unshare", _NEWPID)
        try:
            child = os.fork()
        except BaseException:  # a library that watches os.fork may raise anything
            syscalls.call("setns", self._own, _NEWPID)
            raise
        if child:
            syscalls.call("setns", self._own, _NEWPID)
        return child
