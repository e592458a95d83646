"""For every predictor of the registry: an unfitted one and small data simulated from its own model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sldagent.predictors.base import Predictor
from sldagent.predictors.bnsl import form
from sldagent.predictors.bnsl.blend import CurveBlend
from sldagent.predictors.bnsl.curves import M1, M2, M3, M4
from sldagent.predictors.bnsl.model import BNSL
from sldagent.predictors.observational.model import ObservationalLaw
from sldagent.predictors.sloth.fitting import predict_scores
from sldagent.predictors.sloth.model import Sloth, features
from sldagent.predictors.sloth.pooled import PooledLaw
from sldagent.predictors.trajectories.data import blanked
from sldagent.predictors.trajectories.model import TrajectoryForecaster

Example = tuple[Predictor, Any, Any]

BREAK = form.Constants(0.2, np.log(8.0), 0.15, (form.Break(3e4, 0.6, 0.4),))
"""One break in the middle of the points of `curve_points`."""


def curve_points(values: Callable[[np.ndarray], np.ndarray]) -> tuple[pd.DataFrame, pd.Series]:
    """A curve without noise."""
    x = np.geomspace(1e3, 1e6, 24)
    return pd.DataFrame({"samples": x}), pd.Series(values(x), name="loss")


def bnsl() -> Example:
    return BNSL(1), *curve_points(BREAK.values)


def m1() -> Example:
    return M1(), *curve_points(lambda x: 5.0 * x**-0.3)


def m2() -> Example:
    return M2(), *curve_points(lambda x: 0.4 + 30.0 * x**-0.5)


def m3() -> Example:
    return M3(), *curve_points(lambda x: 40.0 * (1.0 / x + 2e-5) ** 0.45)


def m4() -> Example:
    constants = {"b": 50.0, "c": 0.5, "a": 0.7, "e": 0.1, "e0": 1.0}
    return M4(), *curve_points(lambda x: M4.values(constants, x))


def curve_blend() -> Example:
    return CurveBlend(), *curve_points(BREAK.values)


def sloth_weights(rng: np.random.Generator, families: int, d: int, benchmarks: int) -> dict[str, np.ndarray]:
    """Basic Sloth: slopes and loadings that make scores spread over most of their range."""
    return {
        "W": np.abs(rng.normal(0.3, 0.1, (3, d))),
        "alpha": rng.normal(-1.0, 0.5, (families, d)),
        "loadings": np.abs(rng.normal(0.7, 0.3, (d, benchmarks))),
        "b": rng.normal(-0.5, 0.3, benchmarks),
        "logit_floor": np.full(benchmarks, np.log(0.25 / 0.75)),
    }


def sloth_table(
    seed: int = 0, families: int = 6, d: int = 2, benchmarks: int = 4, each: int = 5
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Models of several families with scores from basic Sloth, floor 0.25, without noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(families), each)
    params, tokens = 10.0 ** rng.uniform(-0.5, 1.9, len(labels)), 10.0 ** rng.uniform(-0.5, 1.0, len(labels))
    weights = sloth_weights(rng, families, d, benchmarks)
    scores = predict_scores(weights, features(params, tokens), np.eye(families)[labels])
    X = pd.DataFrame({"size": params, "tokens": tokens, "family": [f"f{k}" for k in labels]})
    return X, pd.DataFrame(scores, columns=[f"bench{j}" for j in range(benchmarks)])


def sloth() -> Example:
    return Sloth(2, floors=(0.25,) * 4), *sloth_table()


def pooled() -> Example:
    """Logits quadratic in log compute, with a slope in size, an effect of tuning and offsets of families, without noise."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(8), 5)
    params, tokens = 10.0 ** rng.uniform(-0.5, 1.9, 40), 10.0 ** rng.uniform(-0.5, 1.0, 40)
    logs = np.log(params * tokens)[:, None]
    eta = np.array([-1.0, -0.5, 0.2]) + logs * [0.3, 0.4, 0.2] + 0.02 * logs**2 + rng.normal(0.0, 0.4, (8, 3))[labels]
    tuned = (np.arange(40) % 5 > 2).astype(float)
    eta = eta + np.log(params)[:, None] * [0.1, -0.1, 0.2] + tuned[:, None] * ([0.5, 0.0, -0.3] + 0.1 * logs)
    X = pd.DataFrame({"size": params, "tokens": tokens, "family": [f"f{k}" for k in labels], "tuned": tuned})
    return PooledLaw(), X, pd.DataFrame(1.0 / (1.0 + np.exp(-eta)), columns=["a", "b", "c"])


def observational() -> Example:
    """A target that is the law itself over the two components that the scores are made of."""
    rng = np.random.default_rng(0)
    S = rng.normal(size=(40, 2)) * [0.25, 0.08]
    scores = np.clip(0.5 + S @ np.array([[0.6, 0.5, 0.4, 0.5], [0.5, -0.6, 0.4, -0.4]]), 0.0, 1.0)
    X = pd.DataFrame(scores, columns=["a", "b", "c", "d"])
    return ObservationalLaw(2, starts=4), X, pd.Series(1.0 / (1.0 + np.exp(1.0 - S @ np.array([6.0, -8.0]))), name="task")


def trajectories() -> Example:
    """Saturating power laws, of which X shows the first fifth."""
    steps = 100.0 * np.arange(1.0, 16.0)
    parts = [
        pd.DataFrame({"run": f"r{r}", "task": "t", "step": steps, "accuracy": 0.3 + 0.1 * r - gain * steps**-0.3})
        for r, gain in enumerate(0.2 + 0.05 * np.arange(6))
    ]
    table = pd.concat(parts, ignore_index=True)
    model = TrajectoryForecaster(width=8, layers=1, members=1, steps=60, batch=32)
    return model, blanked(table, list(table.columns), 0.2), table["accuracy"]


EXAMPLES: dict[str, Callable[[], Example]] = {
    "bnsl": bnsl,
    "m1": m1,
    "m2": m2,
    "m3": m3,
    "m4": m4,
    "curve_blend": curve_blend,
    "sloth": sloth,
    "pooled": pooled,
    "observational": observational,
    "trajectories": trajectories,
}
