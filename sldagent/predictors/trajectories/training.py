"""Training: AdamW with warm-up, cosine decay and gradient clipping, as one compiled loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sldagent.predictors.trajectories.network import Weights, initial, pinball, quantiles
from sldagent.predictors.trajectories.samples import Batch

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8
WARM_UP = 0.1
"""Share of steps over which the rate rises."""
CHUNK = 512
"""Samples per call of a forecast; the last chunk is padded so that one compiled program serves all."""


@dataclass(frozen=True)
class Schedule:
    """How one network is trained."""

    steps: int = 700
    batch: int = 128
    rate: float = 2e-3
    decay: float = 0.033
    """Of weights, per unit of rate."""


def train(batch: Batch, width: int, layers: int, losses: bool, schedule: Schedule, seed: int) -> tuple[Weights, float]:
    """Weights of a trained network, and its mean pinball loss over the last tenth of the steps (relative accuracy).

    Samples are used in random order, again from the start when all have been used.
    """
    rng = np.random.default_rng(seed)
    n = len(batch.y)
    rounds = -(-schedule.steps * schedule.batch // n)
    order = np.concatenate([rng.permutation(n) for _ in range(rounds)])[: schedule.steps * schedule.batch]
    data = {name: jnp.asarray(value) for name, value in batch.arrays().items()}
    weights = initial(jax.random.key(seed), width, layers, batch.losses.shape[1] if losses else 0)
    run = jax.jit(_run, static_argnums=3)
    weights, history = run(weights, data, jnp.asarray(order.reshape(schedule.steps, schedule.batch)), schedule)
    return weights, float(history[-max(schedule.steps // 10, 1) :].mean())


def _run(weights: Weights, data: dict[str, jax.Array], order: jax.Array, schedule: Schedule) -> tuple[Weights, jax.Array]:
    zeros = jax.tree.map(jnp.zeros_like, weights)

    def step(state: tuple[Weights, Weights, Weights], at: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        weights, first, second = state
        k, rows = at
        loss, gradient = jax.value_and_grad(pinball)(weights, {name: value[rows] for name, value in data.items()})
        norm = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient)))
        gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-9)), gradient)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g**2, second, gradient)
        rate = _rate(k, schedule)
        bias1, bias2 = 1.0 - BETA1 ** (k + 1.0), 1.0 - BETA2 ** (k + 1.0)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * (m / bias1 / (jnp.sqrt(v / bias2) + EPSILON) + schedule.decay * w),
            weights,
            first,
            second,
        )
        return (weights, first, second), loss

    (weights, _, _), history = jax.lax.scan(step, (weights, zeros, zeros), (jnp.arange(schedule.steps), order))
    return weights, history


def _rate(k: jax.Array, schedule: Schedule) -> jax.Array:
    """Linear warm-up, then half a cosine down to 0."""
    warm = max(WARM_UP * schedule.steps, 1.0)
    rest = jnp.clip((k - warm) / max(schedule.steps - warm, 1.0), 0.0, 1.0)
    return schedule.rate * jnp.minimum(1.0, (k + 1) / warm) * 0.5 * (1.0 + jnp.cos(jnp.pi * rest))


def forecast(weights: Weights, batch: Batch) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, 5) quantiles of relative accuracy."""
    run = jax.jit(quantiles)
    arrays, n = batch.arrays(), len(batch.y)
    out = []
    for start in range(0, n, CHUNK):
        rows = np.minimum(np.arange(start, start + CHUNK), n - 1)
        out.append(np.asarray(run(weights, {name: value[rows] for name, value in arrays.items()}), dtype=np.float64))
    return np.concatenate(out)[:n]
