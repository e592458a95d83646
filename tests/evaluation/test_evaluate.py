"""Judging laws on synthetic tables with known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.grounds import prepare
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program
from sldagent.tasks.cuts import blind_cuts
from sldagent.tasks.task import Cut, Target
from tests.fitting.helpers import make_task

TRUTH = """
def law(N, D, E, A, B, a, b):
    return E + A * N**-a + B * D**-b
parameters = {"E": positive(), "A": positive(), "B": positive(), "a": interval(0, 2), "b": interval(0, 2)}
"""


def grid_task(noise=0.003, seed=0):
    rng = np.random.default_rng(seed)
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e6, 1e9, 7), np.geomspace(1e8, 1e11, 7)))
    y = 1.7 + 200 * N**-0.35 + 900 * D**-0.4
    y = y * np.exp(noise * rng.normal(size=y.size))
    return make_task({"N": N, "D": D}, y, targets=(Target("loss", (0.0, math.inf)),))


@pytest.fixture(scope="module")
def judge():
    task = grid_task()
    return Evaluator(task, blind_cuts(task))


def formula(text):
    return Program(parse_formula(text, ["N", "D"]))


def test_the_truth_extrapolates_better_than_smooth_interpolation(judge):
    truth = judge.evaluate(parse_program(TRUTH))
    polynomial = judge.evaluate(formula("a + b*log(N) + c*log(D) + d*log(N)**2 + f*log(D)**2 + g*log(N)*log(D)"))
    assert truth.valid and truth.failure is None
    assert truth.x < polynomial.x - 0.5
    assert truth.mdl < polynomial.mdl
    assert truth.parameters["E"][0] == pytest.approx(1.7, abs=0.1)


def test_evaluation_is_deterministic(judge):
    a, b = judge.evaluate(parse_program(TRUTH)), judge.evaluate(parse_program(TRUTH))
    assert a.x == b.x and a.mdl == b.mdl and a.fingerprint == b.fingerprint
    np.testing.assert_array_equal(a.x_boot, b.x_boot)


def test_equal_predictions_have_equal_fingerprints(judge):
    one = judge.evaluate(formula("a + b*log(N)"))
    same = judge.evaluate(formula("a + b*log(N)/7"))
    other = judge.evaluate(formula("a + b*log(D)"))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_leaving_the_targets_range_within_a_decade_is_invalid(judge):
    falling = judge.evaluate(formula("a + b*N + c*log(D)"))
    assert not falling.valid
    assert "loss" in falling.invalid_reason


def test_x_is_the_mean_log_error_of_the_held_out_rows():
    x = np.arange(1.0, 21.0)
    y = np.where(x > 15, 2.0, 1.0) + 0.1 * (-1.0) ** x
    task = make_task({"N": x}, y)
    cut = Cut("top", "N", kept=x <= 15, held=x > 15, reach=20 / 15)
    got = Evaluator(task, [cut]).evaluate(Program(parse_formula("a", ["N"])))
    kept_mean = y[x <= 15].mean()
    expected = math.log(np.mean(((kept_mean - y[x > 15]) / y.std()) ** 2))
    assert got.x == pytest.approx(expected, rel=1e-9)


def test_x_averages_within_a_variable_first_and_the_joint_direction_weighs_half():
    task = grid_task()
    got = Evaluator(task, blind_cuts(task)).evaluate(parse_program(TRUTH))
    mean = {v: np.mean([s.log_mse for s in got.cuts if s.variable == v]) for v in ("N", "D", "joint")}
    assert got.x == pytest.approx((mean["joint"] + (mean["N"] + mean["D"]) / 2) / 2)
    cuts = [c for c in blind_cuts(task) if c.variable in ("N", "D")]
    alone = Evaluator(task, cuts).evaluate(parse_program(TRUTH))
    assert alone.x == pytest.approx((mean["N"] + mean["D"]) / 2)


def test_description_length_charges_tree_and_scalars():
    task = grid_task()
    judge = Evaluator(task, blind_cuts(task))
    plain, padded = judge.evaluate(formula("a + b*log(N)")), judge.evaluate(formula("a + b*log(N) + c*1e-30*log(D)"))
    tree = (padded.tree - plain.tree) * math.log(12)
    assert padded.mdl > plain.mdl + 0.5 * tree - 25  # a further term may explain rows, but pays for itself
    n_eff = 49
    residual = task.Y[:, 0]
    fit = np.polyfit(np.log(task.X[:, 0]), residual, 1)
    mse = np.mean((np.polyval(fit, np.log(task.X[:, 0])) - residual) ** 2) / residual.var()
    expected = 0.5 * n_eff * math.log(mse) + 0.5 * 2 * math.log(n_eff) + plain.tree * math.log(12)
    assert plain.mdl == pytest.approx(expected, rel=1e-6)


def test_rows_of_one_cell_count_once():
    task = grid_task()
    doubled = make_task(
        {"N": np.repeat(task.X[:, 0], 5), "D": np.repeat(task.X[:, 1], 5), "lr": np.tile([1, 2, 3, 4, 5.0], 49)},
        np.repeat(task.Y[:, 0], 5),
        roles={"lr": "setting"},
    )
    assert prepare(doubled, blind_cuts(doubled)).effective_rows.sum() == 49


def test_small_groups_are_pooled_and_large_ones_judged_apart():
    x = np.tile(np.arange(1.0, 13.0), 3)
    g = np.repeat([0, 1, 2], 12)
    held = (x > 9) | ((g == 0) & (x > 6))
    grounds = prepare(make_task({"N": x}, x + g, g), [Cut("c", "N", ~held, held, 1.0)])
    assert sorted(len(u.rows) for u in grounds.cuts[0].units) == [6, 6]


def test_too_few_kept_rows_give_the_worst_score(judge):
    x = np.arange(1.0, 9.0)
    task = make_task({"N": x}, x**0.5)
    cut = Cut("c", "N", x <= 3, x > 3, 2.0)
    got = Evaluator(task, [cut]).evaluate(Program(parse_formula("a + b*N + c*log(N)", ["N"])))
    assert got.x == math.inf and not got.valid


def test_group_offsets_do_not_flatter_a_law():
    x = np.tile(np.geomspace(1, 1e3, 15), 2)
    g = np.repeat([0, 1], 15)
    small = make_task({"N": x}, x**-0.3, g)
    offset = make_task({"N": x}, x**-0.3 + 1000.0 * g, g)
    a = Evaluator(small, blind_cuts(small)).evaluate(Program(parse_formula("a + b*log(N)", ["N"])))
    b = Evaluator(offset, blind_cuts(offset)).evaluate(Program(parse_formula("a + b*log(N)", ["N"])))
    assert a.x == pytest.approx(b.x, rel=1e-3)


def test_failures_are_values(judge):
    assert judge.evaluate(formula("a + log(N - 1e7)")).failure.reason == "non-finite"
    assert judge.evaluate(Program(parse_formula("a + b*Q", ["Q"]))).failure.reason == "limits"


def test_declared_monotonicity_and_limit():
    x = np.geomspace(1, 100, 30)
    bowl = 1 + (np.log(x) - 2.3) ** 2
    free = make_task({"N": x}, bowl)
    bound = make_task({"N": x}, bowl, targets=(Target("y", monotone={"N": "decreasing"}),))
    program = Program(parse_formula("a + b*(log(N) - c)**2", ["N"]))
    assert Evaluator(free, blind_cuts(free)).evaluate(program).valid
    judged = Evaluator(bound, blind_cuts(bound)).evaluate(program)
    assert not judged.valid and "decreasing" in judged.invalid_reason
    capped = make_task({"N": x}, bowl, targets=(Target("y", limit=(0.0, 20.0)),))
    assert "limit" in Evaluator(capped, blind_cuts(capped)).evaluate(program).invalid_reason


def test_probe_points_keep_an_order_that_binds_in_the_data():
    U = np.tile([1e8, 1e9, 1e10], 4)
    D = U * np.repeat([1.0, 2.0, 4.0, 8.0], 3)
    probe = prepare(make_task({"U": U, "D": D}, D**-0.3), []).probe
    assert (probe.X[:, 0] <= probe.X[:, 1]).all()
    assert probe.X[:, 1].max() == pytest.approx(D.max() * 10)


def test_levels_not_exact_values_are_cells():
    task = grid_task()
    shaken = task.X * np.exp(0.001 * np.random.default_rng(0).normal(size=task.X.shape))
    jittered = make_task({"N": shaken[:, 0], "D": shaken[:, 1]}, task.Y[:, 0])
    assert prepare(jittered, []).effective_rows.sum() == prepare(task, []).effective_rows.sum() == 49


def test_resamples_are_common_to_all_cuts():
    grounds = prepare(grid_task(), blind_cuts(grid_task()))
    largest = max((c for c in grounds.cuts if c.cut.variable == "joint"), key=lambda c: c.held.n)
    small = min((c for c in grounds.cuts if c.cut.variable == "joint"), key=lambda c: c.held.n)
    inside = [np.nonzero((x == largest.held.X).all(axis=1))[0][0] for x in small.held.X]
    ours = small.units[0].resample[:, small.units[0].cell]
    theirs = largest.units[0].resample[:, largest.units[0].cell[inside]]
    assert (ours == theirs).all(axis=1).mean() > 0.9  # all but resamples that miss every cell of a cut


def test_undetermined_shared_parameters_are_reported():
    x = np.tile(np.geomspace(1, 1e3, 12), 2)
    g = np.repeat([0, 1], 12)
    task = make_task({"N": x}, x**-0.3 + g, g)
    judge = Evaluator(task, blind_cuts(task))
    shared = parse_program(
        "def law(N, c, a, b):\n    return c + exp(-a * log(N) - b * log(N))\n"
        'parameters = {"c": real(), "a": interval(0, 1, scope="shared"), "b": interval(0, 1, scope="shared")}'
    )
    assert judge.evaluate(shared).rank_deficient == 1


def test_floor_of_pooled_groups_follows_each_groups_scale():
    x = np.tile(np.arange(1.0, 9.0), 2)
    g = np.repeat([0, 1], 8)
    y = np.where(g == 0, np.round(np.sqrt(x), 1), np.round(100 * np.sqrt(x), 1))
    task = make_task({"N": x}, y, g)
    held = x > 6
    got = Evaluator(task, [Cut("c", "N", ~held, held, 8 / 6)]).evaluate(Program(parse_formula("a*sqrt(N) + b", ["N"])))
    scales = [y[g == k].std() for k in (0, 1)]
    floor = 0.01 / 12 * np.mean([1 / scales[0] ** 2, 1 / scales[1] ** 2])
    assert got.cuts[0].log_mse >= math.log(floor) - 1e-9
