"""Resident memory of a process where the system does not cap it (macOS)."""

from __future__ import annotations

import subprocess


def resident(process: int) -> int:
    """Bytes, 0 where the process is gone."""
    answer = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else 0
