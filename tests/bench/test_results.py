"""The result file, and figures over seeds and tasks."""

from __future__ import annotations

import json
import math

import pytest
from bench_tools import law, result

from sldagent.bench.results import read_results, write_results
from sldagent.bench.suite import tasks_of
from sldagent.bench.summary import OWN, mean_over_tasks, published, published_mean, summarise
from sldagent.errors import ConfigError


def test_results_come_back_as_they_were_written(tmp_path):
    results = [
        result(scores=(0.5, 0.4), blend=0.47),
        result(method="gplearn", mode="targeted", own=law(-2.0), judged=3, skipped=7, note="n"),
        result(scores=(), test_rows=0),
    ]
    path = tmp_path / "r.json"
    write_results(results, path)
    assert read_results(path) == results
    assert not list(tmp_path.glob("*.part"))


def test_a_file_from_before_there_were_methods_is_read(tmp_path):
    path = tmp_path / "r.json"
    write_results([result()], path)
    document = json.loads(path.read_text())
    for key in ("method", "own_choice", "judged", "skipped", "note"):
        del document["results"][0][key]
    path.write_text(json.dumps(document))
    assert read_results(path) == [result()]


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"results": [{"task": "t"}]}'])
def test_a_foreign_result_file_is_refused(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"r\.json"):
        read_results(path)


def test_method_and_mode_are_part_of_what_identifies_a_result():
    keys = {r.key for r in (result(), result(method="human"), result(mode="targeted"), result(seed=1))}
    assert len(keys) == 4


def test_figures_over_seeds():
    best, worst = result(seed=0, scores=(0.7, 0.6)), result(seed=2, scores=(-3.0,))
    (line,) = summarise([result(seed=1, scores=(0.5, 0.9)), best, worst])
    assert line.seeds == (0, 1, 2)
    assert line.scores == (0.7, 0.5, -3.0)
    assert line.median == 0.5
    assert line.mean == pytest.approx(-0.6)
    assert line.clipped == pytest.approx(0.2 / 3)
    assert line.spread == pytest.approx(3.7)
    assert line.below == pytest.approx(3.5)
    assert line.best == (0.7, 0.9, -3.0)
    assert line.regret == pytest.approx(0.4 / 3)


def test_a_file_from_before_there_were_blends_is_read(tmp_path):
    path = tmp_path / "r.json"
    write_results([result(blend=0.6)], path)
    document = json.loads(path.read_text())
    del document["results"][0]["blend"]
    path.write_text(json.dumps(document))
    (old,) = read_results(path)
    assert old == result(blend=None)
    (line,) = summarise([old])
    assert line.blends == () and math.isnan(line.blend)


def test_blends_over_seeds_and_tasks():
    rows = [result(seed=s, scores=(0.5, 0.6), blend=b) for s, b in enumerate((0.7, -3.0, 0.9))]
    (line,) = summarise(rows)
    assert (line.blends, line.blend) == ((0.7, -3.0, 0.9), 0.7)
    other = summarise([result("b", s, blend=0.1) for s in range(3)])
    assert mean_over_tasks([line, *other]).blend == pytest.approx(0.4)
    (lacking,) = summarise([*rows, result(seed=3)])
    assert lacking.blends == ()
    assert math.isnan(mean_over_tasks([lacking, *other]).blend)


def test_a_blend_that_is_not_finite_counts_as_its_laws_do():
    (line,) = summarise([result(seed=0, scores=(None, None)), result(seed=1, scores=(0.5,), blend=0.5)])
    assert line.blends == (-math.inf, 0.5)
    (baseline,) = summarise([result(method="catalogue", scores=(None,))])
    assert baseline.blends == ()


def test_no_valid_law_counts_as_the_worst_score():
    (line,) = summarise([result(scores=())])
    assert line.scores == (-math.inf,)
    assert line.clipped == -1.0
    assert line.spread == 0.0


def test_a_choice_by_the_own_criterion_has_a_line_of_its_own():
    own, ours = summarise([result(method="gplearn", scores=(0.5,), own=law(0.1))])
    assert (own.method, own.scores) == ("gplearn" + OWN, (0.1,))
    assert (ours.method, ours.scores) == ("gplearn", (0.5,))


def test_means_over_tasks_leave_out_tasks_without_test_rows():
    rows = [result("a", s, (0.2 * s,)) for s in (0, 1)] + [result("b", s, (-4.0 - s,)) for s in (0, 1)]
    lines = summarise([*rows, result("c", 0, (None,), test_rows=0)])
    mean = mean_over_tasks(lines)
    assert mean.tasks == ("a", "b")
    assert mean.by_seed == pytest.approx((-2.0, -2.4))
    assert mean.spread == pytest.approx(0.4)
    assert mean.median == pytest.approx(-2.2)
    assert mean.clipped == pytest.approx((0.1 - 1.0) / 2)
    assert mean_over_tasks([line for line in lines if line.task == "c"]) is None


def test_published_rows_name_the_suites_tasks():
    rows = published()
    assert all(set(scores) == set(tasks_of(["sldbench"])) for scores in rows.values())
    assert published_mean(rows["SLDAgent, GPT-5"], tasks_of(["sldbench"])) == pytest.approx(0.748, abs=5e-4)
    assert math.isnan(published_mean(rows["human laws"], ["elsewhere"]))
