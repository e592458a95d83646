"""Ridge penalties in standardised units: against scikit-learn, closed forms, and under changes of units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from sldagent.fitting.fit import fit_rows, normal_matrices
from sldagent.fitting.public import fit_program, predict
from sldagent.fitting.refits import refit
from sldagent.fitting.result import Effort
from sldagent.fitting.ridge import fixed_columns
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program, Recipe
from tests.fitting.helpers import make_task

QUADRATIC = (
    "def law(N, D, c, a, b, q):\n    return c + a*log(N) + b*log(D) + q*log(N)*log(D)\n"
    'parameters = {"c": real(), "a": real(), "b": real(), "q": real()}'
)


def table(seed: int = 0, n: int = 40):
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(1, 4, (2, n))
    return N, D, 2 + 0.3 * np.log(N) - 0.5 * np.log(D) + 0.02 * np.log(N) * np.log(D) + 0.2 * rng.normal(size=n)


def fitted(text: str, task, **recipe):
    program = replace(parse_program(text), recipe=Recipe(**recipe))
    return fit_program(program, task), program


@pytest.mark.parametrize("weight", [1e-2, 1.0, 30.0])
@pytest.mark.parametrize("space", ["raw", "relative"])
def test_all_coefficients_are_scikit_learns(weight, space):
    N, D, y = table()
    y = y + 8.0
    fit, _ = fitted(QUADRATIC, make_task({"N": N, "D": D}, y), space=space, ridge=tuple((k, weight) for k in "abq"))
    X = np.column_stack([np.log(N), np.log(D), np.log(N) * np.log(D)])
    rows = None if space == "raw" else 1 / y**2
    scaler = StandardScaler().fit(X, sample_weight=rows)
    alpha = weight * (1.0 if rows is None else rows.mean())
    oracle = Ridge(alpha=alpha, solver="svd").fit(scaler.transform(X), y, sample_weight=rows)
    found = [fit.parameters[k][0] for k in "abq"]
    np.testing.assert_allclose(found, oracle.coef_ / scaler.scale_, rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.floats(-6, 6), st.floats(-6, 6), st.floats(-3, 3), st.sampled_from(["raw", "relative", "log"]))
def test_units_of_variables_and_target_do_not_matter(u, v, w, space):
    """Columns of c + a*x + b*z + k*x*z in other units, and the target too: the same predictions in the new unit."""
    rng = np.random.default_rng(4)
    x, z = rng.uniform(1, 10, (2, 30))
    y = 50 + 0.4 * x - 0.2 * z + 0.03 * x * z + rng.normal(size=30)
    text = QUADRATIC.replace("log(N)", "N").replace("log(D)", "D")
    ridge = (("a", 2.0), ("b", 0.5), ("q", 7.0))

    def predictions(x, z, y):
        task = make_task({"N": x, "D": z}, y)
        fit, program = fitted(text, task, space=space, ridge=ridge)
        return predict(program.law, fit.parameters, task.X, task.group, layout_of(task))[:, 0]

    one, other = predictions(x, z, y), predictions(x * 10**u, z * 10**v, y * 10**w)
    np.testing.assert_allclose(other / 10**w, one, rtol=1e-7)


def test_an_intercept_is_not_pulled():
    N, D, y = table()
    task = make_task({"N": N, "D": D}, y)
    free, _ = fitted(QUADRATIC, task)
    named, _ = fitted(QUADRATIC, task, ridge=(("c", 1e6),))
    assert named.parameters["c"][0] == pytest.approx(free.parameters["c"][0], rel=1e-6)


def test_an_exponent_is_a_pure_number():
    """The penalty of alpha is weight * alpha**2 * variance(y), whatever the unit of N."""
    rng = np.random.default_rng(2)
    N = np.geomspace(10, 1e4, 30)
    y = 1.5 + 8 * N**-0.4 + 0.01 * rng.normal(size=30)
    text = 'def law(N, E, A, a):\n    return E + A*N**-a\nparameters = {"E": real(), "A": real(), "a": interval(0, 2)}'
    exponents = []
    for unit in (1.0, 1e6):
        fit, _ = fitted(text, make_task({"N": N * unit}, y), ridge=(("a", 0.01),))
        exponents.append(fit.parameters["a"][0])
    assert exponents[1] == pytest.approx(exponents[0], rel=1e-6)
    E, A, a = (fit.parameters[k][0] for k in ("E", "A", "a"))
    r, slope = E + A * (N * unit) ** -a - y, -A * (N * unit) ** -a * np.log(N * unit)
    assert np.sum(r * slope) + 0.01 * np.var(y) * a == pytest.approx(0.0, abs=1e-7)


def test_groups_are_standardised_about_their_own_means():
    """Groups far apart in x: the variance within groups counts for their own slopes, that over all rows for a shared one."""
    g = np.repeat([0, 1], 15)
    x = 1.0 + np.linspace(0, 1, 30) % 0.5 + 100.0 * g
    y = 1 + 2 * (x - 100 * g) + 0.1 * np.sin(7 * x)
    own = 'def law(x, a, b):\n    return a + b*x\nparameters = {"a": real(), "b": real()}'
    fit, program = fitted(own, make_task({"x": x}, y, g), ridge=(("b", 4.0),))
    variance = np.mean([np.var(x[g == k]) for k in (0, 1)])
    for k in (0, 1):
        c = x[g == k] - x[g == k].mean()
        assert fit.parameters["b"][k] == pytest.approx(c @ y[g == k] / (c @ c + 4.0 * variance), rel=1e-8)
    task = make_task({"x": x}, y, g)
    law = compile_law(replace(program.law, parameters=tuple(replace(p, scope="shared") for p in program.law.parameters)),
                      layout_of(task))  # fmt: skip
    rows, recipe = Rows.of_task(task), Recipe(ridge=(("b", 4.0),))
    shared = fit_rows(law, rows, recipe, np.random.default_rng(0))
    q = [name for name, _ in law.slots].index("b")
    assert normal_matrices(shared, rows, recipe)[1][:, q] == pytest.approx(4.0 * np.var(x), rel=1e-12)


def test_absolute_loss_with_a_penalty_is_its_own_optimum():
    """sum |r| + weight * s**2 * value**2 / (2 * typical): the penalty stays while the threshold shrinks."""
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 4, 41)
    y = 1 + 2 * x + rng.standard_t(2, 41)
    text = 'def law(x, a, b):\n    return a + b*x\nparameters = {"a": real(), "b": real()}'
    fit, _ = fitted(text, make_task({"x": x}, y), loss="absolute", ridge=(("b", 3.0),))
    typical = np.mean(np.abs(y - y.mean()))

    def loss(a, b):
        return np.abs(a + b * x - y).sum() + 3.0 * np.var(x) * b**2 / (2 * typical)

    a, b = fit.parameters["a"][0], fit.parameters["b"][0]
    assert b > 0.5
    for da, db in rng.normal(size=(200, 2)) * 10.0 ** rng.uniform(-4, 0, (200, 1)):
        assert loss(a, b) <= loss(a + da, b + db) + 1e-5


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("c + a*log(x) - b*x/2", {"a", "b", "c"}),
        ("c - (a - b*x)*2/x", {"a", "b", "c"}),
        ("c + a*x**-b", {"c"}),
        ("c + a/(1 + b*x)", {"c"}),
        ("c + a*x + b/a", {"c"}),
        ("c + a*b*x", {"c"}),
        ("exp(c + a*x) + b", {"b"}),
        ("c + a*x + a*x**2", {"a", "c"}),
        ("c + x/a", {"c"}),
    ],
)
def test_columns_without_parameters_are_found(text, fixed):
    """Every one is the difference of two predictions; the others are None."""
    task = make_task({"x": np.linspace(1, 3, 9)}, np.linspace(1, 2, 9))
    law = compile_law(parse_formula(text, ["x"]), layout_of(task))
    columns = fixed_columns(law.graphs[0], Rows.of_task(task))
    assert {law.slots[q][0] for q, column in columns.items() if column is not None} == fixed
    base = {name: np.array([0.7]) for name, _ in law.slots}
    for q, column in columns.items():
        if column is not None:
            name = law.slots[q][0]
            ends = [predict(law.law, base | {name: np.array([v])}, task.X, task.group, layout_of(task)) for v in (0.2, 1.2)]
            np.testing.assert_allclose(column, (ends[1] - ends[0])[:, 0], rtol=1e-9, atol=1e-12)


def test_a_program_with_a_penalty_reports_it_in_its_normal_matrices():
    N, D, y = table()
    task = make_task({"N": N, "D": D}, y)
    program = Program(parse_program(QUADRATIC).law, Recipe(ridge=(("q", 2.0),)))
    law, rows = compile_law(program.law, layout_of(task)), Rows.of_task(task)
    result = fit_rows(law, rows, program.recipe, np.random.default_rng(0))
    matrices, penalties = normal_matrices(result, rows, program.recipe)
    plain, _ = normal_matrices(result, rows, Recipe())
    np.testing.assert_allclose(matrices[0] - plain[0], np.diag(penalties[0]), atol=1e-8 * matrices.max())
    q = [name for name, _ in law.slots].index("q")
    assert penalties[0, q] == pytest.approx(2.0 * np.var(np.log(N) * np.log(D)), rel=1e-12)


@pytest.mark.parametrize("thorough", [False, True])
def test_absolute_loss_with_a_penalty_on_an_exponent_reaches_the_same_optimum(thorough):
    """The penalty follows the threshold in exact linear models too."""
    N = np.geomspace(10, 1e4, 40)
    y = 1.5 + 8 * N**-0.4 + 0.02 * np.random.default_rng(3).standard_t(2, 40)
    task = make_task({"N": N}, y)
    text = 'def law(N, E, A, a):\n    return E + A*N**-a\nparameters = {"E": real(), "A": real(), "a": interval(0, 2)}'
    recipe = Recipe("absolute", "raw", ridge=(("a", 0.1),))
    law, rows = compile_law(parse_program(text).law, layout_of(task)), Rows.of_task(task)
    fit = fit_rows(law, rows, recipe, np.random.default_rng(0), effort=Effort(thorough=thorough))
    typical = np.mean(np.abs(y - y.mean()))
    E, A, a = (float(fit.parameters[k][0]) for k in ("E", "A", "a"))

    def loss(p):
        residual = np.abs(p[0] + p[1] * N ** -p[2] - y)
        return residual.sum() + 0.5 * 0.1 * np.var(y) * p[2] ** 2 / typical

    oracle = minimize(loss, [E, A, a], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000}).fun
    assert loss([E, A, a]) <= oracle * (1 + 1e-5)
    assert 0.2 < a < 0.6


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_a_refit_to_resampled_rows_is_the_fit_of_the_repeated_rows(loss):
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 4, 14)
    y = 1 + 2 * x + rng.normal(size=14)
    count = rng.multinomial(14, np.full(14, 1 / 14))
    text = 'def law(x, c, a):\n    return c + a*x\nparameters = {"c": real(), "a": real()}'
    recipe = Recipe(loss, "raw", ridge=(("a", 5.0),))
    task = make_task({"x": x}, y)
    law, rows = compile_law(parse_program(text).law, layout_of(task)), Rows.of_task(task)
    whole = fit_rows(law, rows, recipe, np.random.default_rng(0))
    found = refit(law, rows, recipe, whole.point, [count[None].astype(float)])[0]
    again = make_task({"x": np.repeat(x, count)}, np.repeat(y, count))
    repeated = fit_rows(law, Rows.of_task(again), recipe, np.random.default_rng(0))
    assert found.parameters["a"][0] == pytest.approx(repeated.parameters["a"][0], rel=1e-5)


def test_a_penalty_counts_alike_whether_the_engine_fits_a_logarithm_or_not():
    """The penalties of `normal_matrices` are what they add to the matrices, in the engine's space."""
    N = np.geomspace(10, 1e5, 60)
    task = make_task({"N": N}, 1.5 + 3 * N**-0.05)
    rows = Rows.of_task(task)
    for kind in ("positive()", "interval(0, 2)"):
        text = f'def law(N, E, A, a):\n    return E + A*N**-a\nparameters = {{"E": real(), "A": real(), "a": {kind}}}'
        law = compile_law(parse_program(text).law, layout_of(task))
        free, recipe = Recipe(), Recipe(ridge=(("a", 10.0),))
        fit = fit_rows(law, rows, recipe, np.random.default_rng(0))
        with_penalty, penalties = normal_matrices(fit, rows, recipe)
        without, _ = normal_matrices(fit, rows, free)
        added = np.diagonal(with_penalty - without, axis1=1, axis2=2)
        np.testing.assert_allclose(added, penalties, rtol=1e-6, atol=1e-9 * np.abs(with_penalty).max())
        assert penalties.max() > 0.0
