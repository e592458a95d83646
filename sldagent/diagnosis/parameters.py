"""A law's parameters: values, standard errors, bounds met and strong correlations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.model import Model
from sldagent.errors import FitError
from sldagent.fitting.fit import normal_matrices
from sldagent.fitting.rows import Rows
from sldagent.fitting.uncertainty import standard_errors

FloatArray = NDArray[np.float64]

STRONG = 0.95
"""Correlations from here on are listed."""
WIDE = 40
"""With more fitted scalars standard errors come from each block's normal matrix, not from all rows' Jacobian."""


@dataclass(frozen=True)
class ParameterCard:
    """One parameter (over its groups and elements)."""

    name: str
    kind: str
    shared: bool
    count: int
    """Fitted scalars behind the name."""
    low: float
    middle: float
    high: float
    """Smallest, median and largest value."""
    error: float
    """Median standard error relative to the value; NaN where not known, inf where the rows do not determine it."""
    at_bound: bool


@dataclass(frozen=True)
class Correlation:
    """Two scalars of one block, by name; the largest magnitude over blocks."""

    first: str
    second: str
    value: float


@dataclass(frozen=True)
class ParameterCards:
    cards: tuple[ParameterCard, ...]
    correlations: tuple[Correlation, ...]
    undetermined: int
    """Directions that the rows do not determine."""


def parameter_cards(model: Model, rows: Rows) -> ParameterCards:
    """In the order of the law's declarations."""
    law, evaluation = model.program.law, model.evaluation
    try:
        matrices, _ = normal_matrices(model.result, rows, model.program.recipe)
    except FitError:
        matrices = np.zeros((0, 0, 0))
    errors = _relative_errors(model, rows, matrices)
    cards = []
    for p in law.parameters:
        values = np.asarray(evaluation.parameters[p.name], dtype=np.float64)
        finite = values[np.isfinite(values)]
        if not finite.size:
            continue
        error = errors.get(p.name, float("nan"))
        low, middle, high = (float(v) for v in (finite.min(), np.median(finite), finite.max()))
        shared, bound = p.scope == "shared", p.name in evaluation.at_bounds
        cards.append(ParameterCard(p.name, p.kind, shared, int(finite.size), low, middle, high, error, bound))
    return ParameterCards(tuple(cards), _correlations(model, matrices), evaluation.rank_deficient)


def _relative_errors(model: Model, rows: Rows, matrices: FloatArray) -> dict[str, float]:
    """By parameter: the median over its scalars of standard error over value; inf where not determined."""
    with np.errstate(all="ignore"):
        if model.result.point.local.size + model.result.point.shared.size > WIDE:
            return _block_errors(model, rows, matrices)
        try:
            errors = standard_errors(model.result, rows, model.program.recipe)
        except (FitError, np.linalg.LinAlgError):
            return {}
        out = {}
        for name, error in errors.items():
            values = np.asarray(model.evaluation.parameters[name], dtype=np.float64)
            relative = np.abs(error) / np.maximum(np.abs(values), 1e-300)
            relative = np.where(np.isfinite(values) & ~np.isfinite(relative), np.inf, relative)
            out[name] = float(np.median(relative[np.isfinite(values)]))
        return out


def _block_errors(model: Model, rows: Rows, matrices: FloatArray) -> dict[str, float]:
    """Classical standard errors s (H^-1)_qq^(1/2) of every block, H the normal matrix and s^2 its mean squared residual.

    Not for absolute loss, whose curvature says nothing of its spread.
    """
    law, recipe, blocks = model.compiled, model.program.recipe, model.result.blocks
    if recipe.loss == "absolute":
        return {}
    residual = model.predicted - rows.Y
    if recipe.space == "relative":
        residual = residual / np.abs(rows.Y)
    elif recipe.space == "log":
        residual = np.log(model.predicted) - np.log(rows.Y)
    weight = rows.weights(recipe.emphasis) ** 2
    if recipe.loss == "huber":
        weight = weight * np.minimum(1.0, recipe.delta / np.maximum(np.abs(residual), 1e-300))
    square = weight * residual**2
    problem = np.searchsorted(blocks.problems, np.arange(len(blocks.group)), side="right") - 1
    found: dict[str, list[float]] = {}
    for b, (H, group, target) in enumerate(zip(matrices, blocks.group, blocks.target, strict=True)):
        part = square[:, rows.group == group] if target < 0 else square[target, rows.group == group]
        variance = float(part.sum()) / max(part.size - len(H), 1)
        size = np.sqrt(np.maximum(np.diag(H), 1e-300))
        values, vectors = np.linalg.eigh(H / size[:, None] / size[None, :])
        good = values > 1e-12
        inverse = (vectors[:, good] ** 2 / values[good]).sum(axis=1) / size**2
        loose = (vectors[:, ~good] ** 2).sum(axis=1) > 1e-6
        theta = np.concatenate([model.result.point.local[b], model.result.point.shared[problem[b]]])
        unit = np.where(law.transform == 1, 1.0, np.maximum(np.abs(theta), 1e-300))
        for q, value in enumerate(np.where(loose, np.inf, np.sqrt(variance * inverse) / unit)):
            found.setdefault(law.slots[q][0], []).append(float(value))
    return {name: float(np.median(values)) for name, values in found.items()}


def _correlations(model: Model, matrices: FloatArray) -> tuple[Correlation, ...]:
    """Pairs of parameters whose estimates move together, from the inverse of each block's normal matrix.

    For a law with shared parameters the block's matrix holds them too, as if they were that block's own: a lower bound of
    what all blocks together determine, but the pairs that cannot be told apart are the same.
    """
    law = model.compiled
    found: dict[tuple[str, str], float] = {}
    labels = [name + (f"[{','.join(str(e + 1) for e in element)}]" if element else "") for name, element in law.slots]
    for H in matrices:
        if not np.isfinite(H).all():
            continue
        size = np.sqrt(np.maximum(np.diag(H), 1e-300))
        inverse = np.linalg.pinv(H / size[:, None] / size[None, :], rcond=1e-13, hermitian=True)
        spread = np.sqrt(np.maximum(np.diag(inverse), 1e-300))
        correlation = inverse / spread[:, None] / spread[None, :]
        for i, j in np.argwhere(np.triu(np.abs(correlation) >= STRONG, 1)):
            pair, value = (labels[i], labels[j]), float(np.clip(correlation[i, j], -1.0, 1.0))
            if abs(value) > abs(found.get(pair, 0.0)):
                found[pair] = value
    ordered = sorted(found.items(), key=lambda item: -abs(item[1]))
    return tuple(Correlation(*pair, value) for pair, value in ordered)
