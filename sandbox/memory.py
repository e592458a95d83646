"""Memory that forked processes would share: made each one's own, so that no call leaves anything in it for another.

Stand-alone: standard library only.
"""

from __future__ import annotations

import ctypes
import mmap
import os

import syscalls

_FIXED = 0x10
_PROTECTION = {"r": mmap.PROT_READ, "w": mmap.PROT_WRITE, "x": mmap.PROT_EXEC}


def shared() -> list[tuple[int, int, int]]:
    """Address, length and protection of every shared mapping of this process.

    Those that may only be read count too: a process may be able to make them writable.
    """
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, rights = line.split()[:2]
            if rights[3] == "s":
                start, end = (int(word, 16) for word in span.split("-"))
                found.append((start, end - start, sum(_PROTECTION.get(right, 0) for right in rights[:3])))
    return found


def keep_private() -> None:
    """Put a private copy in the place of every shared mapping: libraries make them for locks and caches.

    Raises:
        OSError: the kernel refused.
    """
    for start, length, protection in shared():
        kept = _content(start, length)
        flags = _FIXED | mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        syscalls.call("mmap", start, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        ctypes.memmove(start, kept, len(kept))
        syscalls.call("mprotect", start, length, protection)


def _content(start: int, length: int) -> bytes:
    """Bytes of a mapping, by way of the file that stands for this process's memory: what cannot be read is no crash."""
    file = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        content = b""
        while len(content) < length and (part := os.pread(file, length - len(content), start + len(content))):
            content += part
        return content
    except OSError:
        return b""
    finally:
        os.close(file)
