"""Tables on narrow terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sldagent.report.tables import table

COLUMNS = ["", "law", *(f"figure {k}" for k in range(9))]
ROWS = [["published", f"some-run-0000-{k} (chinchilla)", *(1000.5 + 10 * k + j for j in range(9))] for k in range(3)]


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(COLUMNS, ROWS, numbers=COLUMNS[2:]))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [60, 80, 100, 130, 200])
def test_no_figure_is_ever_cropped(width: int) -> None:
    text = printed(width)
    words = text.split()
    for row in ROWS:
        for value in row[2:]:
            assert f"{value:.4g}" in words
    for name in COLUMNS[2:]:
        assert name in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_table_that_fits_stays_whole() -> None:
    assert printed(200).count("─\n") == 1
    assert printed(80).count("─\n") > 1


def test_an_empty_table_has_its_header() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(table(["a", "b"], []))
    assert "a   b" in console.file.getvalue()  # type: ignore[attr-defined]
