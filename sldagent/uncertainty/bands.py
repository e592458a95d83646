"""Intervals of predictions from a law's `Spread`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks.levels import log_axis
from sldagent.tasks.task import Task
from sldagent.uncertainty.reach import Box
from sldagent.uncertainty.spread import Spread

FloatArray = NDArray[np.float64]
Predict = Callable[[Mapping[str, FloatArray]], FloatArray]
"""Predictions (rows, targets) by parameters."""

STEP = 1e-5
"""Of the central differences, relative to the parameter (or to its standard error where that is larger)."""


def bands(
    spread: Spread,
    task: Task,
    parameters: Mapping[str, FloatArray],
    predict: Predict,
    level: float,
    others: Sequence[FloatArray] = (),
    noise_scale: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Low and high ends, each (rows, targets), of central prediction intervals.

    Args:
        task: the rows, read under the law's roles.
        parameters: the fitted values.
        predict: the law on these rows.
        others: predictions of further short-listed laws, each (rows, targets).
        noise_scale: (rows,) the noise column's values; None: its typical value.

    Ends lie inside the target's range.  Where noise is relative and the prediction positive they are f exp(-h / f) and
    f exp(h / f), h the half width, so that the lower one stays positive.  NaN where the prediction is not finite.
    """
    f = predict(parameters)
    deviation = np.sqrt(variance(spread, task, parameters, predict, f, others, noise_scale))
    with np.errstate(all="ignore"):
        half = deviation * spread.factor(level)
        low, high = f - half, f + half
        if spread.relative:
            ratio = np.exp(np.minimum(half / np.abs(f), 700.0))
            low, high = np.where(f > 0.0, f / ratio, low), np.where(f > 0.0, f * ratio, high)
    for t, target in enumerate(task.targets):
        low[:, t] = np.clip(low[:, t], *target.range)
        high[:, t] = np.clip(high[:, t], *target.range)
    bad = ~np.isfinite(f)
    low[bad] = high[bad] = np.nan
    return low, high


def variance(
    spread: Spread,
    task: Task,
    parameters: Mapping[str, FloatArray],
    predict: Predict,
    f: FloatArray,
    others: Sequence[FloatArray] = (),
    noise_scale: FloatArray | None = None,
) -> FloatArray:
    """(rows, targets): the four parts of `spread`'s formula added up."""
    size = np.abs(f)
    column = np.full(len(f), spread.typical) if noise_scale is None else noise_scale
    noise = spread.noise.T[task.group] * (size if spread.relative else 1.0) * column[:, None]
    distance = Box.read(spread.box).beyond(log_axis(task), task.group)[:, None]
    growth = spread.growth.T[task.group] * (size if spread.growth_relative else 1.0) * distance
    out = noise**2 + growth**2 + _parameters(spread, task, parameters, predict)
    if others:
        with np.errstate(all="ignore"):
            out = out + np.mean([np.zeros_like(f), *((other - f) ** 2 for other in others)], axis=0)
    return np.asarray(out)


def _parameters(
    spread: Spread, task: Task, parameters: Mapping[str, FloatArray], predict: Predict
) -> FloatArray:
    """(rows, targets) J S J', all blocks in one step where their parameters differ only in the group."""
    shape = (len(task.X), len(task.targets))
    out = np.zeros(shape)
    for target in sorted({b.target for b in spread.blocks}):
        blocks = {b.group: b for b in spread.blocks if b.target == target}
        first = next(iter(blocks.values()))
        J = np.zeros((len(first.names), *shape))
        for q in range(len(first.names)):
            up, down = ({n: np.array(v, dtype=float) for n, v in parameters.items()} for _ in range(2))
            width = np.ones(len(task.groups))
            for g, block in blocks.items():
                name, index = block.names[q]
                value = float(parameters[name][index])
                error = float(np.sqrt(max(block.covariance[q, q], 0.0)))
                step = max(STEP * abs(value), 1e-3 * error, 1e-12)
                if len(parameters[name]) == 1 and len(blocks) > 1:  # shared: one step for all groups
                    step = max(STEP * abs(value), 1e-12)
                up[name][index], down[name][index] = value + step, value - step
                width[g] = 2.0 * step
            with np.errstate(all="ignore"):
                J[q] = (predict(up) - predict(down)) / width[task.group][:, None]
        J = np.nan_to_num(J, nan=0.0, posinf=0.0, neginf=0.0)
        for g, block in blocks.items():
            mine = task.group == g
            part = np.einsum("qnt,qr,rnt->nt", J[:, mine], block.covariance, J[:, mine])
            span = slice(None) if target < 0 else slice(target, target + 1)
            out[mine, span] = np.maximum(part[:, span], 0.0)
    return out
