"""Find programs in an answer: fenced blocks, unfenced code between prose, programs spread over several fences."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from sldagent.proposal_text.clean import clean_code

_FENCE = re.compile(r"^[ \t]{0,8}(`{3,}|~{3,})[ \t]*([^\n`]*)$")
_LAW = re.compile(r"^[ \t>|.]*def\s+law\s*\(", re.MULTILINE)
_PART = re.compile(r"(def\s+law\s*\(|parameters\s*=|recipe\s*=|def\s+custom_fit\s*\()")
_SIDE = re.compile(r"^(parameters\s*=|recipe\s*=|def\s+custom_fit\s*\()", re.MULTILINE)
_IMPORT = re.compile(r"^(?:import\s|from\s+\S+\s+import\s)[^\n(]*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    text: str
    closed: bool
    end: int
    """Line after it."""


def blocks_of(text: str) -> list[Block]:
    """Fenced blocks in order; the last one may be open."""
    out: list[Block] = []
    fence, start = "", 0
    lines = text.split("\n")
    for k, line in enumerate(lines):
        found = _FENCE.match(line)
        if found is None:
            continue
        if not fence:
            fence, start = found[1], k + 1
        elif found[1][0] == fence[0] and len(found[1]) >= len(fence) and not found[2].strip():
            out.append(Block("\n".join(lines[start:k]), True, k + 1))
            fence = ""
        elif found[2].strip() and _LAW.search("\n".join(lines[start:k])) is None:
            # a new fence with a language: the last one was never closed and held no program
            fence, start = found[1], k + 1
    if fence:
        out.append(Block("\n".join(lines[start:]), False, len(lines)))
    return out


def from_json(text: str) -> str | None:
    """The program in an answer that is one JSON object with a text under ``program``, ``code`` or ``law``."""
    stripped = text.strip()
    if not stripped.startswith("{"):
        return None
    try:
        data = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    found = next((data[k] for k in ("program", "code", "law") if isinstance(data.get(k), str)), None)
    if found is None:
        return None
    head = "\n".join(f"{k}: {data[k]}" for k in ("hypothesis", "fixes") if isinstance(data.get(k), str))
    return f"{head}\n{found}" if "```" in found else f"{head}\n```python\n{found}\n```"


def candidates(text: str) -> list[tuple[str, bool]]:
    """(program text, whether it is complete), the likeliest first: the last program, with the parts that follow it."""
    blocks = blocks_of(text)
    out: list[tuple[str, bool]] = []
    for k in reversed(range(len(blocks))):
        if not _LAW.search(blocks[k].text):
            continue
        parts, closed = [clean_code(blocks[k].text)], blocks[k].closed
        for other in [*blocks[k + 1 :], *reversed(blocks[:k])]:
            more = clean_code(other.text)
            if _SIDE.match(more) and not _LAW.search(more):
                have = set(re.findall(r"\w+", " ".join(_SIDE.findall("\n".join(parts)))))
                if not have & (set(re.findall(r"\w+", " ".join(_SIDE.findall(more)))) - {"def"}):
                    parts.append(more)
                    closed = closed and other.closed
        if len(parts) > 1:
            out.append((_only_program("\n\n".join(parts)), closed))
        out.append((_only_program(parts[0]), blocks[k].closed))
    if not out and _LAW.search(text):
        out.append((_only_program(clean_code(text[[m.start() for m in _LAW.finditer(text)][-1] :])), True))
    return out


def formula_in(text: str) -> str | None:
    """A fenced block that is one formula, perhaps with a name before an equals sign; None where there is none."""
    for block in reversed(blocks_of(text)):
        code = clean_code(block.text).strip()
        if code and "\n" not in code and not _PART.search(code):
            return re.sub(r"\A(?:return\s+|[A-Za-z_]\w*(?:\([^()=]*\))?\s*=(?!=)\s*)", "", code)
    return None


def _only_program(code: str) -> str:
    """The program's parts without imports and without prose before, between and after them."""
    code = _IMPORT.sub("", code)
    kept: list[str] = []
    inside, depth = False, 0
    for line in code.split("\n"):
        top = bool(line) and not line[0].isspace()
        if top and depth <= 0 and not line.startswith((")", "]", "}", "#")):
            inside = _PART.match(line) is not None
        if inside:
            kept.append(line)
            bare = re.sub(r"#.*|\"[^\"]*\"|'[^']*'", "", line)
            depth += sum(bare.count(c) for c in "([{") - sum(bare.count(c) for c in ")]}")
    return "\n".join(kept).strip("\n")
