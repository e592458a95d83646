"""The benchmark verb: suites, resuming, honest scores."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_tools import sldagent

from sldagent.bench import suite
from sldagent.errors import ConfigError


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
    result = json.loads(first.out)["results"][0]
    assert result["test_rows"] == 5
    assert result["choice"]["r2"] > 0.9
    assert result["cpu_seconds"] > 0
    assert json.loads(out.read_text())["results"] == [result]
    again = sldagent(*words, "--archive", f"sqlite:///{tmp_path}/untouched.db", "--json")
    assert json.loads(again.out)["results"] == [result]
    assert not (tmp_path / "untouched.db").exists()


def test_suites_and_folders(table):
    assert len(suite.tasks_of(["sldbench"])) == 8
    assert suite.tasks_of([str(table.parent)]) == (str(table),)
    empty = table.parent / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError, match="holds no task cards"):
        suite.tasks_of([str(empty)])


def test_published_rows_name_the_suites_tasks():
    names, rows = suite.published()
    assert set(rows[names[0]]) == set(suite.SUITES["sldbench"])


def test_medians_and_best_of_three():
    def result(seed, *scores):
        laws = tuple(suite.Scored(f"l{k}", "f", 0.0, 1.0, 0.0, s, 0.0) for k, s in enumerate(scores))
        return suite.Result("t", seed, "blind", suite.Settings(1.0, None, 1), 10, 0, 1.0, 1.0, 4, laws[0], laws)

    (line,) = suite.summarise([result(1, 0.5, 0.9), result(0, 0.7, 0.6), result(2, 0.2, 0.1)])
    assert line.scores == (0.7, 0.5, 0.2)
    assert line.median == 0.5
    assert line.best_of_three == (0.7, 0.9, 0.2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sldbench", "--tasks", "nope"), "not in this suite"),
        (("sldbench", "--seeds", "a,b"), "whole numbers"),
        (("nosuch.csv",), "nosuch.csv"),
    ],
)
def test_user_errors(words, message):
    done = sldagent("bench", *words)
    assert done.code == 2
    assert message in done.err


def test_a_foreign_result_file_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("[1, 2]")
    with pytest.raises(ConfigError, match=r"r\.json"):
        suite.read_results(path)


def test_an_interrupted_suite_stops_and_keeps_what_is_finished(table, tmp_path, monkeypatch):
    out = tmp_path / "r.json"
    real = suite._discover
    monkeypatch.setattr(suite, "_discover", lambda task, seed, *rest: real(task, seed, *rest) if seed == 0 else None)
    settings = suite.Settings(None, 12, 1)
    with pytest.raises(KeyboardInterrupt):
        suite.run_suite([str(table)], [0, 1, 2], settings, f"sqlite:///{tmp_path}/a.db", out=out)
    assert [r.seed for r in suite.read_results(out)] == [0]
