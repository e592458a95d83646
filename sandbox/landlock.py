"""Landlock: from now on this process may read the given paths and nothing else.

Stand-alone: standard library only.  Flags are those of the kernel's `linux/landlock.h`; each version of the interface
(ABI) adds some, and a ruleset may only name those that the kernel knows.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable

import syscalls

READ_FILE, READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Rights over files by the ABI that brought them: all of the first, refer, truncate, device ioctl."""
_NET_RIGHTS = 3
_SCOPES = 3
_PATH_BENEATH = 1


def abi() -> int:
    """Version of the kernel's interface; 0 without Landlock."""
    try:
        return syscalls.call("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


def ruleset(paths: Iterable[str], version: int) -> int:
    """A file descriptor of rules that allow reading beneath `paths` (missing ones are passed over).

    TCP is denied from ABI 4 on, signals and abstract sockets of other processes from ABI 6 on.

    Raises:
        OSError: the kernel refused.
    """
    handled = sum(bits for since, bits in _FILE_RIGHTS.items() if since <= version)
    words = [handled]
    if version >= 4:
        words.append(_NET_RIGHTS)
    if version >= 6:
        words.append(_SCOPES)
    attributes = struct.pack(f"<{len(words)}Q", *words)
    rules = syscalls.call("landlock_create_ruleset", attributes, len(attributes), 0)
    for path in paths:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            _allow(rules, path)
    return rules


def _allow(rules: int, path: str) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = READ_FILE | (READ_DIR if os.path.isdir(path) else 0)
        syscalls.call("landlock_add_rule", rules, _PATH_BENEATH, struct.pack("<Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def restrict(rules: int) -> None:
    """Apply a ruleset to this process for good (no_new_privs must be set).

    Raises:
        OSError: the kernel refused.
    """
    syscalls.call("landlock_restrict_self", rules, 0)
