"""Batches: weights, padding, chunks, compilation, and fits that fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sldagent.errors import FitError
from sldagent.fitting.accelerator.classes import SizeClass, joint_classes, size_class
from sldagent.fitting.engines import fit_many
from sldagent.fitting.result import Effort
from sldagent.fitting.rows import Rows
from sldagent.laws.program import Recipe
from tests.fitting.accelerator.builders import POWER, WIDTH, assert_same, job, on_device, power_table
from tests.fitting.helpers import make_task


def cut_weights(task, kept):
    return np.stack([np.where(k, 1.0, 0.0)[None] for k in kept])


def test_weights_of_zero_are_cuts():
    task = power_table(n=16, seed=1)
    x = task.X[:, 0]
    kept = [x < np.quantile(x, q) for q in (0.6, 0.8)]
    found = on_device(job(POWER, task, weights=cut_weights(task, kept)))[0]
    for mask, jax in zip(kept, found, strict=True):
        cpu = fit_many([job(POWER, make_task({"x": x[mask]}, task.Y[mask]))], "cpu")[0][0]
        assert_same(cpu, jax)


@pytest.mark.parametrize("space", ["relative", "log"])
def test_rows_of_weight_zero_may_be_undefined(space):
    task = power_table(n=16, seed=2)
    Y = task.Y.copy()
    Y[3:5] = [[1e300], [-5.0]]
    broken = replace(task, Y=Y)
    mask = np.ones(16, bool)
    mask[3:5] = False
    recipe = Recipe("huber", space, 1e-2)
    found = on_device(job(POWER, broken, recipe, weights=cut_weights(task, [mask])))[0][0]
    cpu = fit_many([job(POWER, make_task({"x": task.X[mask, 0]}, Y[mask]), recipe)], "cpu")[0][0]
    assert_same(cpu, found)


def test_weights_that_are_counts_are_a_bootstrap():
    task = power_table(n=14, seed=3)
    counts = np.random.default_rng(0).multinomial(14, np.full(14, 1 / 14), size=5)
    weights = counts[:, None].astype(float)
    jax = on_device(job(POWER, task, weights=weights))[0]
    cpu = fit_many([job(POWER, task, weights=weights)], "cpu")[0]
    repeated = [fit_many([job(POWER, make_task({"x": task.X[r, 0]}, task.Y[r]))], "cpu")[0][0] for r in drawn(counts)]
    for a, b, c in zip(cpu, jax, repeated, strict=True):
        assert_same(a, b, 1e-7)
        assert_same(c, b, 1e-7)


def drawn(counts):
    return [np.repeat(np.arange(c.size), c) for c in counts]


def test_a_group_that_a_weight_set_leaves_out_has_no_parameters():
    task = power_table(groups=3, n=14, seed=4)
    found = on_device(job(POWER, task, weights=cut_weights(task, [task.group != 1])))[0][0]
    assert found.ok
    assert np.isnan(found.parameters["a"]).tolist() == [False, True, False]


def test_ragged_groups():
    task = power_table(groups=3, n=14, seed=5)
    mask = np.ones(len(task.X), bool)
    mask[[0, 1, 2, 3, 20]] = False
    ragged = make_task({"x": task.X[mask, 0]}, task.Y[mask], task.group[mask])
    cpu = fit_many([job(POWER, ragged)], "cpu")[0][0]
    assert_same(cpu, on_device(job(POWER, ragged))[0][0])


def test_results_do_not_depend_on_the_number_of_lanes():
    task = power_table(groups=5, seed=6)
    assert_same(on_device(job(POWER, task))[0][0], on_device(job(POWER, task), width=5)[0][0], 1e-10)


def test_results_do_not_depend_on_the_company():
    task = power_table(groups=5, seed=6)
    others = [job("c*x**b", power_table(seed=k), effort=QUICK) for k in (1, 2)]
    among = on_device(others[0], job(POWER, task), others[1])[1][0]
    assert_same(on_device(job(POWER, task))[0][0], among, 1e-10)


def test_results_do_not_depend_on_chunking():
    from sldagent.fitting.accelerator.devices import Device
    from sldagent.fitting.accelerator.strategy import fit_jobs

    task = power_table(groups=6, seed=7)
    whole = on_device(job(POWER, task))[0][0]
    small = Device("cpu", "small", bytes=4 * 2 * 8 * 16 * 8, elements=1)
    assert_same(whole, fit_jobs([job(POWER, task)], width=WIDTH, on=small)[0][0], 1e-12)


def test_results_do_not_depend_on_the_size_class():
    task = power_table(groups=2, seed=8)
    small = on_device(job(POWER, task))[0][0]
    larger = "E + A*x**-a + 0*(tanh(b*x) + sigmoid(c) + softplus(d*x) + exp(e*x/1e9))"
    assert_same(small, on_device(job(POWER, task), job(larger, task, effort=QUICK))[0][0], 1e-8)


QUICK = Effort(starts=2, keep=1, iterations=4, polish=2)


def test_a_second_formula_of_the_class_compiles_nothing():
    from sldagent.fitting.accelerator.lanes import traces

    on_device(job(POWER, power_table(seed=1), effort=QUICK))
    before = dict(traces)
    on_device(job("c + k*tanh(b*log(x))", power_table(seed=2, n=15), Recipe("huber", "log"), effort=QUICK))
    on_device(job("c*x**b", power_table(seed=3, n=11, groups=4), effort=QUICK))
    assert dict(traces) == before


def test_classes_hold_what_is_put_into_them_and_join():
    sizes = {"targets": 1, "blocks": 1, "rows": 33, "operations": 9, "features": 5, "local": 3, "shared": 0}
    one = size_class(**sizes)
    assert one == SizeClass(targets=1, blocks=1, rows=48, operations=12, features=8, local=4, shared=0)
    other = size_class(**sizes | {"operations": 13, "features": 2})
    far = size_class(**sizes | {"rows": 2000})
    joined = joint_classes([one, other, far])
    assert joined[0] == joined[1] and joined[0].operations == 16 and joined[0].features == 8
    assert joined[2] == far and far.rows == 2048


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_fewer_rows_than_parameters_end(loss):
    task = make_task({"x": [10.0, 100.0]}, [3.0, 2.0])
    found = on_device(job(POWER, task, Recipe(loss)))[0][0]
    assert found.ok and found.objective < 1e-12


def test_a_constant_target_is_fitted():
    task = make_task({"x": np.geomspace(1, 100, 12)}, np.full(12, 2.5))
    found = on_device(job(POWER, task))[0][0]
    assert found.ok and found.objective < 1e-18


def test_a_perfect_fit_ends_with_the_truth():
    x = np.geomspace(1, 1000, 14)
    found = on_device(job(POWER, make_task({"x": x}, 1.5 + 7 * x**-0.4), Recipe("huber", "log")))[0][0]
    assert found.ok and found.objective < 1e-20
    assert found.parameters["a"][0] == pytest.approx(0.4, rel=1e-7)


def test_a_huge_range_is_fitted():
    x = np.geomspace(1e2, 1e13, 16)
    found = on_device(job(POWER, make_task({"x": x}, 2 + 1e6 * x**-0.9), Recipe(space="log")))[0][0]
    assert found.parameters["a"][0] == pytest.approx(0.9, rel=1e-6)


def test_a_target_that_is_not_a_number_fails_with_a_sentence_and_spares_the_others():
    task = power_table(groups=1, seed=1)
    Y = task.Y.copy()
    Y[4] = np.nan
    bad, good = on_device(job(POWER, replace(task, Y=Y), effort=QUICK), job(POWER, task))
    assert not bad[0].ok and "not a finite number on 1 rows, first on row 4" in bad[0].failure
    assert good[0].ok


def test_all_starts_may_fail():
    task = power_table(seed=1)
    found = on_device(job("log(-exp(a)) + b*x", task, effort=QUICK))[0][0]
    assert not found.ok and "no start" in found.failure
    assert found.objective == np.inf


def test_a_column_that_is_not_finite_fails_with_a_sentence():
    task = power_table(seed=1)
    assert "part of the law" in on_device(job("a + b*log(x - 1e3)", task))[0][0].failure


def test_logarithms_of_negative_targets_are_refused():
    task = make_task({"x": [1.0, 2.0, 3.0, 4.0]}, [1.0, -2.0, 3.0, 4.0])
    with pytest.raises(FitError, match="positive targets"):
        on_device(job("a + b*x", task, Recipe(space="log")))


def test_rows_may_be_weighted_by_their_noise():
    task = power_table(seed=9)
    recipe = Recipe()
    weight = np.linspace(0.5, 2.0, 14)[None]
    made = [job(POWER, task, recipe) for _ in range(2)]
    noisy = [replace(j, rows=Rows(j.rows.X, j.rows.Y, j.rows.group, 1, weight, j.rows.size)) for j in made]
    assert_same(fit_many(noisy[:1], "cpu")[0][0], on_device(noisy[1])[0][0])
