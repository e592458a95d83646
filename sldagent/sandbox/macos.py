"""macOS: a Seatbelt profile around the zygote.  Reduced isolation: one layer, and memory is not capped by the system.

Written from Apple's documented profile language and checked as text only.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable

from sldagent.sandbox import guest

_HEAD = """(version 1)
(deny default)
(allow process-fork)
(allow signal (target self))
(allow signal (target children))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-ioctl (literal "/dev/null"))
(allow file-write-data (literal "/dev/null"))
"""
_SYSTEM = ("/usr/lib", "/System/Library", "/private/var/db/dyld", "/dev/null", "/dev/urandom")


def profile(readable: Iterable[str]) -> str:
    """A deny-by-default profile: `readable` and the system's libraries may be read; no network, no writing."""
    lines = [f'(allow file-read* (subpath "{_quoted(path)}"))' for path in (*_SYSTEM, *readable)]
    interpreter = _quoted(os.path.realpath(sys.executable))
    return _HEAD + f'(allow process-exec (literal "{interpreter}"))\n' + "\n".join(lines) + "\n"


def command(import_path: Iterable[str]) -> list[str]:
    """What to put before the zygote's command line: nothing but on macOS."""
    if platform.system() != "Darwin":
        return []
    readable = [*import_path, str(guest.folder()), sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    return ["/usr/bin/sandbox-exec", "-p", profile(dict.fromkeys(os.path.realpath(p) for p in readable))]


def _quoted(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"')
