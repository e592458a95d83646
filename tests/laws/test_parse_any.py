"""Arbitrary and mutated texts: a law, or a `LawError`, and nothing else."""

from __future__ import annotations

import contextlib
import string
import sys
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sldagent.errors import LawError
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.render import render_expr, render_program

sys.path.insert(0, str(Path(__file__).parent))
from law_tools import PROGRAM, random_laws

words = st.sampled_from(
    [
        "def law(N, a):",
        "return",
        "N",
        "a",
        "z",
        " = ",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "\n",
        "    ",
        "+",
        "-",
        "*",
        "**",
        "/",
        ",",
        "sum(",
        "exp(",
        " for j in r",
        "r[j]",
        "1",
        "2.5",
        "1e400",
        ":",
        "parameters",
        "recipe",
        "fit(",
        "positive()",
        '"a"',
        "loss=",
        "lambda",
        "i",
        ".",
        "np.",
        "#",
        "'",
        "\\",
        "\t",
        "if",
        "\x0c",
        "\r",
        "\u00e9",
        "\ud800",
        "\x00",
        "0x",
        "1_0",
        "=",
        "@",
        "~",
        "not ",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(string.printable, max_size=80), st.lists(words, max_size=25).map("".join)))
@example("0_7")
@example("1if 2else 3")
@example("\\")
@example("def law(N):\n\treturn N\n        return 1")
@example("N\x0b+1")
@example("\ufeffN")
def test_any_text_is_a_law_or_a_law_error(text: str) -> None:
    for read in (
        lambda: parse_formula(text, ["N"], ["r"]),
        lambda: parse_program(text),
        lambda: parse_program("def law(N, a, r):\n    return " + text),
    ):
        with contextlib.suppress(LawError):
            assert read() is not None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_programs(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(PROGRAM)))
    text = PROGRAM[:start] + data.draw(words) + PROGRAM[start + data.draw(st.integers(0, 5)) :]
    try:
        p = parse_program(text, variables=["N", "D", "r"])
    except LawError:
        return
    assert parse_program(render_program(p)) == p


@settings(max_examples=150, deadline=None)
@given(random_laws())
def test_parsed_formulas_render_to_themselves(law) -> None:  # type: ignore[no-untyped-def]
    once = parse_formula(render_expr(law.expr), ["N", "D", "P"], ["r"])
    assert parse_formula(render_expr(once.expr), ["N", "D", "P"], ["r"]) == once
