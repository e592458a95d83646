"""Untrusted text made fit for terminals, archives and prompts."""

from __future__ import annotations

import re
import unicodedata

MAX_MESSAGE = 2000
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""Control sequences: colours and cursor, titles and links, two-letter ones."""


def clean(text: str, longest: int) -> str:
    """`text` without terminal sequences, control and direction characters (but for line ends), at most `longest` characters.

    What is cut off is named, so that nobody takes the rest for the whole.
    """
    text = _TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))
    kept = "".join(letter for letter in text if letter == "\n" or unicodedata.category(letter)[0] != "C")
    if len(kept) <= longest:
        return kept
    note = f" [{len(kept) - longest} more characters]"
    return kept[: max(0, longest - len(note))] + note[:longest]


def clean_message(text: str) -> str:
    """One line of at most MAX_MESSAGE characters."""
    return clean(" ".join(text.split()), MAX_MESSAGE)


def clean_log(raw: bytes, longest: int, dropped: int = 0) -> str:
    """What a program printed; `dropped` bytes were thrown away already."""
    text = clean(raw.decode("utf-8", errors="replace"), longest)
    return f"{text}\n[{dropped} more bytes were printed]" if dropped else text
