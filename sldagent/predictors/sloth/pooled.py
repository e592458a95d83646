"""A law for benchmark scores over compute and family with partial pooling: a linear mixed model of the scores' logits.

    logit y_ij = b_j0 + b_j1 log F_i + b_j2 (log F_i)^2 + b_j3 log N_i + t_i (b_j4 + b_j5 log F_i) + u_{f(i) j} + e_ij,
    u_f ~ N(0, S_u),  e_i ~ N(0, S_e)

with F = params tokens, N = params and t = 1 for models tuned to follow instructions, else 0.  Every benchmark has its own
curve; a family's offsets u_f are drawn towards zero, and towards each other as S_u says, by as much as the family has few
models.  S_u, S_e and b are estimated by EM (Laird and Ware 1982, with several responses), u_f is its posterior mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from sldagent.errors import PredictorError
from sldagent.predictors.base import Predictor
from sldagent.predictors.sloth.model import LEVEL, Interval
from sldagent.predictors.sloth.protocol import Ground
from sldagent.predictors.tables import Inputs, inputs, same_length, targets

FloatArray = NDArray[np.float64]

CLIP = 0.01
"""Scores are kept so far from 0 and 1 before the logit."""
ROLES = ("params", "tokens", "family")
TUNED = "tuned"
LEAST = 5
"""Models: one more than a benchmark's curve has constants; two more where models are told apart by `TUNED`."""
ITERATIONS = 60
JITTER = 1e-6


def pooled(ground: Ground) -> list[FloatArray]:
    """By fold, (n, benchmarks) predictions from the fold's training rows."""
    design, logits = _design(ground.params, ground.tokens, ground.tuned), _logits(ground.scores)
    out = []
    for fold in ground.folds:
        train = ~fold.test
        found = mixed_model(logits[train], design[train], ground.one_hot[train])
        out.append(_logistic(design @ found.slopes + ground.one_hot @ found.offsets))
    return out


class PooledLaw(Predictor):
    """Benchmark scores by this module's mixed model.

    `X` has the columns params, tokens, family and, where it is known, tuned (1 for models tuned to follow instructions, else
    0), in this order and any fixed unit for the first two; `y` the scores of at least one benchmark, fractions in [0, 1],
    none missing.  A family that was not in training has offset 0, the mean of all.
    After `fit`: `slopes_` (6, benchmarks), `offsets_` (families, benchmarks), `families_`, and the variances of logits that
    make the intervals: `offset_variance_` (families, benchmarks), `family_variance_` and `noise_variance_` (benchmarks,).
    """

    name = "pooled"
    error_name = "MAE (points)"

    slopes_: FloatArray
    offsets_: FloatArray
    offset_variance_: FloatArray
    family_variance_: FloatArray
    noise_variance_: FloatArray
    families_: tuple[str, ...]

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to n models.

        Args:
            X: (n, 3) params, tokens, family; or (n, 4) with tuned.
            y: (n,) or (n, benchmarks) scores in [0, 1].

        Raises:
            PredictorError, TableError: a cell cannot be used, or there are too few models (see `LEAST`).
        """
        roles = (*ROLES, TUNED) if np.ndim(X) == 2 and np.shape(X)[1] == len(ROLES) + 1 else ROLES
        given, measured = inputs(X, roles), targets(y)
        same_length(given, measured)
        for row, j in np.argwhere((measured.values < 0.0) | (measured.values > 1.0)):
            raise PredictorError(
                f"{given.table.where(int(row))}: score '{measured.names[j]}' is {measured.values[row, j]:g}, outside "
                "[0, 1]; give fractions, not percent"
            )
        least = LEAST + 2 * (roles != ROLES)
        if given.n < least:
            raise PredictorError(f"too few models ({given.n}) for the law's curves and its noise: give at least {least}")
        labels = given.labels(2)
        self.families_ = tuple(dict.fromkeys(labels))
        design = _design(given.positive(0), given.positive(1), _tuned(given))
        found = mixed_model(_logits(measured.values), design, self._one_hot(labels))
        self.slopes_, self.offsets_, self.offset_variance_ = found.slopes, found.offsets, found.offset_variance
        self.family_variance_, self.noise_variance_ = np.diag(found.between).copy(), np.diag(found.noise).copy()
        self.feature_names_in_, self.target_names_ = given.names, measured.names
        return self

    def predict(self, X: Any) -> FloatArray:
        """(n, benchmarks) expected scores, (n,) where fitted to one benchmark."""
        scores = self.predict_interval(X).scores
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict_interval(self, X: Any) -> Interval:
        """Expected scores with the range that noise and the uncertainty of the family's offset leave; that of a family which
        was not in training is the spread between families.
        """
        self._check_fitted()
        given = inputs(X, (*ROLES, TUNED)[: len(self.feature_names_in_)], self.feature_names_in_)
        design, labels = _design(given.positive(0), given.positive(1), _tuned(given)), given.labels(2)
        families = self._one_hot(labels)
        eta = design @ self.slopes_ + families @ self.offsets_
        new = families.sum(axis=1, keepdims=True) == 0.0
        variance = np.where(new, self.family_variance_, families @ self.offset_variance_) + self.noise_variance_
        reach = norm.ppf(0.5 + 0.5 * LEVEL) * np.sqrt(variance)
        unknown = tuple(dict.fromkeys(label for label in labels if label not in self.families_))
        return Interval(_logistic(eta), _logistic(eta - reach), _logistic(eta + reach), unknown)

    def _error(self, y: FloatArray, predicted: FloatArray) -> float:
        return 100.0 * float(np.nanmean(np.abs(y - predicted)))

    def _one_hot(self, labels: list[str]) -> FloatArray:
        """(n, families); rows of zeros for families that were not in training."""
        return np.asarray(np.asarray(labels)[:, None] == np.asarray(self.families_)[None], dtype=np.float64)


def _design(params: FloatArray, tokens: FloatArray, tuned: FloatArray) -> FloatArray:
    """(n, 6): one, log F, its square, log params, tuned and tuned log F, with F = params tokens.

    Columns that the table does not determine, as where no model is tuned, get no weight: least squares are of least norm.
    """
    logs = np.log(params) + np.log(tokens)
    return np.stack([np.ones_like(logs), logs, logs**2, np.log(params), tuned, tuned * logs], axis=1)


def _tuned(given: Inputs) -> FloatArray:
    """(n,) the column `TUNED`, zeros where the table has none.  Raises PredictorError naming a cell that is not 0 or 1."""
    if len(given.names) == len(ROLES):
        return np.zeros(given.n)
    values = given.numbers(len(ROLES))
    for row in np.flatnonzero((values != 0.0) & (values != 1.0)):
        raise PredictorError(
            f"{given.table.where(int(row))}: column '{given.names[len(ROLES)]}' is {values[row]:g}; it says whether a model "
            "is tuned to follow instructions: 1 or 0"
        )
    return values


def _logits(scores: FloatArray) -> FloatArray:
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    return np.asarray(np.log(clipped / (1.0 - clipped)))


@dataclass(frozen=True)
class Mixed:
    """Estimates of Z = X b + families u + e, u ~ N(0, between), e ~ N(0, noise)."""

    slopes: FloatArray
    """(p, J) b."""
    offsets: FloatArray
    """(F, J) posterior means of u."""
    offset_variance: FloatArray
    """(F, J) posterior variances of u."""
    between: FloatArray
    """(J, J)."""
    noise: FloatArray
    """(J, J)."""


def mixed_model(Z: FloatArray, X: FloatArray, families: FloatArray) -> Mixed:
    """Estimates by EM.

    Args:
        Z: (n, J) responses.
        X: (n, p) regressors.
        families: (n, F) one-hot; families without rows get offsets of zero.
    """
    n, J = Z.shape
    counts = families.sum(axis=0)
    present = counts > 0
    slopes = np.linalg.lstsq(X, Z, rcond=None)[0]
    residual = Z - X @ slopes
    noise = 0.5 * residual.T @ residual / n + 1e-4 * np.eye(J)
    between = noise.copy()
    offsets = np.zeros((families.shape[1], J))
    variance = np.zeros((families.shape[1], J, J))
    for _ in range(ITERATIONS):
        precision = np.linalg.inv(noise)
        variance = np.linalg.inv(np.linalg.inv(between)[None] + counts[:, None, None] * precision[None])
        offsets = np.einsum("fjk,kl,fl->fj", variance, precision, families.T @ (Z - X @ slopes))
        slopes = np.linalg.lstsq(X, Z - families @ offsets, rcond=None)[0]
        rest = Z - X @ slopes - families @ offsets
        spread = offsets[present].T @ offsets[present] + variance[present].sum(axis=0)
        between = spread / present.sum() + JITTER * np.eye(J)
        noise = (rest.T @ rest + np.einsum("f,fjk->jk", counts, variance)) / n + JITTER * np.eye(J)
    spread = np.diagonal(variance, axis1=1, axis2=2).copy()
    return Mixed(np.asarray(slopes, dtype=np.float64), offsets, spread, between, noise)


def _logistic(eta: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-eta)))
