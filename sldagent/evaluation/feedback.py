"""What untrusted code printed or raised, made fit to be shown: stripped, capped and marked."""

from __future__ import annotations

import unicodedata

LIMIT = 2_000
"""Characters kept of one text."""
MARK = "[untrusted output of the program]"


def cleaned(text: str, limit: int = LIMIT) -> str:
    """Printable characters, line breaks and tabs only; the beginning and the end of a long text.

    Control, format (bidirectional overrides), surrogate and private characters go, and so do line and paragraph separators.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _DROPPED).strip()
    if len(kept) <= limit:
        return kept
    gap = "\n[...]\n"
    head = (limit - len(gap)) * 3 // 4
    return kept[:head] + gap + kept[-(limit - len(gap) - head) :]


def one_line(text: str, limit: int = 300) -> str:
    """The text as part of a sentence."""
    line = " ".join(cleaned(text, 4 * limit).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def marked(log: str, failure: str = "") -> str:
    """Printed text and error as one marked text; '' where there is nothing."""
    parts = [part for part in (cleaned(log), cleaned(failure)) if part]
    return f"{MARK}\n{cleaned(chr(10).join(parts), LIMIT - len(MARK) - 1)}" if parts else ""


_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
