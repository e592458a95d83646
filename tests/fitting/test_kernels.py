"""The compiled interpreter against the numpy reference and against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from sldagent.fitting import kernels
from sldagent.fitting.objective import Objective
from sldagent.fitting.public import predict
from sldagent.fitting.result import Point, make_blocks, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, par, power, var
from sldagent.laws.program import Law, Parameter, Recipe
from tests.fitting.helpers import make_task

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@njit
def exp_of(x, out, buffer):
    kernels.vexp(x, out, len(x), buffer, buffer.view(np.int64))


@njit
def log_of(x, out, buffer):
    kernels.vlog(x, out, len(x), buffer, buffer.view(np.int64))


def run_vector(function, x):
    out, buffer = np.empty(len(x)), np.empty(len(x))
    function(np.asarray(x, float), out, buffer)
    return out


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=40))
def test_exp_matches_numpy(x):
    np.testing.assert_allclose(run_vector(exp_of, x), np.exp(x), rtol=4e-16)


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=40))
def test_log_matches_numpy(x):
    np.testing.assert_allclose(run_vector(log_of, x), np.log(x), rtol=4e-16, atol=4e-16)


def test_exp_saturates_and_log_of_non_positive_is_nan():
    assert np.isfinite(run_vector(exp_of, [1e9, -1e9])).all()
    assert np.isnan(run_vector(log_of, [0.0, -1.0, math.nan])).all()
    assert np.isnan(run_vector(exp_of, [math.nan])).all()


def expressions() -> st.SearchStrategy[Expr]:
    leaf = st.one_of(
        st.sampled_from([var("x"), var("z"), par("a"), par("b"), par("c")]),
        st.sampled_from([0.5, 1.0, 2.0, 3.0, -1.0]).map(num),
    )

    def grow(children):
        pair = st.tuples(children, children)
        return st.one_of(
            pair.map(lambda t: add(*t)),
            pair.map(lambda t: mul(*t)),
            pair.map(lambda t: div(*t)),
            pair.map(lambda t: power(call("softplus", t[0]), t[1])),
            pair.map(lambda t: call("logaddexp", *t)),
            pair.map(lambda t: call("smoothmax", *t, num(2.0))),
            pair.map(lambda t: call("smoothmin", *t, num(0.5))),
            children.map(neg),
            children.map(lambda e: call("tanh", e)),
            children.map(lambda e: call("sigmoid", e)),
            children.map(lambda e: call("softplus", e)),
            children.map(lambda e: call("exp", call("tanh", e))),
            children.map(lambda e: call("log", call("softplus", e))),
            children.map(lambda e: call("sqrt", call("softplus", e))),
        )

    return st.recursive(leaf, grow, max_leaves=12)


ROWS = 150
_rng = np.random.default_rng(3)
TASK = make_task({"x": _rng.uniform(0.5, 3, ROWS), "z": _rng.uniform(1, 20, ROWS)}, _rng.normal(size=ROWS))
PARAMETERS = tuple(Parameter(k) for k in "abc")


def compiled(e: Expr):
    used = [p for p in PARAMETERS if any(p.name == n.name for n in _leaves(e))]
    return compile_law(Law(("x", "z"), e, tuple(used)), layout_of(TASK))


def _leaves(e: Expr):
    return [e] if not e.args else [leaf for a in e.args for leaf in _leaves(a)]


@settings(max_examples=150)
@given(expressions(), st.tuples(*[st.floats(-2, 2)] * 3))
def test_kernel_agrees_with_the_numpy_reference(e, values):
    law = compiled(e)
    rows = Rows.of_task(TASK)
    given_values = dict(zip("abc", values, strict=True))
    point = Point(np.array([[given_values[s[0]] for s in law.slots]]), np.zeros((1, 0)))
    fast = predict_point(law, law.tapes, rows, make_blocks(law, rows), point)[0]
    slow = predict(law.law, {k: np.array([v]) for k, v in given_values.items()}, rows.X, rows.group, layout_of(TASK))[:, 0]
    same = np.isfinite(slow) & (np.abs(slow) < 1e200)
    np.testing.assert_allclose(fast[same], slow[same], rtol=1e-9, atol=1e-9)


@settings(max_examples=100)
@given(expressions(), st.tuples(*[st.floats(-1.5, 1.5)] * 3))
def test_gradient_agrees_with_central_differences(e, values):
    law = compiled(e)
    if not law.slots:
        return
    rows = Rows.of_task(TASK)
    objective = Objective(law, rows, Recipe(), surrogate=False)
    given_values = dict(zip("abc", values, strict=True))
    theta = np.array([[given_values[s[0]] for s in law.slots]])

    def value(t):
        return objective.bordered(Point(t, np.zeros((1, 0))))[0]

    p = theta.shape[1]
    total, (_, g) = objective.bordered(Point(theta, np.zeros((1, 0))))
    if not np.isfinite(total) or total > 1e8:
        return
    for q in range(p):
        step = np.zeros_like(theta)
        step[0, q] = 1e-6
        slope, wide = ((value(theta + k * step) - value(theta - k * step)) / (k * 2e-6) for k in (1, 2))
        # across a pole such as x / b at b = 0 there is no derivative, and differences do not agree
        if np.isfinite(slope + wide) and slope == pytest.approx(wide, rel=1e-4, abs=1e-5 * (1 + abs(total))):
            assert g[0, q] == pytest.approx(slope, rel=2e-4, abs=1e-4 * (1 + abs(total)))
