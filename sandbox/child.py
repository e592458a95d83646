"""One call, in a process of its own: close the jail, only then read the job, run it, write one frame, end.

Stand-alone: standard library and numpy.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import drivers
import frames
import lockdown
import program

_CHUNK = 1 << 20


def run(plan: lockdown.Plan, files: tuple[int, int, int], memory_bytes: int, cpu_seconds: int) -> NoReturn:
    """Never returns.  `files`: job, log, result."""
    try:
        rules = lockdown.place_files(*files, plan.rules)
        lockdown.close(plan, rules, memory_bytes, cpu_seconds)
    except BaseException as error:
        lockdown.fail(error)
    try:
        sys.stdout = open(1, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        _write(_answer(*read_job()))
        sys.stdout.flush()
    except BaseException:  # the program broke the ground under us; the host sees an end without an answer
        os._exit(1)
    os._exit(0)


def read_job() -> tuple[str, str, drivers.Arrays, dict[str, object]]:
    """Entry, code, arrays and options: 8 bytes of the code's length, the code, and a frame.

    Reading moves the place in the file that the host shares: it sees whether a job was read at all.
    """
    content = bytearray()
    while chunk := os.read(0, _CHUNK):
        content += chunk
    os.close(0)
    length = int.from_bytes(content[:8], "little")
    frame = frames.decode(memoryview(content)[8 + length :])
    return frame.values["entry"], str(content[8 : 8 + length], "utf-8"), frame.arrays, frame.values["options"]


def _answer(entry: str, code: str, arrays: drivers.Arrays, options: dict[str, object]) -> bytes:
    try:
        found, values = drivers.run(entry, code, arrays, options)
        return frames.encode(found, values)
    except program.Failed as failed:
        return frames.encode({}, {}, (failed.kind, failed.message[:2000].replace("\x00", "")))
    except MemoryError:
        return frames.encode({}, {}, ("memory", "out of memory"))
    except frames.ProtocolError as error:
        return frames.encode({}, {}, ("too-large", str(error)))
    except BaseException as error:
        return frames.encode({}, {}, ("error", f"{type(error).__name__}: {error}"[:2000].replace("\x00", "")))


def _write(frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(lockdown.RESULT, view) :]
