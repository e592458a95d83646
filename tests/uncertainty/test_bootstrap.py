"""Bootstraps: against SciPy, against full refits, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from sldagent.errors import ConfigError, FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.engines import weighted
from sldagent.fitting.fit import fit_rows
from sldagent.fitting.refits import refit
from sldagent.fitting.result import Effort
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program, Recipe
from sldagent.uncertainty.bootstrap import Resampling, bootstrap_of
from sldagent.uncertainty.resampling import clusters, pair_weights
from tests.fitting.helpers import make_task

CHINCHILLA = parse_program("""
def law(N, D, E, A, B, a, b):
    return E + A * N**-a + B * D**-b
parameters = {"E": positive(), "A": positive(), "B": positive(), "a": interval(0, 2), "b": interval(0, 2)}
recipe = fit(loss="huber", space="log", delta=1e-3)
""")


def chinchilla_rows(n: int = 120, seed: int = 0):
    rng = np.random.default_rng(seed)
    N, D = np.exp(rng.uniform(np.log(1e7), np.log(1e10), (2, n)))
    y = (1.8 + 400 * N**-0.34 + 900 * D**-0.33) * np.exp(0.01 * rng.standard_t(3, n))
    return make_task({"N": N, "D": D}, y)


def line(n: int = 60, seed: int = 1, noise: float = 0.3):
    rng = np.random.default_rng(seed)
    x = np.exp(rng.uniform(0, 3, n))
    return make_task({"x": x}, 2.0 + 0.7 * x + noise * rng.normal(size=n))


LINEAR = Program(parse_formula("c + k*x", ("x",), ()))


def test_pairs_agree_with_scipy_on_a_line() -> None:
    task = line()

    def slope(x, y, axis=-1):
        xc, yc = x - x.mean(axis=axis, keepdims=True), y - y.mean(axis=axis, keepdims=True)
        return (xc * yc).sum(axis=axis) / (xc**2).sum(axis=axis)

    theirs = scipy_bootstrap(
        (task.X[:, 0], task.Y[:, 0]), slope, paired=True, vectorized=True, n_resamples=4000, confidence_level=0.9,
        method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    found = bootstrap_of(Evaluator(task, ()), LINEAR, Resampling(4000))
    ours = found.intervals(0.9)["k"]
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert found.count == 4000
    # the 5 % point of 4,000 draws has a standard error of about 1 % of the width
    assert ours.low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.06 * width)
    assert ours.high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.06 * width)


def test_signs_of_residuals_give_the_usual_standard_error_of_a_line() -> None:
    task = line(n=200)
    found = bootstrap_of(Evaluator(task, ()), LINEAR, Resampling(2000, resample="residuals"))
    x, y = task.X[:, 0], task.Y[:, 0]
    A = np.column_stack([np.ones_like(x), x])
    beta, rss, *_ = np.linalg.lstsq(A, y, rcond=None)
    se = np.sqrt(rss[0] / (len(x) - 2) * np.linalg.inv(A.T @ A).diagonal())
    for k, name in enumerate("ck"):
        assert found.draws[name].std() == pytest.approx(se[k], rel=0.2)
        assert found.draws[name].mean() == pytest.approx(beta[k], abs=0.1 * se[k])


@pytest.mark.parametrize("recipe", [CHINCHILLA.recipe, Recipe(), Recipe("squared", "log")])
def test_one_warm_start_reaches_what_many_starts_reach(recipe: Recipe) -> None:
    program, task = replace(CHINCHILLA, recipe=recipe), chinchilla_rows()
    evaluator = Evaluator(task, ())
    fitted, rows = evaluator.fit(program), evaluator.grounds.rows
    counts = np.random.default_rng(2).multinomial(rows.n, np.full(rows.n, 1 / rows.n), size=12).astype(float)
    warm = refit(fitted.compiled, rows, recipe, fitted.result.point, counts[:, None, :])
    for k, quick in enumerate(warm):
        drawn = weighted(rows, counts[k][None])
        full = fit_rows(fitted.compiled, drawn, recipe, np.random.default_rng(k), effort=Effort(16, 3, 250))
        assert quick.objective <= full.objective * (1 + 1e-4)


def test_cells_are_drawn_whole_and_within_their_groups() -> None:
    x = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0], 4)
    group = np.tile([0, 0, 1, 1], 5)
    setting = np.tile([1.0, 2.0], 10)
    task = make_task({"x": x, "s": setting}, x + group, group=group, roles={"s": "setting"})
    evaluator = Evaluator(task, ())
    fitted, rows = evaluator.fit(Program(parse_formula("c + k*x", ("x", "s"), ()))), evaluator.grounds.rows
    labels = clusters(task, rows, fitted.compiled, "cell")
    weights = pair_weights(labels, rows, 50, np.random.default_rng(0), "cell")
    for label in np.unique(labels):
        assert (np.ptp(weights[:, labels == label], axis=1) == 0).all()
    for g in range(2):
        assert (weights[:, rows.group == g].sum(axis=1) == 10).all()
    assert weights.std() > 0


def shared_task():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(6), 10)
    x = np.exp(rng.uniform(0, 3, 60))
    y = 1.0 + 0.5 * group + (1 + 0.3 * rng.normal(size=6))[group] * np.log(x) + 0.01 * rng.normal(size=60)
    return make_task({"x": x}, y, group=group)


def test_groups_need_a_shared_parameter() -> None:
    own = Program(parse_formula("c + k*log(x)", ("x",), ()))
    with pytest.raises(FitError, match="whole groups can be resampled only where"):
        bootstrap_of(Evaluator(shared_task(), ()), own, Resampling(10, cluster="group"))


def test_drawing_groups_widens_what_they_share() -> None:
    law = parse_formula("c + k*log(x)", ("x",), ())
    parameters = tuple(replace(p, scope="shared") if p.name == "k" else p for p in law.parameters)
    program = Program(replace(law, parameters=parameters))
    cells = bootstrap_of(Evaluator(shared_task(), ()), program, Resampling(300))
    groups = bootstrap_of(Evaluator(shared_task(), ()), program, Resampling(300, cluster="group"))
    assert groups.draws["k"].std() > 1.5 * cells.draws["k"].std()
    assert np.isnan(groups.draws["c"]).any(axis=0).all()
    assert not np.isnan(groups.draws["k"]).any()
    interval = groups.intervals()["c"]
    assert np.isfinite(interval.low).all() and (interval.low < interval.high).all()


def test_seeds_repeat_and_differ() -> None:
    evaluator = Evaluator(line(), ())
    one, same, other = (bootstrap_of(evaluator, LINEAR, Resampling(20, s)).draws["k"] for s in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ConfigError, match="says nothing"):
        bootstrap_of(Evaluator(line(), ()), LINEAR, Resampling(0))
    with pytest.raises(FitError, match="no column says which run"):
        bootstrap_of(Evaluator(line(), ()), LINEAR, Resampling(5, cluster="run"))
    with pytest.raises(ConfigError, match="not a share"):
        bootstrap_of(Evaluator(line(), ()), LINEAR, Resampling(5)).intervals(1.0)
    with pytest.raises(ConfigError, match="unknown kind of resample"):
        bootstrap_of(Evaluator(line(), ()), LINEAR, Resampling(5, resample="rows"))  # type: ignore[arg-type]
