"""SEARCH/REPLACE edits of a program's text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sldagent.proposal_text.clean import clean_code

_START = re.compile(r"^\s*<{5,9}\s*(?:SEARCH|ORIGINAL|OLD)\b.*$", re.IGNORECASE)
_MIDDLE = re.compile(r"^\s*={5,9}\s*$")
_END = re.compile(r"^\s*>{5,9}\s*(?:REPLACE|UPDATED|NEW)\b.*$", re.IGNORECASE)


class EditError(Exception):
    """An edit that cannot be made; the message is for the model."""


@dataclass(frozen=True)
class Edit:
    search: str
    replace: str


def edits_in(text: str) -> list[Edit]:
    """The edits of an answer, in order.  Raises EditError for one that is not finished."""
    out: list[Edit] = []
    search: list[str] = []
    replace: list[str] = []
    state = ""
    for line in text.split("\n"):
        if _START.match(line):
            if state:
                raise EditError("an edit begins before the last one has ended: close it with >>>>>>> REPLACE")
            state, search, replace = "search", [], []
        elif state == "search" and _MIDDLE.match(line):
            state = "replace"
        elif state and _END.match(line):
            if state == "search":
                raise EditError("an edit has no ======= line between what is searched and what replaces it")
            out.append(Edit(_code(search), _code(replace)))
            state = ""
        elif state == "search":
            search.append(line)
        elif state == "replace":
            replace.append(line)
    if state:
        raise EditError("the answer ends in the middle of an edit (it was cut off): there is no >>>>>>> REPLACE line")
    return out


def _code(lines: list[str]) -> str:
    """Plain characters, but with the margin kept: edits stand in the middle of a text."""
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    cleaned = clean_code("\n".join(line.expandtabs(4) for line in lines))
    return "\n".join(" " * margin + line if line else line for line in cleaned.split("\n")) if cleaned else ""


def apply_edits(source: str, edits: list[Edit]) -> str:
    """The edited text.

    What is searched must occur exactly once; trailing spaces never count, and the margin only where it tells places apart.
    Raises EditError, naming the edit.
    """
    text = source
    for number, edit in enumerate(edits, 1):
        if not edit.search.strip():
            raise EditError(f"edit {number} has an empty SEARCH part: copy the lines to replace, or write the whole program")
        text = _apply(text, edit, number)
    if text == source:
        raise EditError("the edits change nothing")
    return text


def _apply(text: str, edit: Edit, number: int) -> str:
    lines, wanted = text.split("\n"), edit.search.strip("\n").split("\n")
    replacement = edit.replace.strip("\n").split("\n") if edit.replace.strip() else []
    for loose in (False, True):
        strip = str.strip if loose else str.rstrip
        key, have = [strip(w) for w in wanted], [strip(x) for x in lines]
        places = [k for k in range(len(lines) - len(key) + 1) if have[k : k + len(key)] == key]
        if len(places) == 1:
            at = places[0]
            shift = _margin(lines[at]) - _margin(wanted[0]) if loose else 0
            moved = [_shifted(line, shift) for line in replacement]
            return "\n".join([*lines[:at], *moved, *lines[at + len(key) :]])
        if places:
            raise EditError(f"what edit {number} searches occurs {len(places)} times: include a line before or after it")
    if len(wanted) == 1 and len(replacement) <= 1:  # part of a line
        part, new = wanted[0].strip(), (replacement or [""])[0].strip()
        if text.count(part) == 1:
            return text.replace(part, new)
    first = wanted[0].strip()
    raise EditError(f"what edit {number} searches is not in the first parent's text: '{first[:120]}'")


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shifted(line: str, by: int) -> str:
    if by >= 0:
        return " " * by + line if line else line
    return line[min(-by, _margin(line)) :]
