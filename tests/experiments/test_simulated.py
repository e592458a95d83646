"""Simulated tables: the truth is a law of the language, made the judged rows, and is judged beyond the training scale."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.selection.recovered import form, judged_error
from experiments.selection.simulated import SIMULATED, simulated, table_name
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.session import prepare
from sldagent.tasks import levels

NAMES = sorted(SIMULATED)


@pytest.mark.parametrize("name", NAMES)
def test_judged_rows_are_the_truth(name: str) -> None:
    for noise in (0.0, 0.03):
        sim = SIMULATED[name](noise, 1)
        test = sim.task.part("test")
        predicted = predict(parse_program(sim.truth).law, sim.parameters, test.X, test.group, layout_of(test))
        np.testing.assert_allclose(predicted, test.Y, rtol=1e-12)
        assert len(test.Y) >= 5
        assert (np.var(test.Y, axis=0) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_noise_has_the_size_asked_for_and_leaves_targets_in_range(name: str) -> None:
    clean, noisy = SIMULATED[name](0.0, 0).task.part("train"), SIMULATED[name](0.03, 0).task.part("train")
    assert np.array_equal(clean.X, noisy.X)
    spread = np.concatenate([clean.Y[rows] - clean.Y[rows].mean(axis=0) for rows in levels.group_rows(clean)]).std()
    assert 0.3 < np.std(noisy.Y - clean.Y) / (0.03 * spread) < 3.0
    for t, target in enumerate(noisy.targets):
        assert (noisy.Y[:, t] >= target.range[0]).all()
        assert (noisy.Y[:, t] <= target.range[1]).all()


@pytest.mark.parametrize("name", NAMES)
def test_judged_rows_lie_beyond_the_training_scale(name: str) -> None:
    task = SIMULATED[name](0.01, 0).task
    train, test = task.part("train"), task.part("test")
    scale = [k for k, v in enumerate(task.variables) if v.role == "scale"]
    if not scale:
        centre = task.X.mean(axis=0)
        assert np.linalg.norm(test.X - centre, axis=1).min() > np.linalg.norm(train.X - centre, axis=1).max()
        return
    for rows in levels.group_rows(test):
        own = levels.log_axis(train)[train.group == test.group[rows[0]]][:, scale]
        beyond = levels.log_axis(test)[rows][:, scale]
        total = (beyond / own.std(axis=0)).sum(axis=1) > (own / own.std(axis=0)).sum(axis=1).max()
        assert ((beyond > own.max(axis=0) + 1e-9).any(axis=1) | total).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_fits_its_own_table(name: str) -> None:
    sim = SIMULATED[name](0.0, 0)
    grounds = prepare(sim.task)
    evaluation = Evaluator(grounds.train, grounds.cuts).evaluate(sim.program)
    assert evaluation.failure is None
    assert evaluation.valid, evaluation.invalid_reason
    assert evaluation.train_r2 > 1 - 1e-8
    assert evaluation.x < -20
    test = sim.task.part("test")
    predicted = predict(sim.program.law, evaluation.parameters, test.X, test.group, layout_of(test))
    assert np.abs(predicted - test.Y).max() < 1e-3 * np.std(test.Y)


def test_a_seed_gives_the_same_table_again_and_another_seed_another() -> None:
    first, again, other = (SIMULATED["chinchilla"](0.01, s) for s in (0, 0, 1))
    assert np.array_equal(first.task.Y, again.task.Y)
    assert not np.array_equal(first.task.Y, other.task.Y)
    assert first.parameters["E"] != other.parameters["E"]


def test_percent_and_names() -> None:
    assert np.array_equal(simulated("moe", 3.0, 0).task.Y, SIMULATED["moe"](0.03, 0).task.Y)
    assert table_name("moe", 0.3, 0) == "sim_moe_n0.3"
    assert table_name("moe", 1.0, 2) == "sim_moe_n1_s2"


def test_noise_of_runs_is_correlated() -> None:
    clean, noisy = SIMULATED["checkpoints"](0.0, 0).task.part("train"), SIMULATED["checkpoints"](0.01, 0).task.part("train")
    residual = (noisy.Y - clean.Y)[:, 0]
    assert noisy.run is not None
    same = noisy.run[1:] == noisy.run[:-1]
    assert np.corrcoef(residual[1:][same], residual[:-1][same])[0, 1] > 0.7


def test_form_ignores_names_and_bounds_but_not_structure() -> None:
    truth = SIMULATED["chinchilla"](0.0, 0).program.law
    assert form(truth) == form(parse_formula("e0 + b*D**q + a/N**p", ("N", "D")))
    assert form(truth) != form(parse_formula("e0 + b*D**q + a/N**p + c/N", ("N", "D")))


def test_judged_error_of_the_true_constants_is_rounding() -> None:
    from types import SimpleNamespace

    sim = SIMULATED["kaplan"](0.03, 0)
    record = SimpleNamespace(source=sim.truth, evaluation=SimpleNamespace(parameters=sim.parameters))
    assert judged_error(sim, record) < np.log(1e-20)
