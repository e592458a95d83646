"""A page as one HTML file: figures inline, formulas in MathML, no script, nothing fetched.

Every text passes `escaped`; what does not is written by this package alone (MathML of names that are Python identifiers, SVG
made by `sldagent.report.figures.svg`).  A content security policy forbids the rest: should anything slip through, the
browser neither runs nor fetches it.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

from sldagent.laws.notation import MATHML
from sldagent.laws.program import Law
from sldagent.report.figures.files import svg
from sldagent.report.figures.style import Key
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
    Section,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
LONG = 30
"""Code of more characters is given room in tables, and broken into lines."""
STYLE = Path(__file__).with_name("style.css")


def page_html(page: Page) -> str:
    """The whole document."""
    links = "".join(f'<li><a href="#{s.name}">{escaped(s.title)}</a></li>' for s in page.sections)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escaped(page.title)}</title>",
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>",
        "</head>",
        "<body>",
        "<header>",
        f"<h1>{escaped(page.title)}</h1>",
        *map(block_html, page.lead),
        f'<nav aria-label="Contents"><ol>{links}</ol></nav>',
        "</header>",
        "<main>",
        *map(_section, page.sections),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _section(section: Section) -> str:
    inner = "\n".join(map(block_html, section.blocks))
    return f'<section id="{section.name}" aria-labelledby="{section.name}-title">\n' \
           f'<h2 id="{section.name}-title">{escaped(section.title)}</h2>\n{inner}\n</section>'  # fmt: skip


def escaped(text: str) -> str:
    """Text for HTML: markup escaped, characters without a shape (controls, changes of direction) left out."""
    return escape("".join(c for c in text if c.isprintable() or c == "\n"), quote=True)


def block_html(block: Block) -> str:
    """One block."""
    if isinstance(block, Paragraph):
        kind = ' class="note" role="note"' if block.strong else ""
        return f"<p{kind}>{escaped(block.text)}</p>"
    if isinstance(block, Code):
        return f'<pre tabindex="0"><code>{escaped(block.text)}</code></pre>'
    if isinstance(block, Formula):
        return f'<div class="formula" tabindex="0">{formula_html(block.left, block.law)}</div>'
    if isinstance(block, Grid):
        return _grid(block)
    if isinstance(block, Pairs):
        return "<dl>" + "".join(f"<dt>{escaped(k)}</dt><dd>{_cell(v)}</dd>" for k, v in block.items) + "</dl>"
    if isinstance(block, Folded):
        inner = "\n".join(map(block_html, block.blocks))
        return f"<details><summary>{escaped(block.summary)}</summary>\n{inner}\n</details>"
    return _picture(block)


def formula_html(left: str, law: Law) -> str:
    """The law as MathML, named vectors on lines of their own."""
    bare, where = law_parts(law)
    lines = [f"<mtext>{escaped(left)}</mtext><mo>=</mo>{bare}", *where]
    return "".join(f'<math display="block"><mrow>{line}</mrow></math>' for line in lines)


def law_parts(law: Law) -> tuple[str, list[str]]:
    """MathML of the right-hand side, and of each named vector."""
    bare = MATHML.law(replace(law, vectors=()))
    where = []
    for name, elements in law.vectors:
        inside = MATHML.comma.join(MATHML.law(replace(law, expr=e, vectors=())) for e in elements)
        where.append(f"{MATHML.name(name)}<mo>=</mo>" + MATHML.parentheses.format(inside))
    return bare, where


def _grid(table: Grid) -> str:
    number = [c in table.numbers for c in table.columns]
    head = "".join(f'<th scope="col"{_right(n)}>{escaped(c)}</th>' for c, n in zip(table.columns, number, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{_right(n)}>{_cell(v)}</td>" for v, n in zip(row, number, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def _right(number: bool) -> str:
    return ' class="n"' if number else ""


def _cell(value: Cell) -> str:
    if not isinstance(value, Mono):
        return escaped(value)
    long = ' class="long"' if len(value.text) > LONG else ""
    return f"<code{long}>{escaped(value.text)}</code>"


def _picture(picture: Picture) -> str:
    """The plot's panels, each a figure, in as many columns as there is room for; legend and captions are text."""
    plot = picture.plot
    heads = [p.head for p in plot.panels]
    figures = plot.pieces()
    single = (" single square" if plot.square else " single") if len(figures) == 1 else ""
    cells = []
    for number, (head, figure) in enumerate(zip(heads, figures, strict=True)):
        what = ", ".join(part for part in (plot.alt or plot.title, head.replace("\n", ", ")) if part)
        drawn = svg(figure, prefix=f"{picture.name}-{number}-", alt=what)
        caption = f"<div class='head'>{escaped(head)}</div>" if head else ""
        cells.append(f"<div class='panel'>{caption}{drawn}</div>")
    keys = "".join(f"<li>{_swatch(key)}{escaped(key.label)}</li>" for key in plot.keys)
    legend = f"<ul class='legend'>{keys}</ul>" if keys else ""
    text = f"<figcaption>{escaped(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure id="figure-{picture.name}">{legend}<div class="panels{single}">{"".join(cells)}</div>{text}</figure>'


def _swatch(key: Key) -> str:
    """A small picture of a legend's line or mark; decoration, so it has no alternative text."""
    look = key.look
    if key.line:
        dashes = f' stroke-dasharray="{" ".join(f"{d * look.width:g}" for d in look.dashes)}"' if look.dashes else ""
        shape = f'<line x1="1" y1="6" x2="27" y2="6" stroke="{look.colour}" stroke-width="{1.3 * look.width:g}"{dashes}/>'
    else:
        hollow = f'fill="none" stroke="{look.colour}" stroke-width="1.3"'
        solid = f'fill="{look.colour}" stroke="#333333" stroke-width="0.6"'
        shape = {
            "o": f'<circle cx="14" cy="6" r="3.2" {solid}/>',
            "^": f'<path d="M14 2 18 9.5H10Z" {hollow}/>',
            "v": f'<path d="M14 10 18 2.5H10Z" {hollow}/>',
            "x": f'<path d="M10.5 2.5 17.5 9.5M17.5 2.5 10.5 9.5" {hollow}/>',
            "D": f'<path d="M14 1.8 18.2 6 14 10.2 9.8 6Z" {solid}/>',
            "s": f'<rect x="10.8" y="2.8" width="6.4" height="6.4" {solid}/>',
            "*": f'<path d="M14 .5 15.4 4.3 19.5 4.4 16.3 6.9 17.4 11 14 8.6 10.6 11 11.7 6.9 8.5 4.4 12.6 4.3Z" {solid}/>',
        }[look.mark or "o"]
    return f'<svg viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{shape}</svg>'

