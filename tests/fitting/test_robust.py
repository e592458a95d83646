"""Thorough fits of robust losses: exact linear models against SciPy, and basins that ordinary fits miss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from sldagent.fitting.fit import fit_rows
from sldagent.fitting.graph import Layout
from sldagent.fitting.objective import Objective
from sldagent.fitting.result import Effort
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Recipe


def rows_of(X, y):
    return Rows(X, y[None], np.zeros(len(y), np.int64), 1, np.ones((1, len(y))))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-2, 0.1, 1.0]))
def test_a_linear_problem_in_a_box_is_solved_as_by_scipy(seed, delta):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 2))
    y = 1.0 + X @ [0.8, -1.5] + 0.3 * rng.standard_t(2, 40)
    kinds = '{"a": real(), "b": interval(0, 0.7), "c": real()}'
    text = f"def law(x, z, a, b, c):\n    return a + b*x + c*z\nparameters = {kinds}"
    law = compile_law(parse_program(text).law, Layout({"x": 0, "z": 1}, {}, 1))
    found, _ = Objective(law, rows_of(X, y), Recipe("huber", "raw", delta), False).run_exact(
        np.zeros((1, 1, 3)), limit=100, tolerance=1e-12
    )
    names = [slot[0] for slot in law.slots]

    def loss(p):
        a, b, c = (p[names.index(n)] for n in "abc")
        size = np.abs(a + b * X[:, 0] + c * X[:, 1] - y)
        return np.sum(np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))) / delta

    box = [(0.0, 0.7) if n == "b" else (None, None) for n in names]
    oracle = min(minimize(loss, np.zeros(3), method=m, bounds=box, options=o).fun for m, o in METHODS) * delta
    assert found[0, 0] <= oracle * (1 + 1e-7)


METHODS = (
    ("L-BFGS-B", {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 5000}),
    ("Nelder-Mead", {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 5000, "maxfev": 5000}),
)


@pytest.fixture(scope="module")
def nearly_cancelling():
    """A law whose terms nearly cancel at its best fit, and rows with outliers."""
    text = """
def law(N, D, E, A, k, g, B, m, n, C, a):
    return E + A*exp(-k*log(D))*log(N)**g + B*exp(-m*log(N))*exp(-n*log(D)) + C*N**-a
parameters = {"E": real(), "A": real(), "k": interval(-2, 2), "g": interval(-6, 6), "B": real(),
              "m": interval(-2, 2), "n": interval(-2, 2), "C": real(), "a": interval(-2, 2)}
"""
    rng = np.random.default_rng(3)
    N, D = 10 ** rng.uniform(7, 10, 120), 10 ** rng.uniform(9, 12, 120)
    y = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.01 * rng.standard_t(2, 120))
    return compile_law(parse_program(text).law, Layout({"N": 0, "D": 1}, {}, 1)), rows_of(np.column_stack([N, D]), y)


def test_a_thorough_fit_finds_the_basin_that_an_ordinary_one_misses(nearly_cancelling):
    law, rows = nearly_cancelling

    def best(effort):
        recipe = Recipe("huber", "log", 1e-3)
        return min(fit_rows(law, rows, recipe, np.random.default_rng(s), effort=effort).objective for s in range(3))

    assert best(Effort(thorough=True)) < 0.99 * best(Effort(starts=32, keep=4, iterations=200))


def test_a_ridge_penalty_is_part_of_the_objective():
    x = np.geomspace(1, 100, 30)
    text = 'def law(x, E, A, a):\n    return E + A * x**-a\nparameters = {"E": real(), "A": real(), "a": interval(0, 2)}'
    law = compile_law(parse_program(text).law, Layout({"x": 0}, {}, 1))
    rows = rows_of(x[:, None], 2 + 20 * x**-0.5)
    recipe = Recipe("huber", "raw", 1e-2, ridge=(("A", 1.0),))
    objective = Objective(law, rows, recipe, False)
    local = np.array([[[2.0 if s[0] == "E" else 5.0 if s[0] == "A" else 0.5 for s in law.slots]]])
    exact, _ = objective.run_exact(local.copy(), limit=400, tolerance=1e-13)
    other = local.copy()
    for curvature in (1.0, 0.15, 1.0):
        reweighted, _ = objective.run(
            other, np.zeros((1, 1, 0)), inner=True, limit=2000, tolerance=1e-13, curvature=curvature
        )
    assert 0.999 * reweighted[0, 0] <= exact[0, 0] <= reweighted[0, 0] * (1 + 1e-6)
