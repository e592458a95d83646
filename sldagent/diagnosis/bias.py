"""Signed error of a law beyond the rows that fitted it, by cut, and inside them, by regime."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import MIN_ROWS, Axes, regimes
from sldagent.diagnosis.model import Model
from sldagent.errors import FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.fixed import fixed
from sldagent.fitting.result import Point, predict_point
from sldagent.fitting.rows import Rows

FloatArray = NDArray[np.float64]

REFIT = 25
"""Levenberg-Marquardt trial points of the refit to a cut's kept rows, from the constants of all rows."""


@dataclass(frozen=True)
class CutBias:
    """One cut and target.  Errors are in units of the target's training standard deviation within its group."""

    cut: str
    variable: str
    target: str
    rows: int
    bias: float
    """Mean of prediction less observation on the held-out rows; positive: the law predicts too much.  NaN: no refit, or
    fewer than `MIN_ROWS` rows."""
    error: float
    """Root mean square on the held-out rows, from the evaluation."""
    inside: float
    """The same on the kept rows."""


@dataclass(frozen=True)
class Regime:
    """Mean signed residual of the fit to all rows in one third of a variable, or in a corner of two."""

    target: str
    where: tuple[tuple[str, str], ...]
    """(symbol, ``small``, ``middle`` or ``large``)."""
    rows: int
    mean: float
    z: float
    """Mean over its standard error, rows taken as independent."""


def cut_biases(evaluator: Evaluator, model: Model) -> tuple[CutBias, ...]:
    """By cut and target, in order."""
    scores = {(s.cut, s.target): s for s in model.evaluation.cuts}
    names = [t.name for t in evaluator.grounds.task.targets]
    out = []
    for prepared in evaluator.grounds.cuts:
        means = _held_bias(evaluator, model, prepared.kept, prepared.held)
        for t, name in enumerate(names):
            score = scores.get((prepared.cut.name, name))
            error = float(np.exp(0.5 * score.log_mse)) if score else float("nan")
            inside = float(np.exp(0.5 * score.kept_log_mse)) if score else float("nan")
            variable = prepared.cut.variable
            out.append(CutBias(prepared.cut.name, variable, name, prepared.held.n, float(means[t]), error, inside))
    return tuple(out)


def _held_bias(evaluator: Evaluator, model: Model, kept: Rows, held: Rows) -> FloatArray:
    """(targets,) mean signed error on the held-out rows, constants refitted to the kept ones; NaN where that fails."""
    law = model.compiled
    nothing = np.full(law.targets, np.nan)
    counts = np.diff(kept.starts)
    if held.n < MIN_ROWS or counts[counts > 0].min() <= law.local / (1 if law.split else law.targets):
        return nothing
    present = (counts > 0)[model.result.blocks.group]
    warm = Point(model.result.point.local[present], model.result.point.shared)
    try:
        with np.errstate(all="ignore"):
            refit = fixed(law, kept, model.program.recipe, warm, polish=REFIT)
            predicted = predict_point(law, law.tapes, held, refit.blocks, refit.point)
    except FitError:
        return nothing
    if not refit.ok or not np.isfinite(predicted).all():
        return nothing
    return np.asarray(evaluator.normalised(held, predicted).mean(axis=1))


def regime_biases(axes: Axes, targets: tuple[str, ...], residual: FloatArray) -> tuple[Regime, ...]:
    """Every third of every variable that varies, then the corners of every pair of scale variables.

    Args:
        axes: of the rows.
        residual: (targets, rows), prediction less observation, normalised.
    """
    thirds = {k: regimes(axes.values[:, k]) for k in axes.varies}
    places: list[tuple[tuple[tuple[str, str], ...], NDArray[np.bool_]]] = []
    for k, parts in thirds.items():
        places.extend((((axes.symbols[k], name),), mask) for name, mask in parts.items())
    scale = axes.of_role("scale")
    for i, j in enumerate(scale):
        for k in scale[i + 1 :]:
            for a in ("small", "large"):
                for b in ("small", "large"):
                    if a in thirds[j] and b in thirds[k]:
                        corner = ((axes.symbols[j], a), (axes.symbols[k], b))
                        places.append((corner, thirds[j][a] & thirds[k][b]))
    out = []
    for where, mask in places:
        n = int(mask.sum())
        if n < MIN_ROWS:
            continue
        for t, name in enumerate(targets):
            part = residual[t, mask]
            mean = float(part.mean())
            error = float(part.std(ddof=1)) / math.sqrt(n)
            out.append(Regime(name, where, n, mean, mean / error if error > 0 else 0.0))
    return tuple(out)
