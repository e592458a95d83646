"""Gradient training of many Sloth problems at once, in JAX, by the authors' schedule.

A problem is one set of training rows with one learning rate; problems share the design matrices and are batched, so that
the folds of a protocol and the restarts of a fit are one call.  Loss: SmoothL1 with threshold 0.01, mean over the training
cells.
Optimiser: Adam; the rate falls by 0.95 where the loss has not fallen by 1e-4 (relative) for more than 20 steps; a problem
ends where its mean absolute error has not fallen by 1e-5 for 500 steps, and returns the parameters one step after its
lowest one, as the authors' code does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Parameters = dict[str, Any]
"""``W`` (p, d), ``alpha`` (F, d), ``loadings`` (d, J), ``b`` (J,), ``logit_floor`` (J,) and, with a trained link, ``w1`` and
``c1`` (J, h), ``w2`` (J, h, h), ``c2`` (J, h), ``w3`` (J, h), ``c3`` (J,); with a leading axis of problems where batched."""

BETA = 0.01
CHUNK = 250
"""Steps between looks at which problems have ended."""
PATIENCE, FACTOR, THRESHOLD = 20, 0.95, 1e-4
LINK = ("w1", "c1", "w2", "c2", "w3", "c3")
NON_NEGATIVE = ("w1", "w2", "w3")


@dataclass(frozen=True)
class Schedule:
    """When training ends."""

    steps: int = 100_000
    """At most so many."""
    patience: int = 500
    """Steps without a lower mean absolute error after which a problem ends."""
    tolerance: float = 1e-5
    """What counts as lower."""


def scores(params: Parameters, X: Any, D: Any) -> Any:
    """(n, J) expected scores of one problem: floor + (1 - floor) link(loadings' skills + b)."""
    eta = (X @ params["W"] + D @ params["alpha"]) @ params["loadings"] + params["b"]
    floor = jax.nn.sigmoid(params["logit_floor"])
    return floor + (1.0 - floor) * link(params, eta)


def link(params: Parameters, eta: Any) -> Any:
    """(n, J) values in [0, 1], increasing in `eta`: logistic, or the trained network with non-negative weights."""
    if "w1" not in params:
        return jax.nn.sigmoid(eta)
    z = jnp.tanh(jnp.tanh(eta)[:, :, None] * params["w1"] + params["c1"])
    z = jnp.tanh(jnp.einsum("njh,jhk->njk", z, params["w2"]) + params["c2"])
    return jax.nn.sigmoid(jnp.einsum("njk,jk->nj", z, params["w3"]) + params["c3"])


def _loss(trained: Parameters, frozen: Parameters, X: Any, D: Any, Y: Any, mask: Any) -> tuple[Any, Any]:
    error = jnp.abs(scores({**trained, **frozen}, X, D) - Y)
    smooth = jnp.where(error < BETA, 0.5 * error**2 / BETA, error - 0.5 * BETA)
    cells = mask.sum()
    return (smooth * mask).sum() / cells, (error * mask).sum() / cells


def _step(state: Parameters, frozen: Parameters, data: tuple[Any, ...], schedule: Schedule) -> Parameters:
    """One step of Adam of one problem; a problem that has ended stays as it is."""
    (loss, error), gradient = jax.value_and_grad(_loss, has_aux=True)(state["now"], frozen, *data)
    t = state["t"] + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], gradient)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state["v"], gradient)
    c1, c2 = 1.0 - 0.9**t, 1.0 - 0.999**t
    now = jax.tree.map(lambda p, m, v: p - state["rate"] * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), state["now"], m, v)
    now = {k: jnp.maximum(p, 0.0) if k in NON_NEGATIVE else p for k, p in now.items()}
    fell = loss < state["lowest"] * (1.0 - THRESHOLD)
    bad = jnp.where(fell, 0, state["bad"] + 1)
    cut = bad > PATIENCE
    better = state["error"] > error + schedule.tolerance
    waited = jnp.where(better, 0, state["waited"] + 1)
    new = {
        "now": now,
        "m": m,
        "v": v,
        "t": t,
        "rate": jnp.where(cut & (state["rate"] * (1 - FACTOR) > 1e-8), state["rate"] * FACTOR, state["rate"]),
        "lowest": jnp.where(fell, loss, state["lowest"]),
        "bad": jnp.where(cut, 0, bad),
        "best": jax.tree.map(lambda b, p: jnp.where(better, p, b), state["best"], now),
        "error": jnp.where(better, error, state["error"]),
        "waited": waited,
        "ended": (waited >= schedule.patience) | (t >= schedule.steps),
    }
    kept: Parameters = jax.tree.map(lambda old, value: jnp.where(state["ended"], old, value), state, new)
    return kept


@partial(jax.jit, static_argnames="schedule")
def _chunk(state: Parameters, frozen: Parameters, X: Any, D: Any, Y: Any, mask: Any, schedule: Schedule) -> Parameters:
    def one(state: Parameters, frozen: Parameters, Y: Any, mask: Any) -> Parameters:
        return _step(state, frozen, (X, D, Y, mask), schedule)

    def body(state: Parameters, _: None) -> tuple[Parameters, None]:
        return jax.vmap(one)(state, frozen, Y, mask), None

    return jax.lax.scan(body, state, None, length=CHUNK)[0]


@dataclass(frozen=True)
class Trained:
    """Problems trained."""

    params: dict[str, FloatArray]
    """With a leading axis of problems."""
    error: FloatArray
    """(problems,) mean absolute error on the training cells."""
    steps: NDArray[np.int64]


def train(
    start: Mapping[str, Any],
    frozen: Mapping[str, Any],
    X: FloatArray,
    D: FloatArray,
    Y: FloatArray,
    mask: FloatArray,
    rates: FloatArray,
    schedule: Schedule,
) -> Trained:
    """Train every problem to its end.

    Args:
        start: parameters to train, with a leading axis of P problems.
        frozen: further parameters, kept, with the same axis.
        X, D: (n, p) features and (n, F) families, common to all problems.
        Y: (P, n, J) scores; any finite number where `mask` is 0.
        mask: (P, n, J) ones on the training cells.
        rates: (P,) learning rates.
    """
    P = len(rates)
    tree = {k: jnp.asarray(v, jnp.float32) for k, v in start.items()}
    held = {k: jnp.asarray(v, jnp.float32) for k, v in frozen.items()}
    state: Parameters = {
        "now": tree,
        "best": tree,
        "m": jax.tree.map(jnp.zeros_like, tree),
        "v": jax.tree.map(jnp.zeros_like, tree),
        "t": jnp.zeros(P, jnp.int32),
        "rate": jnp.asarray(rates, jnp.float32),
        "lowest": jnp.full(P, jnp.inf),
        "bad": jnp.zeros(P, jnp.int32),
        "error": jnp.full(P, jnp.inf),
        "waited": jnp.zeros(P, jnp.int32),
        "ended": jnp.zeros(P, bool),
    }
    Xj, Dj = jnp.asarray(X, jnp.float32), jnp.asarray(D, jnp.float32)
    Yj, mj = jnp.asarray(Y, jnp.float32), jnp.asarray(mask, jnp.float32)
    index = np.arange(P)
    done: dict[int, tuple[Parameters, float, int]] = {}
    while True:
        state = _chunk(state, held, Xj, Dj, Yj, mj, schedule)
        ended = np.asarray(state["ended"])
        alive = np.flatnonzero(~ended)
        if len(alive) > 0 and 2 * len(alive) > len(index):
            continue
        # Half of the problems or more have ended: keep the others.  Sizes halve, so few shapes are compiled.
        size = 0 if len(alive) == 0 else max(len(index) // 2, 1)
        keep = np.concatenate([alive, np.flatnonzero(ended)[: size - len(alive)]]).astype(int) if size else alive
        host = jax.tree.map(np.asarray, (state["best"], state["error"], state["t"]))
        for k in np.flatnonzero(ended):
            done[int(index[k])] = (jax.tree.map(lambda a, k=k: a[k], host[0]), float(host[1][k]), int(host[2][k]))
        if size == 0:
            break
        state, held, Yj, mj = jax.tree.map(lambda a, keep=keep: a[keep], (state, held, Yj, mj))
        index = index[keep]
    best = {k: np.stack([done[i][0][k] for i in range(P)]).astype(np.float64) for k in tree}
    kept = {k: np.asarray(v, np.float64) for k, v in frozen.items()}
    return Trained(
        {**best, **kept}, np.array([done[i][1] for i in range(P)]), np.array([done[i][2] for i in range(P)], dtype=np.int64)
    )
