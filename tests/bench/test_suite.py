"""Running a suite: what is run, what is kept, what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from bench_tools import two_targets, two_variables

from sldagent.bench import suite
from sldagent.bench.method import Answer
from sldagent.bench.results import Settings, read_results
from sldagent.errors import ConfigError

SETTINGS = Settings(None, 12, 1)


class Fake:
    """A method that notes its jobs."""

    def __init__(self, name="fake", refuses="", ends_at=None):
        self.name, self.refuses, self.ends_at = name, refuses, ends_at
        self.jobs = []

    def check(self):
        pass

    def refusal(self, job):
        return self.refuses

    def run(self, job):
        self.jobs.append(job)
        return None if job.seed == self.ends_at else Answer(None, candidates=1)


@pytest.fixture
def table(tmp_path):
    return two_variables(tmp_path / "runs.csv")


@pytest.fixture
def ours(monkeypatch):
    fake = Fake("sldagent")
    monkeypatch.setattr(suite, "Discovery", lambda: fake)
    return fake


def test_every_task_seed_and_method_is_run_once_and_kept(table, tmp_path, ours):
    out, other = tmp_path / "r.json", Fake()
    results = suite.run_suite([str(table)], [0, 1], SETTINGS, "", baselines=[other], out=out)
    assert [(r.seed, r.method) for r in results] == [(0, "sldagent"), (0, "fake"), (1, "sldagent"), (1, "fake")]
    assert read_results(out) == results
    suite.run_suite([str(table)], [0, 1], SETTINGS, "", baselines=[other], out=out)
    assert len(ours.jobs) == len(other.jobs) == 2
    suite.run_suite([str(table)], [0], Settings(None, 13, 1), "", out=out)
    assert len(ours.jobs) == 3


def test_blind_and_targeted_results_live_in_one_file(table, tmp_path, ours):
    out = tmp_path / "r.json"
    (blind,) = suite.run_suite([str(table)], [0], SETTINGS, "", out=out)
    (targeted,) = suite.run_suite([str(table)], [0], SETTINGS, "", out=out, targeted=True)
    assert (blind.mode, targeted.mode) == ("blind", "targeted")
    assert len(read_results(out)) == 2
    first, second = ours.jobs
    assert first.grounds.task.at is None
    test = second.grounds.task.part("test")
    assert np.array_equal(second.grounds.task.at, test.X)
    assert {c.variable for c in second.grounds.cuts} == {"target"}
    again = suite.run_suite([str(table)], [0], SETTINGS, "", out=out, targeted=True)
    assert again == [targeted] and len(ours.jobs) == 2


def test_targeted_leaves_out_tasks_without_test_rows(table, tmp_path, ours):
    bare = tmp_path / "bare.csv"
    bare.write_text("".join(line + "\n" for line in table.read_text().splitlines() if "test" not in line))
    notes = []
    results = suite.run_suite([str(bare), str(table)], [0], SETTINGS, "", targeted=True, note=notes.append)
    assert [r.task for r in results] == ["runs"]
    assert len(notes) == 1 and notes[0].startswith("bare: left out")
    with pytest.raises(ConfigError, match="--targeted needs tasks with test rows"):
        suite.run_suite([str(bare)], [0], SETTINGS, "", targeted=True)


def test_a_method_that_does_not_apply_is_noted_once(table, ours):
    notes = []
    picky = Fake("picky", refuses="for a reason")
    results = suite.run_suite([str(table)], [0, 1], SETTINGS, "", baselines=[picky], note=notes.append)
    assert {r.method for r in results} == {"sldagent"}
    assert notes == ["runs: without the baseline 'picky': for a reason"]


def test_an_interrupted_suite_stops_and_keeps_what_is_finished(table, tmp_path, ours):
    out = tmp_path / "r.json"
    ours.ends_at = 1
    with pytest.raises(KeyboardInterrupt):
        suite.run_suite([str(table)], [0, 1, 2], SETTINGS, "", out=out)
    assert [r.seed for r in read_results(out)] == [0]
    assert [j.seed for j in ours.jobs] == [0, 1]


def test_suites_and_folders(table):
    assert len(suite.tasks_of(["sldbench"])) == 8
    assert suite.tasks_of([str(table.parent)]) == (str(table),)
    empty = table.parent / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError, match="holds no task cards"):
        suite.tasks_of([str(empty)])


def test_the_human_law_comes_from_the_card(table, tmp_path):
    assert suite.human_law(str(table)) == ""
    assert suite.human_law(str(two_targets(tmp_path / "two.csv"))) == "power_floor"


def test_every_card_of_the_suite_names_a_law_that_can_be_read():
    from sldagent.laws.catalogue import find

    for name in suite.tasks_of(["sldbench"]):
        assert find(suite.human_law(name)).name
