"""Bounded least squares in Gram space against SciPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.optimize import lsq_linear

from sldagent.fitting import linalg


@njit
def bounded_step(H, g, idx, k, x, lo, hi, d):
    linalg.bounded_step(H, g, idx, k, x, lo, hi, d)


@settings(max_examples=200)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1), st.sampled_from(["free", "nonnegative", "box", "mixed"]))
def test_bounded_step_reaches_scipys_optimum(k, seed, kind):
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(20, k)) * 10.0 ** rng.uniform(-2, 2, k), rng.normal(size=20)
    lo, hi = np.full(k, -np.inf), np.full(k, np.inf)
    if kind != "free":
        lo[:] = 0.0
    if kind == "box":
        hi[:] = rng.uniform(0.01, 1.0, k)
    if kind == "mixed":
        lo[::2] = -np.inf
    x = np.clip(rng.normal(size=k), lo, hi)
    d = np.zeros(k)
    bounded_step(A.T @ A, A.T @ (A @ x - b), np.arange(k), k, x, lo, hi, d)
    new = x + d
    assert (new >= lo - 1e-12).all() and (new <= hi + 1e-12).all()
    ours = np.sum((A @ new - b) ** 2)
    best = np.sum((A @ lsq_linear(A, b, (lo, hi), tol=1e-14).x - b) ** 2)
    assert ours <= best * (1 + 1e-8) + 1e-12


def test_undetermined_direction_is_left_alone():
    A = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    b = np.array([1.0, 2.0, 3.0])
    x, d = np.zeros(2), np.zeros(2)
    bounded_step(A.T @ A, A.T @ (A @ x - b), np.arange(2), 2, x, np.full(2, -np.inf), np.full(2, np.inf), d)
    np.testing.assert_allclose(A @ d, b, atol=1e-9)
