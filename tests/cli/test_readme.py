"""What the README prints is true: its queries run, its verbs and its programs exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_tools import Found, sldagent

from sldagent.cli.main import VERBS
from sldagent.laws.parse import parse_program

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


WORDS = [
    *((verb,) for verb in VERBS),
    *(("archive", care) for care in ("upgrade", "check", "copy", "backup", "prune")),
    *(("predictor", name, "fit") for name in ("bnsl", "sloth", "pooled", "observational", "trajectories")),
    ("predictor", "sloth", "allocate"),
]
"""Command lines that have a help text of their own."""


def test_there_are_five_queries() -> None:
    assert len(QUERIES) == 5


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_runs_as_printed(found: Found, query: str) -> None:
    assert found.call("score", found.run, found.table, "--json").code == 0
    ended = found.call("sql", query, "--json")
    assert ended.code == 0, ended.err
    assert ended.json, "the query answers nothing"


def test_every_verb_is_in_the_table() -> None:
    named = set(re.findall(r"`sldagent ([a-z]+)", README))
    assert named == set(VERBS)


def test_the_program_is_in_the_language() -> None:
    (text,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if block.startswith("def law")]
    assert parse_program(text).law.variables == ("N", "D")


def test_options_that_are_named_exist() -> None:
    known = "".join(sldagent(*words, "--help").out for words in WORDS)
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)):
        assert option in known, option
