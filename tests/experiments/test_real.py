"""Tables of the study made from the development data: judged rows are there and lie beyond most of the training rows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.selection import real
from experiments.selection.tables import KNOWN, REAL, TABLES
from sldagent.session import prepare
from sldagent.tasks import levels


@pytest.fixture(autouse=True)
def _data(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "DATA", data_dir)


@pytest.mark.parametrize("name", ["vision_cal_5", "lang_nmt", "addition", "gemstones_shape", "gemstones_tasks", "ladder_far",
                                  "ladder_schedule", "families", "leaderboard_mmlu"])  # fmt: skip
def test_judged_rows_are_larger(name: str) -> None:
    task = real.MORE[name]()
    grounds = prepare(task)
    train, judged = grounds.train, task.part("test")
    scale = levels.scale_indices(train)
    assert len(judged.X) >= 3
    assert grounds.cuts
    for rows in levels.group_rows(judged):
        own = levels.log_axis(train)[train.group == judged.group[rows[0]]][:, scale]
        assert (levels.log_axis(judged)[rows][:, scale].mean(axis=0) > own.mean(axis=0)).any()


def test_every_curve_of_the_benchmark_is_in_one_table() -> None:
    tables = [t for t in real.MORE if t.startswith(("vision_", "lang_"))]
    assert sum(len(real.MORE[t]().groups) for t in tables) == 92


def test_curves_keep_their_split() -> None:
    task = real.MORE["lang_lm"]()
    for g in range(len(task.groups)):
        x, test = task.X[task.group == g, 0], task.split[task.group == g] == "test"
        assert x[test].min() > x[~test].max()


def test_runs_are_never_divided_between_training_and_judged_ladders() -> None:
    task = real.MORE["ladder_runs"]()
    assert task.run is not None
    judged = task.split == "test"
    assert not np.intersect1d(task.run[judged], task.run[~judged]).size


def test_the_list_has_real_and_simulated_tables() -> None:
    assert set(TABLES) == set(REAL) | set(KNOWN)
    assert not set(REAL) & set(KNOWN)
    assert {"sim_chinchilla_n1", "sim_rate_batch_n0.3", "sim_u_shape_n1_s2"} <= set(KNOWN)
