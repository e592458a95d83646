"""The benchmark verb from its words to its report."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_tools import sldagent


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    N = np.repeat(np.geomspace(1e6, 1e9, 8), 5)
    D = np.tile(np.geomspace(1e8, 1e10, 5), 8)
    loss = (1.5 + 300 * N**-0.3 + 800 * D**-0.35) * np.exp(0.002 * rng.normal(size=40))
    lines = ["N,D,split,loss"]
    lines += [f"{n:.6g},{d:.6g},{'test' if n > 5e8 else 'train'},{y:.6f}" for n, d, y in zip(N, D, loss, strict=True)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_scores_resumes_and_writes_results(table, tmp_path):
    out = tmp_path / "results.json"
    words = ("bench", str(table), "--seeds", "0", "--candidates", "30", "--workers", "1", "--out", str(out))
    first = sldagent(*words, "--archive", f"sqlite:///{tmp_path}/a.db", "--json")
    assert first.code == 0, first.err
    result = first.json["results"][0]
    assert (result["method"], result["mode"]) == ("sldagent", "blind")
    assert result["test_rows"] == 5
    assert result["choice"]["r2"] > 0.9
    assert result["cpu_seconds"] > 0
    assert first.json["lines"][0]["scores"] == [result["choice"]["r2"]]
    assert first.json["lines"][0]["blends"] == [result["blend"]]
    archive = f"sqlite:///{tmp_path}/a.db"
    (run,) = sldagent("runs", "--archive", archive, "--json").json["runs"]
    scored = sldagent("score", run["run"], table, "--blend", "--archive", archive, "--json").json
    assert scored["r2"] == result["blend"]
    logged = sldagent("sql", "SELECT law, r2 FROM scoring WHERE run IS NULL", "--archive", archive, "--json").json
    assert logged == [{"law": f"{run['run']}-blend", "r2": result["blend"]}] * 2
    assert json.loads(out.read_text())["results"] == [result]
    again = sldagent(*words, "--archive", f"sqlite:///{tmp_path}/untouched.db", "--json")
    assert again.json["results"] == [result]
    assert not (tmp_path / "untouched.db").exists()


def test_the_report_holds_scores_baselines_and_costs(table, tmp_path):
    words = ("bench", table, "--seeds", "0", "--candidates", "20", "--workers", "1", "--baselines", "human,catalogue")
    done = sldagent(*words, "--targeted", "--archive", f"sqlite:///{tmp_path}/a.db")
    assert done.code == 0, done.err
    assert "runs: without the baseline 'human': its card names no published law" in done.out
    assert "runs, catalogue, seed 0: test R2 0.9" in done.out
    for title in ("Test R2, targeted", "Short list, targeted", "Methods, targeted", "Costs, targeted"):
        assert title in done.out
    assert max(map(len, done.out[done.out.index("Test R2, targeted") :].splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sldbench", "--tasks", "nope"), "not in this suite"),
        (("sldbench", "--seeds", "a,b"), "whole numbers"),
        (("sldbench", "--baselines", "nope"), "no baseline 'nope'"),
        (("nosuch.csv",), "nosuch.csv"),
    ],
)
def test_user_errors(words, message):
    done = sldagent("bench", *words)
    assert done.code == 2
    assert message in done.err


def test_a_table_without_test_rows_cannot_be_aimed_at(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("N,loss\n" + "".join(f"{10**k},{1 + 9 * 10 ** (-0.3 * k)}\n" for k in range(3, 15)))
    done = sldagent("bench", path, "--targeted", "--candidates", "4")
    assert done.code == 2
    assert "--targeted needs tasks with test rows" in done.err
