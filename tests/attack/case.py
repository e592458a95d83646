"""What an attack is: a small candidate program, the ends that are allowed, and how its detector is shown to work."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEAD = """
import ctypes, errno, gc, io, json, mmap, os, signal, socket, struct, sys, threading, time
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ARM = os.uname().machine == "aarch64"

def breach(what):
    print("BREACH", what, flush=True)

def leak(data):
    print("LEAK", data.decode("latin-1") if isinstance(data, (bytes, bytearray)) else str(data), flush=True)

def read(path, size=1 << 16):
    with open(path, "rb") as file:
        return file.read(size)

def attempt(*steps):
    for step in steps:
        try:
            step()
        except Exception as error:
            print(type(error).__name__, str(error)[:80], flush=True)

def raw(numbers, *arguments):
    number = numbers[1] if ARM else numbers[0]
    if number is None:
        return -1, errno.ENOSYS
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return libc.syscall(ctypes.c_long(number), *words), ctypes.get_errno()

def reached(what, numbers, *arguments):
    # the call got past every gate: it worked, or failed for what it was given
    result, error = raw(numbers, *arguments)
    if result >= 0 or error not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        breach(what)
    return result

def frame(header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"SLDJAIL1" + (len(text) if length is None else length).to_bytes(4, "little") + text + body

def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]
    os._exit(0)
"""
"""What every candidate has at hand; numbers of system calls are (x86_64, aarch64)."""

WORDS = (
    "pid", "address", "length", "victim", "sibling", "home", "data", "folder", "lib", "port", "udp", "unix", "abstract",
    "mark", "host",
)  # fmt: skip
"""What a candidate is told, written @word@: see `world.World.words`."""


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        name, what: for tables and people.
        fit, predict: statements of the two functions, of X and y, and of X and p.
        top: statements at the head of the program.
        law: statements of custom_fit(rows, targets, law), in place of both.
        wall, memory, log, result: limits in the jail.
        kinds: ends allowed in the jail ("" is success); empty: any but "jail".
        must_fail: an answer that is accepted is a breach.
        ways: naive evaluators (see `naive.py`) that the attack is tried on as a positive control.
        as_root: outside the jail it works for root alone.
        uncontrolled: why nothing on this host can show the attack at work; '' where something can.
        leaks: what is known to work in a mode, by mode, with the reason; still shown in tables, as "known".
        settle: seconds to wait before looking for what it left behind.
        fast: part of the short run.
    """

    name: str
    what: str
    fit: str = "return [1.0]"
    predict: str = ""
    top: str = ""
    law: str = ""
    wall: float = 30.0
    memory: int = 256 << 20
    log: int = 1 << 18
    result: int = 1 << 20
    kinds: tuple[str, ...] = ()
    must_fail: bool = False
    ways: tuple[str, ...] = ("subprocess",)
    as_root: bool = False
    uncontrolled: str = ""
    leaks: Mapping[str, str] | None = None
    settle: float = 0.0
    fast: bool = False

    def code(self, words: Mapping[str, Any]) -> str:
        """The candidate program; words that are not given stay for somebody else to fill in."""
        functions = {"fit_scaling_law(X, y)": self.fit}
        if self.law:
            functions = {"custom_fit(rows, targets, law)": self.law}
        elif self.predict:
            functions["scaling_law_func(X, p)"] = self.predict
        text = HEAD + textwrap.dedent(self.top) + "\n"
        for head, body in functions.items():
            text += f"def {head}:\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
        return fill(text, words)


def fill(text: str, words: Mapping[str, Any]) -> str:
    """Write values for the words @...@."""
    for word, value in words.items():
        text = text.replace(f"@{word}@", repr(value))
    return text
