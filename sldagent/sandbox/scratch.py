"""Files without a name."""

from __future__ import annotations

import os
import tempfile


def scratch() -> int:
    """A descriptor of an empty file that is in no folder: in memory on Linux, where it can be sealed."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sldagent", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
