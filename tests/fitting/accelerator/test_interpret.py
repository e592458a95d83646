"""Values and derivatives of random tapes against the numpy reference; the objective's matrices against the CPU engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.fitting.accelerator.classes import SizeClass
from sldagent.fitting.accelerator.encode import encode, natural_class, objective
from sldagent.fitting.fit import normal_matrices
from sldagent.fitting.reference import reference
from sldagent.fitting.result import FitResult, Point, make_blocks
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Recipe
from tests.fitting.helpers import make_task

SIZE = SizeClass(targets=1, blocks=1, rows=16, operations=32, features=8, local=4, shared=0)
"""One class for all random tapes."""
X = np.linspace(0.4, 3.0, 11)
LEAVES = st.sampled_from(["a", "b", "c", "x", "log(x)", "0.7", "2"])
UNARY = st.sampled_from(
    ["exp({}/5)", "log(1 + exp({}))", "sqrt(2 + tanh({}))", "tanh({})", "sigmoid({})", "softplus({})", "-({})"]
)
BINARY = st.sampled_from(["({} + {})", "({} - {})", "({} * {})", "({} / (3 + tanh({})))"])


def formulas():
    def grow(inner):
        one = st.tuples(UNARY, inner).map(lambda t: t[0].format(t[1]))
        two = st.tuples(BINARY, inner, inner).map(lambda t: t[0].format(*t[1:]))
        return one | two

    return st.recursive(LEAVES, grow, max_leaves=5)


@pytest.fixture(scope="module")
def device_values():
    """Predictions (rows,) and derivatives (parameters, rows) on the device; compiled once."""
    jax = pytest.importorskip("jax", reason="the package jax is not installed")
    import jax.numpy as jnp

    from sldagent.fitting.accelerator.devices import double_precision
    from sldagent.fitting.accelerator.interpret import TapeArrays, values_and_gradients

    kernel = jax.jit(values_and_gradients)

    def run(law, rows, theta):
        structure = encode(law, rows, make_blocks(law, rows), SIZE)
        with double_precision():
            tape = TapeArrays(*(jnp.asarray(structure.tapes[name][0]) for name in TapeArrays._fields))
            features = jnp.asarray(structure.features[0])
            values = np.zeros(SIZE.local)
            values[: len(theta)] = theta
            f, J = kernel(tape, features, jnp.broadcast_to(values[:, None, None], (SIZE.local, 1, SIZE.rows)))
        return np.asarray(f)[0, : rows.n], np.asarray(J)[: len(theta), 0, : rows.n]

    return run


def reference_values(law, rows, theta):
    tapes, n = law.tapes, law.tapes.lengths[0]
    arrays = (tapes.ops[0, :n], tapes.left[0, :n], tapes.right[0, :n], tapes.value[0, :n])
    return reference.run(*arrays, tapes.matrix(rows), theta)


@settings(max_examples=60, deadline=None)
@given(formulas(), st.lists(st.floats(0.2, 2.0), min_size=3, max_size=3))
def test_random_tapes_agree_with_the_reference(device_values, text, values):
    law = compile_law(parse_formula(text + " + 0*(a + b + c)", ["x"]), layout_of(make_task({"x": X}, X)))
    rows = Rows.of_task(make_task({"x": X}, X))
    theta = np.array(values[: len(law.slots)])
    natural = natural_class(law, rows, make_blocks(law, rows))
    if natural.operations > SIZE.operations or natural.features > SIZE.features:
        return
    f, J = device_values(law, rows, theta)
    np.testing.assert_allclose(f, reference_values(law, rows, theta), rtol=1e-12, atol=1e-12)
    for q in range(len(theta)):
        step = 1e-5 * np.eye(len(theta))[q]
        slope = (reference_values(law, rows, theta + step) - reference_values(law, rows, theta - step)) / 2e-5
        np.testing.assert_allclose(J[q], slope, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("text", ["a*log(x - 2)", "a*sqrt(x - 2)", "log(a)*x", "a/(x - x)"])
def test_undefined_values_stay_undefined(device_values, text):
    rows = Rows.of_task(make_task({"x": X}, X))
    law = compile_law(parse_formula(text, ["x"]), layout_of(make_task({"x": X}, X)))
    f, _ = device_values(law, rows, np.array([-1.0]))
    expected = reference_values(law, rows, np.array([-1.0]))
    assert (np.isfinite(f) == np.isfinite(expected)).all() and not np.isfinite(expected).all()


@pytest.fixture(scope="module")
def device_objective():
    jax = pytest.importorskip("jax", reason="the package jax is not installed")
    import jax.numpy as jnp

    from sldagent.fitting.accelerator.devices import double_precision
    from sldagent.fitting.accelerator.objective import evaluate
    from sldagent.fitting.accelerator.pool import Request, _Banks, _Part

    kernel = jax.jit(evaluate)

    def run(law, rows, recipe, theta):
        structure = encode(law, rows, make_blocks(law, rows), replace(SIZE, operations=8, features=4))
        stage = objective(structure, rows, recipe, None, surrogate=False)
        local = np.zeros((1, 1, 1, SIZE.local))
        local[..., : len(theta)] = theta
        request = Request(stage, local, np.zeros((1, 1, 0)), False, 9, 1e-9, stage.deltas[-1])
        with double_precision():
            data = _Banks([request], [_Part(0, 0, 1)]).gather(np.zeros(1, np.int64))
            value, H, g = kernel(data, jnp.asarray(local[0]), jnp.zeros((1, 0)))
        n = len(theta)
        return float(value[0]), np.asarray(H)[0, 0, :n, :n], np.asarray(g)[0, 0, :n]

    return run


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
@pytest.mark.parametrize("space", ["raw", "relative", "log"])
def test_objective_and_matrices_agree_with_the_cpu_engine(device_objective, loss, space):
    rng = np.random.default_rng(1)
    y = 2 + 3 * X**-0.5 + 0.05 * rng.normal(size=X.size)
    task = make_task({"x": X}, y)
    law = compile_law(parse_formula("E + A*x**-a", ["x"]), layout_of(task))
    rows = Rows.of_task(task)
    recipe = Recipe(loss, space, 1e-2, ridge=(("A", 0.3),))
    theta = np.array([1.8, 3.3, 0.6])
    value, H, g = device_objective(law, rows, recipe, theta)
    point = Point(theta[None], np.zeros((1, 0)))
    expected, _ = normal_matrices(FitResult(law, point, make_blocks(law, rows), 0.0, 0), rows, recipe)
    np.testing.assert_allclose(H, expected[0], rtol=1e-10)
    for q in range(3):
        step = 1e-6 * np.eye(3)[q]
        up, down = (device_objective(law, rows, recipe, theta + s)[0] for s in (step, -step))
        assert g[q] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-9 * value)
