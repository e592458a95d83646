"""A law for benchmark scores over compute and family with partial pooling: a linear mixed model of the scores' logits.

    logit y_ij = b_j0 + b_j1 log F_i + b_j2 (log F_i)^2 + u_{f(i) j} + e_ij,    u_f ~ N(0, S_u),  e_i ~ N(0, S_e)

with F = params tokens.  Every benchmark has its own curve; a family's offsets u_f are drawn towards zero, and towards each
other as S_u says, by as much as the family has few models.  S_u, S_e and b are estimated by EM (Laird and Ware 1982, with
several responses), u_f is its posterior mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.predictors.sloth.protocol import Ground

FloatArray = NDArray[np.float64]

CLIP = 0.01
"""Scores are kept so far from 0 and 1 before the logit."""
ITERATIONS = 60
JITTER = 1e-6


def pooled(ground: Ground) -> list[FloatArray]:
    """By fold, (n, benchmarks) predictions from the fold's training rows."""
    logs = np.log(ground.params) + np.log(ground.tokens)
    design = np.stack([np.ones_like(logs), logs, logs**2], axis=1)
    clipped = np.clip(ground.scores, CLIP, 1.0 - CLIP)
    logits = np.log(clipped / (1.0 - clipped))
    out = []
    for fold in ground.folds:
        train = ~fold.test
        slopes, offsets = mixed_model(logits[train], design[train], ground.one_hot[train])
        out.append(1.0 / (1.0 + np.exp(-(design @ slopes + ground.one_hot @ offsets))))
    return out


def mixed_model(Z: FloatArray, X: FloatArray, families: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients (p, J) and family offsets (F, J) of Z = X b + families u + e.

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
    for _ in range(ITERATIONS):
        precision = np.linalg.inv(noise)
        variance = np.linalg.inv(np.linalg.inv(between)[None] + counts[:, None, None] * precision[None])
        offsets = np.einsum("fjk,kl,fl->fj", variance, precision, families.T @ (Z - X @ slopes))
        slopes = np.linalg.lstsq(X, Z - families @ offsets, rcond=None)[0]
        rest = Z - X @ slopes - families @ offsets
        spread = offsets[present].T @ offsets[present] + variance[present].sum(axis=0)
        between = spread / present.sum() + JITTER * np.eye(J)
        noise = (rest.T @ rest + np.einsum("f,fjk->jk", counts, variance)) / n + JITTER * np.eye(J)
    return np.asarray(slopes, dtype=np.float64), offsets
