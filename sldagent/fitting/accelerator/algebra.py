"""Batched small linear algebra on the device: positive semi-definite systems and bounded least squares in Gram space."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

PIVOT = 1e-13
"""A pivot below this share of its (unit) diagonal marks a direction that the rows do not determine, as in the CPU engine."""


def solve_semidefinite(A: Array, rhs: Array) -> Array:
    """X with A X = rhs for positive semi-definite A (..., n, n) of unit-scale diagonal and rhs (..., n, m).

    Gauss-Jordan elimination without exchanges, which such matrices do not need; undetermined unknowns are 0.
    """
    n = A.shape[-1]
    M = jnp.concatenate([A, rhs], axis=-1)
    index = jnp.arange(n)

    def eliminate(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        M, kept = carry
        row = lax.dynamic_index_in_dim(M, k, M.ndim - 2, keepdims=False)
        column = lax.dynamic_index_in_dim(M, k, M.ndim - 1, keepdims=False)
        pivot = lax.dynamic_index_in_dim(row, k, row.ndim - 1, keepdims=False)
        good = pivot > PIVOT
        row = jnp.where(good[..., None], row / jnp.where(good, pivot, 1.0)[..., None], 0.0)
        here = index == k
        M = jnp.where(here[:, None], row[..., None, :], M - jnp.where(here, 0.0, column)[..., :, None] * row[..., None, :])
        return M, jnp.where(here, good[..., None], kept)

    M, kept = lax.fori_loop(0, n, eliminate, (M, jnp.zeros(A.shape[:-1], bool)))
    return jnp.where(kept[..., None], M[..., n:], 0.0)


def bounded_step(H: Array, g: Array, chosen: Array, x: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Step d on the `chosen` coordinates that minimises d'Hd/2 + g'd with lower <= x + d <= upper, and that minimum.

    The primal active-set method of `sldagent.fitting.linalg.bounded_step`, for all problems in step.  Shapes: H (..., n, n),
    the others (..., n); coordinates that are not chosen get 0.
    """
    n = H.shape[-1]
    diagonal = jnp.diagonal(H, axis1=-2, axis2=-1)
    scale = jnp.where(diagonal > 0.0, 1.0 / jnp.sqrt(jnp.where(diagonal > 0.0, diagonal, 1.0)), 0.0)
    current = jnp.where(chosen, jnp.clip(x, lower, upper) - x, 0.0)
    free, at_lower, at_upper, ignored = 0, -1, 1, 2
    state = jnp.where(x + current <= lower, at_lower, jnp.where(x + current >= upper, at_upper, free))
    state = jnp.where(~chosen | ((scale == 0.0) & (state == free)), ignored, state)
    index = jnp.arange(n)

    def gradient(current: Array) -> Array:
        return g + jnp.einsum("...ij,...j->...i", H, current)

    def body(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        current, state, done, count = carry
        loose = state == free
        grad = gradient(current)
        pair = loose[..., :, None] & loose[..., None, :]
        A = jnp.where(pair, H * scale[..., :, None] * scale[..., None, :], jnp.where(loose[..., None], 0.0, jnp.eye(n)))
        step = solve_semidefinite(A, jnp.where(loose, -grad * scale, 0.0)[..., None])[..., 0] * scale
        new = x + current + step
        low = loose & (new < lower) & (step < 0.0)
        high = loose & (new > upper) & (step > 0.0)
        wall = jnp.where(low, lower, upper)
        hits = low | high
        room = jnp.where(hits, (wall - x - current) / jnp.where(hits, step, 1.0), jnp.inf)
        nearest = jnp.argmin(room, axis=-1)
        t = jnp.min(room, axis=-1)
        moved = t < 1.0
        t = jnp.clip(t, 0.0, 1.0)
        after = jnp.where(loose, current + t[..., None] * step, current)
        stopped = moved[..., None] & (index == nearest[..., None])
        after = jnp.where(stopped, wall - x, after)
        fixed = jnp.where(stopped, jnp.where(low, at_lower, at_upper), state)
        # free the fixed coordinate whose multiplier has the wrong sign most
        held = (state == at_lower) | (state == at_upper)
        pull = jnp.where(held & (upper > lower), gradient(after) * scale * state, -jnp.inf)
        worst = jnp.argmax(pull, axis=-1)
        release = ~moved & (jnp.max(pull, axis=-1) > 1e-12)
        fixed = jnp.where(release[..., None] & (index == worst[..., None]), free, fixed)
        keep = done[..., None]
        ended = done | ~(moved | release)
        return jnp.where(keep, current, after), jnp.where(keep, state, fixed), ended, count + 1

    def unfinished(carry: tuple[Array, ...]) -> Array:
        return jnp.any(~carry[2]) & (carry[3] < 3 * n + 3)

    start: tuple[Any, ...] = (current, state, ~jnp.any(chosen, axis=-1), 0)
    current = lax.while_loop(unfinished, body, start)[0]
    change = jnp.sum(current * (g + 0.5 * jnp.einsum("...ij,...j->...i", H, current)), axis=-1)
    return current, change
