"""The printed report."""

from __future__ import annotations

import io

import pytest
from bench_tools import law, result
from rich.console import Console

from sldagent.bench.summary import summarise
from sldagent.bench.tables import report_tables


def text(results, width=120):
    console = Console(file=io.StringIO(), width=width)
    for item in report_tables(summarise(results)):
        console.print(item, markup=False)
    return console.file.getvalue()


def row(printed, start):
    (line,) = [line for line in printed.splitlines() if line.startswith(start)]
    return " ".join(line.split())


def test_scores_stand_beside_published_rows_with_a_mean():
    rising = [result("parallel", s, (0.9 + 0.01 * s,)) for s in (0, 1, 2)]
    printed = text([*rising, *(result("moe", s, (0.8,)) for s in (0, 1, 2))])
    first = printed.split("Short list")[0]
    assert row(first, "parallel") == "parallel 1.000 1.000 0.9100 0.9100 0.9100 0.0200 0.0100 0.9000 0.9100 0.9200"
    assert row(first, "mean of 2") == "mean of 2 0.851 0.887 0.8550 0.8550 0.8550 0.0100 0.0050 0.8500 0.8550 0.8600"
    assert max(map(len, printed.splitlines())) <= 120


def test_the_blend_stands_beside_the_short_list():
    printed = text([result("moe", s, (0.9, 0.75), blend=b) for s, b in enumerate((0.81, 0.83, 0.82))])
    listed = printed.split("Short list")[1].split("Costs")[0]
    assert row(listed, "moe") == "moe 0.9000 0.7500 - 0.9000 0.9000 0.9000 0.9000 0.0000 0.8200"
    assert row(listed, "mean of 1") == "mean of 1 0.0000 0.8200"
    assert "no law and never the choice" in listed
    assert max(map(len, printed.splitlines())) <= 120
    old = text([result("moe", 0, (0.9, 0.75))])
    assert row(old.split("Short list")[1].split("Costs")[0], "moe").endswith("0.0000 -")


def test_tasks_without_test_rows_are_named_and_not_averaged():
    printed = text([result("moe", scores=(0.8,)), result("lr_bsz", scores=(None,), test_rows=0)])
    assert "no test rows" in printed
    assert "mean of 1" in printed


def test_modes_are_reported_apart():
    printed = text([result("moe", scores=(0.8,)), result("moe", scores=(0.9,), mode="targeted")])
    blind, targeted = printed.split("Test R2, targeted")
    assert "0.8000" in blind and "0.9000" not in blind
    assert "0.9000" in targeted and "0.8000" not in targeted


def test_methods_are_compared_on_the_tasks_that_all_have():
    results = [result("moe", scores=(0.8,)), result("vocab", scores=(0.2,)), result("moe", method="human", scores=(0.6,))]
    printed = text(results).split("Methods, blind")[1]
    assert row(printed, "mean of 1") == "mean of 1 0.8000 0.6000"
    assert row(printed.split("Costs")[0], "vocab") == "vocab 0.2000 -"


def test_both_choices_of_a_package_are_shown_and_its_costs_once():
    printed = text([result("moe"), result("moe", method="gplearn", scores=(0.7,), own=law(-5.0), judged=4, skipped=3)])
    methods, costs = printed.split("Methods, blind")[1].split("Costs, blind")
    assert row(methods, "moe") == "moe 0.5000 -5.0000 0.7000"
    assert [line.split()[1:6] for line in costs.splitlines() if line.startswith("moe")] == [
        ["sldagent", "1", "10", "10", "0"],
        ["gplearn", "1", "10", "4", "3"],
    ]


@pytest.mark.parametrize("scores", [(), (None,)])
def test_no_score_prints_as_a_word(scores):
    assert "none" in text([result("moe", scores=scores)])
