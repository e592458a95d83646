"""A two-layer byte-level transformer in JAX, its optimiser, and exact counts of parameters and FLOPs.

Pre-norm blocks with parameter-free RMS norms, no biases, two attention heads with RMS-normed queries and
keys, a 4x feed-forward layer with a squared ReLU, learned absolute positions, and an output head that is not
tied to the embedding.  The body (attention and feed-forward matrices) has exactly ``12 * layers * width**2``
parameters.  The learning rate is that of the matrices (body and head); both embeddings use
``width / BASE_WIDTH`` times it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

VOCAB = 256
CONTEXT = 64
LAYERS = 2
HEADS = 2
BATCH = 8  # sequences a step: 8 * 64 = 512 tokens
BETA1, BETA2, EPS = 0.9, 0.95, 1e-8
CLIP = 1.0
WARMUP = 0.05
BASE_WIDTH = 8
BLOCK_STEPS = 128  # optimiser steps in one compiled call (65,536 tokens)

Params = dict[str, jax.Array]


class TrainState(NamedTuple):
    """Parameters, both Adam moments and the number of steps taken."""

    params: Params
    first: Params
    second: Params
    step: jax.Array


def count_params(width: int) -> tuple[int, int]:
    """Return (non-embedding, total) parameter counts."""
    body = 12 * LAYERS * width * width
    return body, body + (2 * VOCAB + CONTEXT) * width


def count_flops(width: int, tokens: int) -> int:
    """Return the matrix-product FLOPs of training on `tokens` tokens (a multiply-add is two).

    Forward, for each token: 2 per body parameter, 4 * context * width per layer for the two products of
    attention (the whole square is computed, then masked), and 2 * vocabulary * width for the head.  The
    backward pass costs twice the forward pass.  Look-ups, norms, softmax and Adam are not counted.
    """
    body, _ = count_params(width)
    forward = 2 * body + 4 * CONTEXT * width * LAYERS + 2 * VOCAB * width
    return 3 * forward * tokens


def init_params(key: jax.Array, width: int) -> Params:
    """Draw initial parameters; output projections and the head start at zero (first loss: ln 256)."""
    keys = jax.random.split(key, 4)
    scale = width**-0.5
    return {
        "tok": 0.1 * jax.random.normal(keys[0], (VOCAB, width)),
        "pos": 0.02 * jax.random.normal(keys[1], (CONTEXT, width)),
        "qkv": scale * jax.random.normal(keys[2], (LAYERS, width, 3 * width)),
        "out": jnp.zeros((LAYERS, width, width)),
        "up": scale * jax.random.normal(keys[3], (LAYERS, width, 4 * width)),
        "down": jnp.zeros((LAYERS, 4 * width, width)),
        "head": jnp.zeros((width, VOCAB)),
    }


def init_state(key: jax.Array, width: int) -> TrainState:
    """Return a fresh training state."""
    params = init_params(key, width)
    zeros = jax.tree.map(jnp.zeros_like, params)
    return TrainState(params, zeros, zeros, jnp.zeros((), jnp.int32))


def _norm(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def _attention(x: jax.Array, qkv: jax.Array, out: jax.Array) -> jax.Array:
    batch, length, width = x.shape
    size = width // HEADS
    parts = (x.reshape(batch * length, width) @ qkv).reshape(batch, length, 3, HEADS, size)
    q, k, v = (jnp.swapaxes(parts[:, :, i], 1, 2) for i in range(3))
    q, k = _norm(q), _norm(k)
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * size**-0.5
    mask = jnp.tril(jnp.ones((length, length), bool))
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e9), axis=-1)
    mixed = jnp.swapaxes(jnp.einsum("bhqk,bhkd->bhqd", weights, v), 1, 2)
    return (mixed.reshape(batch * length, width) @ out).reshape(x.shape)


def forward_loss(params: Params, windows: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats per byte over windows of `CONTEXT + 1` bytes."""
    inputs, targets = windows[:, :-1].astype(jnp.int32), windows[:, 1:].astype(jnp.int32)
    x = params["tok"][inputs] + params["pos"]
    shape = x.shape
    for layer in range(LAYERS):
        x = x + _attention(_norm(x), params["qkv"][layer], params["out"][layer])
        hidden = _norm(x).reshape(-1, shape[-1]) @ params["up"][layer]
        hidden = jnp.square(jax.nn.relu(hidden))
        x = x + (hidden @ params["down"][layer]).reshape(shape)
    logits = _norm(x).reshape(-1, shape[-1]) @ params["head"]
    picked = jnp.take_along_axis(logits, targets.reshape(-1, 1), axis=-1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - picked)


def _learning_rate(step: jax.Array, total: jax.Array, peak: jax.Array) -> jax.Array:
    """Linear warm-up over the first 5 % of the steps, then linear decay to zero."""
    warm = jnp.maximum(jnp.round(WARMUP * total), 1.0)
    rise = (step + 1.0) / warm
    fall = (total - step) / (total - warm)
    return peak * jnp.minimum(jnp.minimum(rise, fall), 1.0)


def _update(state: TrainState, grads: Params, rate: jax.Array) -> TrainState:
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
    factor = jnp.minimum(1.0, CLIP / (norm + 1e-12))
    count = state.step + 1
    fix1, fix2 = 1 - BETA1**count, 1 - BETA2**count
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * factor * g, state.first, grads)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * (factor * g) ** 2, state.second, grads)
    width = state.params["tok"].shape[1]
    factors = {name: width / BASE_WIDTH if name in ("tok", "pos") else 1.0 for name in state.params}
    params = jax.tree.map(
        lambda p, m, v, f: p - f * rate * (m / fix1) / (jnp.sqrt(v / fix2) + EPS),
        state.params,
        first,
        second,
        factors,
    )
    return TrainState(params, first, second, count)


def _train_one(
    state: TrainState, order: jax.Array, peak: jax.Array, total: jax.Array, data: jax.Array
) -> tuple[TrainState, jax.Array]:
    def body(carry: TrainState, index: jax.Array) -> tuple[TrainState, jax.Array]:
        loss, grads = jax.value_and_grad(forward_loss)(carry.params, data[index])
        rate = _learning_rate(carry.step.astype(jnp.float32), total, peak)
        return _update(carry, grads, rate), loss

    return jax.lax.scan(body, state, order)


@partial(jax.jit, donate_argnums=0)
def train_block(
    state: TrainState, order: jax.Array, peak: jax.Array, total: jax.Array, data: jax.Array
) -> tuple[TrainState, jax.Array]:
    """Take `BLOCK_STEPS` steps with several runs side by side (leading axis of state, order and peak)."""
    return jax.vmap(_train_one, in_axes=(0, 0, 0, None, None))(state, order, peak, total, data)


@jax.jit
def evaluate(params: Params, batches: jax.Array) -> Any:
    """Mean loss of each run over all validation batches, shape (batches, windows, context + 1)."""

    def one(p: Params) -> jax.Array:
        _, losses = jax.lax.scan(lambda c, b: (c, forward_loss(p, b)), 0, batches)
        return jnp.mean(losses)

    return jax.lax.map(one, params)
