"""The baselines on small tables with few candidates."""

from __future__ import annotations

import importlib.util

import pytest
from bench_tools import job, two_targets, two_variables

from sldagent.bench.baselines.registry import BASELINES, baselines_of
from sldagent.bench.results import Settings
from sldagent.bench.score import score_program
from sldagent.errors import ConfigError

PACKAGES = ("pyoperon", "gplearn")


@pytest.fixture
def table(tmp_path):
    return two_variables(tmp_path / "runs.csv")


def needs(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: it comes with the extra 'bench'")


def test_names_are_checked():
    assert [m.name for m in baselines_of("all")] == ["human", "catalogue", "best-of-n", "pyoperon", "gplearn"]
    assert [m.name for m in baselines_of("gplearn, human")] == ["gplearn", "human"]
    assert baselines_of(None) == ()
    with pytest.raises(ConfigError, match="no baseline 'operon'"):
        baselines_of("operon")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_named_with_the_way_out(package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"'{package}'.*sldagent\[bench\]"):
        BASELINES[package].check()


def test_the_human_law_is_refitted_and_scored(table):
    method = BASELINES["human"]
    assert "names no published law" in method.refusal(job(table))
    given = job(table, human="chinchilla")
    assert method.refusal(given) == ""
    answer = method.run(given)
    assert answer.choice.law == "chinchilla"
    assert answer.choice.r2 > 0.95
    assert answer.choice.x < 0 and answer.choice.complexity == 23
    formula = method.run(job(table, human="E + A*N**-a"))
    assert formula.choice.r2 < answer.choice.r2


def test_the_catalogue_alone_finds_the_law_that_made_the_data(table):
    answer = BASELINES["catalogue"].run(job(table))
    assert answer.choice.r2 > 0.95
    assert answer.candidates == answer.judged > 10
    assert answer.shortlist[0] == answer.choice and 1 < len(answer.shortlist) <= 3


def test_best_of_n_makes_no_children(table):
    from sldagent.archive.store import Archive

    given = job(table, settings=Settings(None, 110, 1))
    answer = BASELINES["best-of-n"].run(given)
    assert answer.candidates == 110
    with Archive.open(given.archive, read_only=True) as store:
        _, rows = store.query("SELECT operator, COUNT(*) FROM candidate GROUP BY operator")[:2]
        assert {row[0] for row in rows} <= {"catalogue", "motif", "random"}
        assert dict(rows)["random"] > 16


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_package_gives_its_own_choice_and_ours(package, groups, tmp_path):
    needs(package)
    answer = BASELINES[package].run(job(two_variables(tmp_path / "runs.csv", groups=groups)))
    assert answer.note == ""
    assert answer.own_choice.r2 is not None and answer.own_choice.r2 < 1
    assert answer.own_choice.x is None
    assert answer.choice.x is not None and answer.choice.r2 is not None
    assert 0 < answer.judged <= 4
    assert answer.candidates >= 100


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_searches_every_target(package, tmp_path):
    needs(package)
    answer = BASELINES[package].run(job(two_targets(tmp_path / "two.csv")))
    assert answer.own_choice.formula.count("; ") == 1
    assert "[i]" in answer.choice.formula
    assert answer.choice.r2 is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_the_same_seed_gives_the_same_laws(package, table):
    needs(package)
    answers = [BASELINES[package].run(job(table, seed=s, settings=Settings(None, 2, 1))) for s in (3, 3)]
    assert answers[0].own_choice == answers[1].own_choice
    assert answers[0].shortlist == answers[1].shortlist


def test_a_package_that_fails_is_a_result_that_says_why(table):
    from dataclasses import replace

    answer = replace(BASELINES["gplearn"], search=crash).run(job(table))
    assert answer.choice is None
    assert "ended with status 1: " in answer.note and "no such luck" in answer.note


def crash(question):
    raise RuntimeError("no such luck")


def test_a_judged_program_is_scored_by_its_own_parameters(table):
    from sldagent.evaluation.evaluate import Evaluator
    from sldagent.laws.catalogue import bind, find

    given = job(table)
    (program,) = bind(find("chinchilla"), given.grounds.train)[:1]
    evaluation = Evaluator(given.grounds.train, given.grounds.cuts).evaluate(program)
    good = score_program("c", program, evaluation, given.grounds.task)
    doubled = {name: 2 * value for name, value in evaluation.parameters.items()}
    assert good.r2 > 0.95
    from dataclasses import replace

    assert score_program("c", program, replace(evaluation, parameters=doubled), given.grounds.task).r2 < 0
