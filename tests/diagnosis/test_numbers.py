"""The diagnosis's numbers against computation by hand."""

import math

import numpy as np
import pytest
from study_tables import CHINCHILLA, TRUE, chinchilla, given, grid, study, table

from sldagent.errors import FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.fitting.uncertainty import standard_errors
from sldagent.tasks.cuts import blind_cuts

POWER = 'def law(N, A, a):\n    return A*N**-a\n\nparameters = {"A": positive(), "a": interval(0, 2)}\n'


def test_a_law_predicts_from_its_recorded_parameters_without_a_fit():
    law = given(study(chinchilla()), CHINCHILLA, TRUE)
    assert law.residual == pytest.approx(np.zeros_like(law.residual), abs=1e-9)
    fitted = law.study.evaluator.evaluate(law.program)
    again = law.study.evaluator.fit(law.program).result
    for name, values in fitted.parameters.items():
        assert values == pytest.approx(again.parameters[name])


def test_groups_targets_and_shared_parameters_are_put_back_in_their_places():
    rng = np.random.default_rng(2)
    X = np.column_stack([np.repeat(np.logspace(2, 5, 10), 3)])
    Y = np.column_stack([2 + 30 * X[:, 0] ** -0.4 + 0.1 * (np.arange(30) % 3), 1 + 9 * X[:, 0] ** -0.4])
    task = table(X, Y + 0.01 * rng.normal(size=Y.shape), {"N": "scale"}, groups=3)
    text = 'def law(N, c, A, a):\n    return c[i] + A[i]*N**-a\n\nparameters = {"a": interval(0, 2, scope="shared")}\n'
    found = study(task)
    law = found.law(p := given_program(text, found), found.evaluator.evaluate(p))
    fitted = found.evaluator.fit(p)
    from sldagent.fitting.result import predict_point

    direct = predict_point(fitted.compiled, fitted.compiled.tapes, found.rows, fitted.result.blocks, fitted.result.point)
    assert law.model.predicted == pytest.approx(direct)


def given_program(text, found):
    from study_tables import program

    return program(text, found.task)


def test_missing_parameters_are_an_error():
    found = study(chinchilla())
    with pytest.raises(FitError, match="'E' has no fitted value"):
        found.law(given_program(CHINCHILLA, found), Evaluation())


def test_only_training_rows_are_studied():
    task = chinchilla()
    split = task.split.copy()
    split[:3] = "test"
    from dataclasses import replace

    with pytest.raises(ValueError, match="training rows only"):
        study(replace(task, split=np.where(np.arange(len(split)) < 3, "test", "train")))


def test_local_exponents_of_an_exact_power_law_are_its_exponent():
    N = np.repeat(np.logspace(3, 6, 10), 2)
    found = study(table(N[:, None], 5 * N**-0.31, {"N": "scale"}))
    law = given(found, POWER, {"A": 5.0, "a": 0.20})
    assert [e.span for e in law.exponents] == ["small", "middle", "large"]
    for e in law.exponents:
        assert e.data == pytest.approx(-0.31) and e.law == pytest.approx(-0.20)
        assert e.difference == pytest.approx(-0.11) and e.logarithmic and e.floor == 0.0


def test_local_exponents_look_above_the_laws_floor():
    N = np.repeat(np.logspace(3, 6, 10), 2)
    found = study(table(N[:, None], 1.5 + 5 * N**-0.31, {"N": "scale"}))
    text = POWER.replace("A, a):", "E, A, a):").replace("return", "return E +")
    law = given(found, text, {"E": 1.5, "A": 5.0, "a": 0.31})
    assert [e.data for e in law.exponents] == pytest.approx([-0.31] * 3, rel=1e-3)
    assert law.exponents[0].floor == pytest.approx(1.5, rel=1e-3)


def test_local_exponents_of_a_crossed_design_are_not_disturbed_by_the_other_variable():
    X = grid(np.logspace(3, 6, 6), np.logspace(2, 4, 5))
    found = study(table(X, 7 * X[:, 0] ** -0.3 * X[:, 1] ** -0.1, {"N": "scale", "D": "scale"}))
    law = given(found, POWER, {"A": 5.0, "a": 0.2})
    assert {e.symbol: round(e.data, 9) for e in law.exponents} == {"N": -0.3, "D": -0.1}


@pytest.mark.parametrize("alone", [True, False])
def test_the_drift_of_a_simulated_optimum_is_found(alone):
    N = np.logspace(6, 9, 5)
    if alone:
        X = grid(N, np.logspace(-4, -1, 6))
        y = 2 + 0.05 * (np.log(X[:, 1]) - (1.0 - 0.5 * np.log(X[:, 0]) + 1.5)) ** 2
        roles = {"N": "scale", "lr": "setting"}
        text = "def law(N, lr, m, k):\n    return 2 + 0.05*(log(lr) - m + k*log(N))**2\n"
        expected = {"lr": -0.5}
    else:
        X = grid(N, np.logspace(-4, -1, 5), 2.0 ** np.arange(4, 10))
        s, b, n = np.log(X[:, 1]), np.log(X[:, 2]), np.log(X[:, 0])
        y = 2 + 0.05 * (s - (2.5 - 0.5 * n)) ** 2 + 0.03 * (b - 0.25 * n) ** 2 + 0.02 * (s - 2.5 + 0.5 * n) * (b - 0.25 * n)
        roles = {"N": "scale", "lr": "setting", "bsz": "setting"}
        text = "def law(N, lr, bsz, m, k):\n    return 2 + 0.05*(log(lr) - m + k*log(N))**2 + 0.03*(log(bsz) - 5)**2\n"
        expected = {"lr": -0.5, "bsz": 0.25}
    found = study(table(X, y, roles))
    law = given(found, text, {"m": 3.0, "k": 0.5})
    assert {d.setting: round(dict(d.data)["N"], 6) for d in law.drifts} == expected
    lr = law.drifts[0]
    assert dict(lr.law)["N"] == pytest.approx(-0.5) and lr.offset == pytest.approx(0.5) and lr.scatter == pytest.approx(0.5)


def test_a_maximum_is_an_optimum_too_and_a_saddle_is_none():
    X = grid(np.logspace(6, 9, 5), np.logspace(-4, -1, 6))
    z = np.log(X[:, 1]) + 5.7 + 0.1 * np.log(X[:, 0] / 1e7)
    found = study(table(X, 3 - 0.05 * z**2, {"N": "scale", "lr": "setting"}))
    law = given(found, "def law(lr, m):\n    return 3 - 0.05*(log(lr) - m)**2\n", {"m": -5.7})
    assert dict(law.drifts[0].data)["N"] == pytest.approx(-0.1)
    flat = given(found, "def law(lr, m):\n    return 3 + m*log(lr)\n", {"m": 0.1})
    (none,) = flat.drifts
    assert dict(none.data)["N"] == pytest.approx(-0.1) and none.law == () and none.scatter == math.inf
    unused = given(found, "def law(N, m):\n    return 3 + m*N**-0.1\n", {"m": 0.1})
    assert unused.drifts[0].law == ()


def test_signed_bias_by_cut_is_that_of_a_refit_to_the_kept_rows():
    """A constant law: its refit is the kept rows' mean."""
    N = np.repeat(np.logspace(3, 6, 8), 3)
    found = study(table(N[:, None], 10 - np.log10(N), {"N": "scale"}))
    law = given(found, "def law(N, c):\n    return c + 0*N\n", {"c": 5.0})
    y, scale = found.task.Y[:, 0], found.evaluator.grounds.scale[0, 0]
    for bias, prepared in zip(law.cuts, found.evaluator.grounds.cuts, strict=True):
        by_hand = (y[prepared.cut.kept].mean() - y[prepared.cut.held].mean()) / scale
        assert bias.bias == pytest.approx(by_hand) and bias.bias > 0
        assert bias.error == pytest.approx(math.exp(-0.5)) and bias.inside == pytest.approx(math.exp(-1.0))


def test_signed_bias_is_never_larger_than_the_error_of_the_same_fit():
    found = study(chinchilla(scatter=0.02))
    evaluation = found.evaluator.evaluate(given_program(CHINCHILLA, found))
    law = found.law(given_program(CHINCHILLA, found), evaluation)
    assert law.cuts and all(abs(c.bias) <= 1.05 * c.error + 1e-3 for c in law.cuts)


def test_regimes_are_means_over_thirds():
    found = study(chinchilla(levels=6))
    law = given(found, CHINCHILLA, {**TRUE, "a": 0.30})
    N = found.rows.X[:, 0]
    levels = np.unique(N)
    large = next(r for r in law.regimes if r.where == (("N", "large"),))
    assert large.mean == pytest.approx(law.residual[0, levels[4] <= N].mean()) and large.rows == 12
    corner = next(r for r in law.regimes if r.where == (("N", "small"), ("D", "large")))
    mask = (levels[1] >= N) & (found.rows.X[:, 1] >= np.unique(found.rows.X[:, 1])[4])
    assert corner.mean == pytest.approx(law.residual[0, mask].mean())


def test_second_order_terms_find_the_missing_interaction():
    X = grid(np.logspace(3, 6, 6), np.logspace(2, 4, 5))
    n, d = np.log(X[:, 0]), np.log(X[:, 1])
    found = study(table(X, 20 - n - d + 0.3 * (n - n.mean()) * (d - d.mean()), {"N": "scale", "D": "scale"}))
    law = given(found, "def law(N, D, c):\n    return c - log(N) - log(D)\n", {"c": 20.0})
    first = law.terms[0]
    assert {first.first, first.second} == {"N", "D"} and first.correlation == pytest.approx(1.0)
    assert all(abs(t.correlation) < 1e-6 for t in law.terms[1:]) and len(law.terms) == 3


def test_shares_that_sum_to_one_do_not_break_the_terms():
    r = np.random.default_rng(3).dirichlet(np.ones(3), 40)
    task = table(
        r, 1 + r[:, :1] * r[:, 1:2], dict.fromkeys(("r1", "r2", "r3"), "proportion"), vectors={"r": ("r1", "r2", "r3")}
    )
    law = given(
        study(task), "def law(r, c, t):\n    return c + sum(t[j]*r[j] for j in r)\n", {"c": 1.0, "t": [0.1, 0.1, 0.1]}
    )
    assert law.terms[0].correlation == pytest.approx(1.0, abs=1e-6)
    assert law.exponents == () and law.limits == () and law.drifts == ()


def test_left_to_explain_and_noise_are_shares_of_the_variance():
    N = np.repeat(np.logspace(3, 6, 6), 4)
    rng = np.random.default_rng(5)
    y = 10 - np.log10(N) + 0.1 * rng.normal(size=len(N))
    found = study(table(N[:, None], y, {"N": "scale"}))
    assert found.replicates.sets == 6 and found.replicates.spare == 18
    means = np.array([y[np.arange(24) // 4 == k].mean() for k in range(6)])
    pooled = math.sqrt(((y - np.repeat(means, 4)) ** 2).sum() / 18)
    assert found.replicates.deviation[0] == pytest.approx(pooled)
    law = given(found, "def law(N, c):\n    return c + 0*N\n", {"c": float(y.mean())})
    (left,) = law.unexplained
    assert left.left == pytest.approx(1.0) and left.noise == pytest.approx(pooled**2 / y.var())


def test_parameter_cards_agree_with_the_standard_errors_and_see_what_is_not_determined():
    found = study(chinchilla(scatter=0.01))
    p = given_program(CHINCHILLA, found)
    law = found.law(p, found.evaluator.evaluate(p))
    errors = standard_errors(law.model.result, found.rows, p.recipe)
    cards = {c.name: c for c in law.parameters.cards}
    assert cards["E"].error == pytest.approx(float(errors["E"][0]) / cards["E"].middle)
    assert ("A", "a") in {(c.first, c.second) for c in law.parameters.correlations}
    twice = given(found, "def law(N, E, F, A):\n    return E + F + A*N**-0.3\n", {"E": 1.0, "F": 1.0, "A": 90.0})
    assert math.isinf({c.name: c for c in twice.parameters.cards}["E"].error)


def test_errors_of_many_groups_come_from_normal_matrices_and_are_alike():
    from sldagent.diagnosis import parameters

    rng = np.random.default_rng(6)
    x = np.repeat(np.logspace(2, 5, 30), 3)
    y = 2 + 30 * x**-0.4 + 0.02 * rng.normal(size=90)
    found = study(table(x[:, None], y, {"N": "scale"}, groups=3))
    p = given_program("def law(N, E, A):\n    return E + A*N**-0.4\n", found)
    law = found.law(p, found.evaluator.evaluate(p))
    matrices, _ = parameters.normal_matrices(law.model.result, found.rows, p.recipe)
    block = parameters._block_errors(law.model, found.rows, matrices)
    for card in law.parameters.cards:
        assert block[card.name] == pytest.approx(card.error, rel=0.3)


def test_limits_and_disagreement():
    found = study(chinchilla())
    law = given(found, CHINCHILLA, TRUE)
    everything = next(e for e in law.limits if e.direction == "all")
    assert everything.shape == "levels off" and everything.far == pytest.approx(1.7, rel=1e-3)
    X = found.task.X
    by_hand = 1.7 + 400 * (10 * X[:, 0].max()) ** -0.34 + 410 * (10 * X[:, 1].max()) ** -0.28
    assert everything.ten_times == pytest.approx(by_hand)
    falls = given(found, "def law(N, c):\n    return 30 - c*log(N)\n", {"c": 1.2})
    down = falls.limits[0]
    assert down.shape == "goes on falling" and down.leaves_range == 2.0  # 30 - 1.2 ln(1e11) < 0 < 30 - 1.2 ln(1e10)
    worst = found.disagreements([law, falls])[0]
    assert worst.relative == pytest.approx(abs(worst.values[0] - worst.values[1]) / np.median(worst.values))
    assert found.disagreements([law]) == ()


def test_design_words():
    crossed = study(chinchilla())
    assert [(p.kind, p.present, p.possible) for p in crossed.pairings] == [("crossed", 49, 49)]
    N = np.repeat(np.logspace(6, 8, 5), 4)
    nested = study(table(np.column_stack([N, 20 * N]), 1 + N**-0.1, {"N": "scale", "D": "scale"}))
    assert nested.pairings[0].kind == "nested" and nested.pairings[0].correlation == pytest.approx(1.0)
    assert crossed.columns[0].decades == pytest.approx(3.0) and len(crossed.columns[0].levels) == 7
    cut = crossed.cuts[0]
    assert cut.held[0][1] > cut.kept[0][2]  # N held out lies beyond N kept


def test_laws_are_remembered():
    found = Evaluator(chinchilla(), blind_cuts(chinchilla()))
    s = study(chinchilla())
    p = given_program(CHINCHILLA, s)
    e = found.evaluate(p)
    assert s.law(p, e) is s.law(p, e)
