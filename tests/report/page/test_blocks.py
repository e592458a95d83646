"""Any text passes through the writers as text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from page_tools import Read

from sldagent.laws.notation import MATHML
from sldagent.laws.parse import parse_formula
from sldagent.report.page import html, markdown
from sldagent.report.page.blocks import Code, Formula, Grid, Mono, Pairs, Paragraph

TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(["<script>", "--><b onclick=1>", "&lt;", "`|`"])


def shown(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c == "\n")


@given(TEXT)
def test_html_shows_any_text_as_it_is(text: str) -> None:
    blocks = (Paragraph(text), Code(text), Grid((text,), ((Mono(text),),)), Pairs(((text, text),)))
    for block in blocks:
        read = Read.page(html.block_html(block))
        assert {tag for tag, _ in read.tags} <= {"p", "pre", "code", "div", "table", "thead", "tbody", "tr", "th", "td",
                                                "dl", "dt", "dd"}  # fmt: skip
        assert shown(text).replace("\n", "") in read.text.replace("\n", "")


@given(TEXT)
def test_markdown_of_any_text_has_no_tags(text: str) -> None:
    escaped = markdown.escaped(text)
    assert "<" not in escaped
    assert "\n" not in escaped
    code = markdown.code(text, in_table=True)
    assert "\n" not in code
    for place, c in enumerate(code):
        assert c != "|" or code[place - 1] == "\\"


class _Tree(HTMLParser):
    """Checks that every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_mathml_is_well_formed_and_keeps_the_shape() -> None:
    law = parse_formula("E + A*N**-alpha - 2.5e-7*sqrt(D)/(x_eff + 3*N) + exp(-b*log(N))", ("N", "D", "x_eff"), ())
    tree = _Tree()
    tree.feed(MATHML.law(law))
    tree.close()
    assert tree.open == []
    assert tree.text.startswith("E+A")
    assert "−α" in tree.text
    assert {"msup", "mfrac", "msqrt", "msub"} <= set(tree.seen)
    assert tree.seen.count("msup") == 2  # of N, and of ten


def test_a_formula_names_what_it_predicts() -> None:
    law = parse_formula("E + A*N**-a", ("N",), ())
    assert "<mtext>loss &lt;b&gt;</mtext>" in html.block_html(Formula("loss <b>", law))
