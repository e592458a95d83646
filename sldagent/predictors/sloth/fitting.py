"""Fits of Sloth: random starts at three learning rates, the lowest training error kept; many problems in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import ConfigError
from sldagent.predictors.sloth.start import initial, initial_link

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Weights = dict[str, FloatArray]

EPS = 1e-5
"""As in the authors' logit of the floors."""


@dataclass(frozen=True)
class Settings:
    """Of the training; the defaults are the authors'."""

    rates: tuple[float, ...] = (0.1, 0.01, 0.001)
    """Learning rates, one restart each."""
    steps: int = 100_000
    patience: int = 500
    tolerance: float = 1e-5


SETTINGS = Settings()


@dataclass(frozen=True)
class Problem:
    """One fit."""

    design: FloatArray
    """(n, p) features."""
    families: FloatArray
    """(n, F) one-hot families, or a column of ones."""
    scores: FloatArray
    """(n, J)."""
    known: BoolArray
    """(n, J): the cells to learn from."""
    floors: FloatArray
    """(J,)."""


@dataclass(frozen=True)
class Fitted:
    """The best restart of a problem."""

    weights: Weights
    error: float
    """Mean absolute error on the cells learnt from."""
    restarts: tuple[Weights, ...] = ()
    """All restarts, in the order of the learning rates."""


def fit_problems(
    problems: Sequence[Problem],
    d: int,
    link: Literal["sigmoid", "monotone"],
    seed: int,
    settings: Settings = SETTINGS,
    *,
    train_floors: bool = False,
) -> list[Fitted]:
    """Fit problems that share `design` and `families` (those of the first are used) and have equally many benchmarks.

    Args:
        d: skills.
        link: ``"monotone"`` starts at the fitted logistic model, whose floors it then trains.
        seed: of the random start, which all problems and learning rates share as in the authors' code.
        train_floors: whether the logistic model trains its floors too.

    Raises:
        ConfigError: jax is not installed.
    """
    training = _training()
    first = problems[0]
    p = first.design.shape[1]
    F, J = first.families.shape[1], first.scores.shape[1]
    P, R = len(problems), len(settings.rates)
    schedule = training.Schedule(settings.steps, settings.patience, settings.tolerance)
    Y = np.repeat(np.stack([np.where(q.known, q.scores, 0.0) for q in problems]), R, axis=0)
    mask = np.repeat(np.stack([q.known for q in problems]).astype(np.float64), R, axis=0)
    rates = np.tile(settings.rates, P)
    floors = np.stack([np.log((q.floors + EPS) / (1.0 - q.floors + EPS)) for q in problems])
    tree = {k: np.broadcast_to(v, (P * R, *v.shape)) for k, v in initial(seed, (p, F, d, J)).items()}
    frozen = {"logit_floor": np.repeat(floors, R, axis=0)}
    if train_floors:
        tree["logit_floor"] = frozen.pop("logit_floor")
    trained = training.train(tree, frozen, first.design, first.families, Y, mask, rates, schedule)
    if link == "monotone":
        best = np.repeat(_best(trained.error, R), R)
        tree = {k: v[best] for k, v in trained.params.items()}
        if J == 1:
            # The authors' code starts the loading of a single benchmark at 1 here too.
            tree["loadings"] = np.ones_like(tree["loadings"])
        # The floors pass through the authors' logit once more.
        floor = _sigmoid(tree["logit_floor"])
        tree["logit_floor"] = np.log((floor + EPS) / (1.0 - floor + EPS))
        for name, value in initial_link(seed, J).items():
            tree[name] = np.broadcast_to(value, (P * R, *value.shape))
        trained = training.train(tree, {}, first.design, first.families, Y, mask, rates, schedule)
    chosen = _best(trained.error, R)
    out = []
    for k, b in enumerate(chosen):
        restarts = tuple({name: v[r] for name, v in trained.params.items()} for r in range(k * R, (k + 1) * R))
        out.append(Fitted(restarts[int(b) - k * R], float(trained.error[b]), restarts))
    return out


def predict_scores(weights: Weights, design: FloatArray, families: FloatArray) -> FloatArray:
    """(n, J) expected scores, in numpy; see `training.scores`."""
    eta = skills_of(weights, design, families) @ weights["loadings"] + weights["b"]
    floor = _sigmoid(weights["logit_floor"])
    return np.asarray(floor + (1.0 - floor) * link_values(weights, eta))


def skills_of(weights: Weights, design: FloatArray, families: FloatArray) -> FloatArray:
    """(n, d) latent skills."""
    return np.asarray(design @ weights["W"] + families @ weights["alpha"])


def link_values(weights: Weights, eta: FloatArray) -> FloatArray:
    """(n, J) link of each benchmark, in [0, 1] and increasing."""
    if "w1" not in weights:
        return _sigmoid(eta)
    z = np.tanh(np.tanh(eta)[:, :, None] * weights["w1"] + weights["c1"])
    z = np.tanh(np.einsum("njh,jhk->njk", z, weights["w2"]) + weights["c2"])
    return _sigmoid(np.einsum("njk,jk->nj", z, weights["w3"]) + weights["c3"])


def _best(errors: FloatArray, restarts: int) -> NDArray[np.int64]:
    """Index of the restart with the lowest training error, by problem."""
    table = errors.reshape(-1, restarts)
    return np.asarray(table.argmin(axis=1) + restarts * np.arange(len(table)), dtype=np.int64)


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _training() -> Any:
    """The training module, which needs jax."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        from sldagent.predictors.sloth import training
    except ImportError:
        raise ConfigError("Sloth is trained with jax: install sldagent[jax]") from None
    return training
