"""The device's small linear algebra against numpy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

N = 4


@pytest.fixture(scope="module")
def kernels():
    jax = pytest.importorskip("jax", reason="the package jax is not installed")
    from sldagent.fitting.accelerator.algebra import bounded_step, solve_semidefinite
    from sldagent.fitting.accelerator.devices import double_precision

    def wrapped(kernel):
        compiled = jax.jit(kernel)

        def call(*arrays):
            with double_precision():
                return jax.tree.map(np.asarray, compiled(*arrays))

        return call

    return wrapped(solve_semidefinite), wrapped(bounded_step)


def unit_gram(rng, rank=N):
    J = rng.normal(size=(12, rank)) @ rng.normal(size=(rank, N))
    J /= np.linalg.norm(J, axis=0)
    return J


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_solutions_of_definite_systems(kernels, seed):
    rng = np.random.default_rng(seed)
    J = unit_gram(rng)
    A, b = J.T @ J + 1e-3 * np.eye(N), rng.normal(size=(N, 2))
    np.testing.assert_allclose(kernels[0](A[None], b[None])[0], np.linalg.solve(A, b), rtol=1e-8, atol=1e-10)


def test_undetermined_unknowns_are_zero_and_the_rest_is_solved(kernels):
    rng = np.random.default_rng(3)
    J = unit_gram(rng)
    J[:, 2] = J[:, 1]
    A, b = J.T @ J, J.T @ rng.normal(size=12)
    x = kernels[0](A[None], b[None, :, None])[0, :, 0]
    assert x[2] == 0.0
    np.testing.assert_allclose(A @ x, b, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_bounded_least_squares_as_by_scipy(kernels, seed):
    rng = np.random.default_rng(seed)
    J, r = unit_gram(rng) * 10 ** rng.uniform(-3, 3, N), rng.normal(size=12)
    x = rng.normal(size=N)
    lower = np.where(rng.random(N) < 0.5, -np.inf, x - rng.random(N) * (rng.random(N) < 0.7))
    upper = np.where(rng.random(N) < 0.5, np.inf, x + 0.01 + rng.random(N))
    every = np.ones((1, N), bool)
    H, g = J.T @ J, J.T @ r
    d, change = kernels[1](H[None], g[None], every, x[None], lower[None], upper[None])
    best = lsq_linear(J, -r, bounds=(lower - x, upper - x), method="bvls", tol=1e-14)
    assert (x + d[0] >= lower - 1e-12).all() and (x + d[0] <= upper + 1e-12).all()
    assert change[0] + 0.5 * r @ r == pytest.approx(best.cost, rel=1e-9)


def test_only_the_chosen_coordinates_move(kernels):
    rng = np.random.default_rng(0)
    J, r = unit_gram(rng), rng.normal(size=12)
    chosen = np.array([True, False, True, False])
    free = np.full((1, N), np.inf)
    d, _ = kernels[1]((J.T @ J)[None], (J.T @ r)[None], chosen[None], np.zeros((1, N)), -free, free)
    assert (d[0, ~chosen] == 0).all()
    np.testing.assert_allclose(d[0, chosen], np.linalg.lstsq(J[:, chosen], -r, rcond=None)[0], rtol=1e-9)
