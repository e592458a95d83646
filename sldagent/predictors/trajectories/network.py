"""The quantile transformer, after "Neural Neural Scaling Laws" (arXiv 2601.19831), made small enough for a processor.

Sequence: [BOS, soft prompt of the losses, context tokens]; bidirectional, pre-norm, rotary positions, GELU; the head reads
BOS.  As published: tokens are concat(Linear(accuracy), Linear(gap)), the loss is the mean pinball loss of five quantiles.
What differs: width and depth; gaps are logarithms of step ratios; beside its accuracy a token holds that of the training
runs on the task; the distance to the checkpoint wanted and the context's forecast lines enter at BOS; the head mixes these
lines with weights that sum to 1 and adds an offset, so that forecasts follow a trajectory whose gains are larger than any in
training; quantiles are sums of positive steps and cannot cross.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sldagent.predictors.trajectories.samples import LINES, QUERY

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
HEADS = 4
Weights = dict[str, Any]


def initial(key: jax.Array, width: int, layers: int, losses: int) -> Weights:
    """Weights: Xavier-uniform matrices, BOS from N(0, 0.02); `losses` entries of the soft prompt's input, 0 for none."""
    keys = iter(jax.random.split(key, 8 + 4 * layers))
    weights: Weights = {
        "bos": 0.02 * jax.random.normal(next(keys), (width,)),
        "accuracy": _dense(next(keys), 2, width // 2),
        "gap": _dense(next(keys), 1, width // 2),
        "query": _dense(next(keys), QUERY + LINES, width),
        "norm": jnp.ones(width),
        "mixture": _dense(next(keys), width, LINES, 0.1),
        "offset": _dense(next(keys), width, len(QUANTILES), 0.1),
        "layers": [
            {
                "norm1": jnp.ones(width),
                "attend": _dense(next(keys), width, 3 * width),
                "out": _dense(next(keys), width, width),
                "norm2": jnp.ones(width),
                "up": _dense(next(keys), width, 2 * width),
                "down": _dense(next(keys), 2 * width, width),
            }
            for _ in range(layers)
        ],
    }
    if losses:
        weights["prompt1"], weights["prompt2"] = _dense(next(keys), losses, width), _dense(next(keys), width, width)
    return weights


def quantiles(weights: Weights, batch: Mapping[str, jax.Array]) -> jax.Array:
    """(n, 5) quantiles of the relative accuracy wanted."""
    tokens, mask = batch["tokens"], batch["mask"]
    n = len(tokens)
    at_start = jnp.concatenate([batch["query"], batch["lines"]], axis=-1)
    first = [(weights["bos"] + _apply(weights["query"], at_start))[:, None]]
    if "prompt1" in weights:
        first.append(_apply(weights["prompt2"], jax.nn.gelu(_apply(weights["prompt1"], batch["losses"])))[:, None])
    context = jnp.concatenate(
        [_apply(weights["accuracy"], tokens[..., :2]), _apply(weights["gap"], tokens[..., 2:])], axis=-1
    )
    x = jnp.concatenate([*first, context], axis=1)
    visible = jnp.concatenate([jnp.ones((n, len(first)), bool), mask], axis=1)
    for layer in weights["layers"]:
        x = x + _attention(layer, _norm(x, layer["norm1"]), visible)
        x = x + _apply(layer["down"], jax.nn.gelu(_apply(layer["up"], _norm(x, layer["norm2"]))))
    z = _norm(x[:, 0], weights["norm"])
    mixed = (jax.nn.softmax(_apply(weights["mixture"], z)) * batch["lines"]).sum(axis=-1)
    offset = _apply(weights["offset"], z)
    median = mixed + offset[:, 2]
    step = jax.nn.softplus(offset - 1.0)
    low, high = median - step[:, 1], median + step[:, 3]
    return jnp.stack([low - step[:, 0], low, median, high, high + step[:, 4]], axis=1)


def pinball(weights: Weights, batch: Mapping[str, jax.Array]) -> jax.Array:
    """Mean pinball loss over samples and quantiles."""
    levels = jnp.asarray(QUANTILES)
    miss = batch["y"][:, None] - quantiles(weights, batch)
    return jnp.maximum(levels * miss, (levels - 1.0) * miss).mean()


def _dense(key: jax.Array, inputs: int, outputs: int, gain: float = 1.0) -> Weights:
    bound = gain * np.sqrt(6.0 / (inputs + outputs))
    return {"w": jax.random.uniform(key, (inputs, outputs), minval=-bound, maxval=bound), "b": jnp.zeros(outputs)}


def _apply(dense: Weights, x: jax.Array) -> jax.Array:
    y: jax.Array = x @ dense["w"] + dense["b"]
    return y


def _norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return gain * centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


def _attention(layer: Weights, x: jax.Array, visible: jax.Array) -> jax.Array:
    n, length, width = x.shape
    parts = _apply(layer["attend"], x).reshape(n, length, 3, HEADS, width // HEADS).transpose(2, 0, 3, 1, 4)
    q, k, v = _rotate(parts[0]), _rotate(parts[1]), parts[2]
    scores = jnp.where(visible[:, None, None], q @ k.swapaxes(-1, -2) / np.sqrt(width // HEADS), -1e9)
    mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(n, length, width)
    return _apply(layer["out"], mixed)


def _rotate(x: jax.Array) -> jax.Array:
    """Rotary position embedding (arXiv 2104.09864) over the last but one axis."""
    length, width = x.shape[-2:]
    angle = jnp.arange(length)[:, None] * 10_000.0 ** (-jnp.arange(width // 2) / (width // 2))
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    even, odd = x[..., ::2], x[..., 1::2]
    return jnp.concatenate([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
