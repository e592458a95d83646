"""A page as Markdown: formulas in LaTeX between dollar signs, figures in files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sldagent.laws.notation import LATEX
from sldagent.report.page.blocks import (
    Block,
    Cell,
    Code,
    Folded,
    Formula,
    Grid,
    Mono,
    Page,
    Pairs,
    Paragraph,
    Picture,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$#])")
_LEADING = re.compile(r"^(\s*)([-+=>]|\d+[.)])")


def page_markdown(page: Page, files: Mapping[str, str]) -> str:
    """The whole text.

    Args:
        files: address of every picture, by its name.
    """
    out = [f"# {escaped(page.title)}", *(_block(b, files) for b in page.lead)]
    for section in page.sections:
        out += [f"## {escaped(section.title)}", *(_block(b, files) for b in section.blocks)]
    return "\n\n".join(out) + "\n"


def escaped(text: str) -> str:
    """Text of one line in which Markdown and HTML see no markup."""
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    line = _SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return _LEADING.sub(lambda m: m[1] + (m[2][:-1] + "\\" + m[2][-1]), line)


def code(text: str, *, in_table: bool = False) -> str:
    """Text as a code span."""
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    if in_table:
        line = line.replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def _block(block: Block, files: Mapping[str, str]) -> str:
    if isinstance(block, Paragraph):
        return f"> **{escaped(block.text)}**" if block.strong else escaped(block.text)
    if isinstance(block, Code):
        text = "".join(c for c in block.text if c.isprintable() or c == "\n")
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        return f"{fence}\n{text}\n{fence}"
    if isinstance(block, Formula):
        return _formula(block)
    if isinstance(block, Grid):
        return _grid(block)
    if isinstance(block, Pairs):
        return "\n".join(f"* {escaped(label)}: {_cell(value)}" for label, value in block.items)
    if isinstance(block, Folded):
        return "\n\n".join([f"**{escaped(block.summary)}**", *(_block(b, files) for b in block.blocks)])
    return _picture(block, files)


def _formula(block: Formula) -> str:
    left = "".join(c for c in block.left if c.isalnum() or c == " ") or "L"
    lines = [rf"\mathrm{{{left.replace(' ', chr(92) + ' ')}}} = {LATEX.law(replace(block.law, vectors=()))}"]
    for name, elements in block.law.vectors:
        inside = ", ".join(LATEX.law(replace(block.law, expr=e, vectors=())) for e in elements)
        lines.append(f"{LATEX.name(name)} = {LATEX.parentheses.format(inside)}")
    return "\n\n".join(f"$$\n{line}\n$$" for line in lines)


def _grid(table: Grid) -> str:
    head = "| " + " | ".join(escaped(c) or " " for c in table.columns) + " |"
    rule = "|" + "|".join("---:" if c in table.numbers else "---" for c in table.columns) + "|"
    rows = ["| " + " | ".join(_cell(v, in_table=True) for v in row) + " |" for row in table.rows]
    return "\n".join([head, rule, *rows])


def _cell(value: Cell, *, in_table: bool = False) -> str:
    return code(value.text, in_table=in_table) if isinstance(value, Mono) else escaped(value)


def _picture(picture: Picture, files: Mapping[str, str]) -> str:
    image = f"![{escaped(picture.plot.alt or picture.plot.title)}](<{files[picture.name]}>)"
    return f"{image}\n\n{escaped(picture.caption)}" if picture.caption else image
