"""What the network reads: context tokens, losses at the end of the context, and forecasts of the context along lines.

A sample is one trajectory, one end of context and one later checkpoint.  Accuracies stand relative to the mean of the last
three of the context, in units of `UNIT`; distances are logarithms of ratios of steps, so that a context of any spacing, with
gaps, reads alike.  Beside its context stands what other runs did on the task (see `references`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sldagent.predictors.trajectories.data import Trajectory
from sldagent.predictors.trajectories.references import Reference

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
UNIT = 0.05
"""Accuracy that counts as 1 in the network."""
TOKENS = 32
"""Most context tokens; longer contexts are thinned evenly (forecast lines still see all checkpoints)."""
LEAST = 3
"""Fewest checkpoints of a context."""
EXPONENTS = (0.0, 0.25, 0.5, 1.0)
"""Forecast lines are straight in step**-c; 0 stands for the logarithm of the step."""
TREND_GAIN = 0.02
"""Mean gain in accuracy, from the end of the context on, of the trends added to training samples."""
TREND_EXPONENTS = (0.05, 0.5)
UNKNOWN = 0.3
"""Share of training samples whose task counts as unknown, so that the network learns to forecast a new one."""
LINES = len(EXPONENTS) + 4
"""Forecasts of a context: the last accuracy, the mean of the last three, one line per exponent; along the reference, and the
line that is straight in it."""
QUERY = 4
"""What is known of the checkpoint wanted."""


@dataclass(frozen=True)
class Batch:
    """n samples."""

    tokens: NDArray[np.float32]
    """(n, L, 3) relative accuracy, the reference's relative to its own level, and log ratio of the step to the one before
    (0 for the first)."""
    mask: NDArray[np.bool_]
    """(n, L) true for tokens."""
    query: NDArray[np.float32]
    """(n, QUERY) log ratio of the step wanted to the last of the context; accuracy level of the context; log share of the
    last step at which the context ends; 1 where the task is known, else 0."""
    lines: NDArray[np.float32]
    """(n, LINES) forecasts of the context, relative."""
    losses: NDArray[np.float32]
    """(n, p) losses at the last checkpoint of the context."""
    level: FloatArray
    """(n,) accuracy that relative values are relative to."""
    y: NDArray[np.float32]
    """(n,) accuracy wanted, relative; NaN where unknown."""

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What the network and its loss read, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "level"}


def make_batch(
    trajectories: Sequence[Trajectory],
    index: IntArray,
    ends: IntArray,
    wanted: IntArray,
    references: Sequence[Reference],
    kept: Sequence[IntArray] | None = None,
    trends: FloatArray | None = None,
) -> Batch:
    """Samples of trajectories `index` with contexts up to checkpoint `ends` (known accuracies) and checkpoints `wanted`.

    Args:
        references: each sample's.
        kept: each sample's context checkpoints (the last one among them); default: all that are known.
        trends: (n, 2) gain from the end of the context to the end of the trajectory, and exponent, of a saturating power law
            that is added to the sample's accuracies.
    """
    n = len(index)
    seen_of = [
        np.flatnonzero(np.isfinite(trajectories[k].accuracy[: end + 1])) if kept is None else kept[i]
        for i, (k, end) in enumerate(zip(index, ends, strict=True))
    ]
    longest = min(TOKENS, max((len(seen) for seen in seen_of), default=1))
    tokens, mask = np.zeros((n, longest, 3), np.float32), np.zeros((n, longest), bool)
    query, lines = np.zeros((n, QUERY), np.float32), np.zeros((n, LINES), np.float32)
    losses = np.zeros((n, trajectories[0].losses.shape[1]), np.float32)
    level, y = np.zeros(n), np.zeros(n, np.float32)
    for i, seen in enumerate(seen_of):
        t = trajectories[index[i]]
        x, accuracy, ahead, truth = t.steps[seen], t.accuracy[seen], t.steps[wanted[i]], t.accuracy[wanted[i]]
        if trends is not None:
            gain, c = trends[i]
            scale = gain / (1.0 - (t.steps[-1] / x[-1]) ** -c)
            accuracy, truth = accuracy + scale * (1.0 - (x / x[-1]) ** -c), truth + scale * (1.0 - (ahead / x[-1]) ** -c)
        level[i] = accuracy[-3:].mean()
        beside = references[i].at(np.log(x / t.steps[-1]))
        base = beside[-3:].mean()
        later = references[i].at(np.log(ahead / t.steps[-1]))
        lines[i, :-2] = (forecast_lines(x / x[-1], accuracy, ahead / x[-1]) - level[i]) / UNIT
        lines[i, -2] = (later - base) / UNIT
        lines[i, -1] = (straight(beside, accuracy, later) - level[i]) / UNIT
        query[i] = np.log(ahead / x[-1]), level[i], np.log(x[-1] / t.steps[-1]), references[i].known
        losses[i] = t.losses[seen[-1]]
        y[i] = (truth - level[i]) / UNIT
        if len(seen) > TOKENS:
            thin = np.linspace(0, len(seen) - 1, TOKENS).round().astype(np.int64)
            x, accuracy, beside = x[thin], accuracy[thin], beside[thin]
        tokens[i, : len(x), 0] = (accuracy - level[i]) / UNIT
        tokens[i, : len(x), 1] = (beside - base) / UNIT
        tokens[i, 1 : len(x), 2] = np.diff(np.log(x))
        mask[i, : len(x)] = True
    return Batch(tokens, mask, query, lines, losses, level, y)


def forecast_lines(x: FloatArray, accuracy: FloatArray, ahead: float) -> FloatArray:
    """(LINES - 2,) forecasts at `ahead` from a context (x, accuracy) alone: last, mean of the last three, straight lines."""
    out = np.empty(LINES - 2)
    out[0], out[1] = accuracy[-1], accuracy[-3:].mean()
    for k, c in enumerate(EXPONENTS):
        u, v = (np.log(x), np.log(ahead)) if c == 0.0 else (x**-c, ahead**-c)
        out[2 + k] = straight(u, accuracy, v)
    return out


def straight(u: FloatArray, accuracy: FloatArray, ahead: float) -> float:
    """The least-squares line of (n,) accuracies over (n,) u, read at `ahead`; level where u does not vary."""
    offset = u - u.mean()
    size = offset @ offset
    slope = offset @ (accuracy - accuracy.mean()) / size if size > 1e-12 else 0.0
    return float(accuracy.mean() + slope * (ahead - u.mean()))


def draw(
    trajectories: Sequence[Trajectory],
    references: Sequence[tuple[Reference, Reference]],
    count: int,
    ratio: float,
    keep: float,
    rng: np.random.Generator,
    *,
    trended: float = 0.5,
) -> Batch:
    """Training samples: any trajectory, a context of half to two and a half times `ratio` of it, any later checkpoint.

    Every checkpoint of the context but the last stays with probability `keep`, and at least `LEAST` stay, so that the
    network learns to read gaps.  A share `trended` gets a further trend, a saturating power law of random exponent: larger
    models than those of training gain more under the same noise, and a network that saw small gains only expects small ones.
    Of each trajectory's two `references` the second, which does not know the task, stands beside a share `UNKNOWN`.
    """
    index = rng.integers(len(trajectories), size=count)
    ends, wanted, kept = np.empty(count, np.int64), np.empty(count, np.int64), []
    known = [np.flatnonzero(np.isfinite(t.accuracy)) for t in trajectories]
    for i, k in enumerate(index):
        points = known[k]
        low = max(LEAST, int(0.5 * ratio * len(points)))
        high = min(max(low + 1, int(2.5 * ratio * len(points))), len(points) - 2)
        end = int(rng.integers(min(low, high), high + 1))
        context = points[: end + 1]
        stay = rng.random(end + 1) < keep
        stay[-1] = True
        kept.append(context[stay] if stay.sum() >= LEAST else context)
        ends[i], wanted[i] = context[-1], points[rng.integers(end + 1, len(points))]
    gains = rng.exponential(TREND_GAIN, size=count) * (rng.random(count) < trended)
    trends = np.column_stack([gains, rng.uniform(*TREND_EXPONENTS, size=count)])
    beside = [references[k][int(new)] for k, new in zip(index, rng.random(count) < UNKNOWN, strict=True)]
    return make_batch(trajectories, index, ends, wanted, beside, kept, trends)
