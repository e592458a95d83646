"""What laws predict beyond the data, and how far they disagree there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.fitted import Fitted
from sldagent.tasks.task import Task, inputs

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Beyond:
    """Predictions at one corner beyond the data."""

    factor: float
    point: dict[str, float]
    """The inputs, by column."""
    laws: tuple[str, ...]
    groups: tuple[str, ...]
    targets: tuple[str, ...]
    values: FloatArray
    """(laws, groups, targets)."""

    @property
    def disagreement(self) -> FloatArray:
        """(groups, targets): largest less smallest prediction, relative to the first law's."""
        with np.errstate(all="ignore"):
            return np.asarray(np.ptp(self.values, axis=0) / np.abs(self.values[0]))


def corner(card: Mapping[str, Any], factor: float) -> dict[str, float] | None:
    """Inputs with every scale variable at `factor` times its largest training value; None without scale variables.

    Settings stand at the middle of their range (of its logarithm where it is positive), proportions are all equal.
    """
    point: dict[str, float] = {}
    scaled = False
    for v in card["variables"]:
        low, high = float(v["min"]), float(v["max"])
        if v["role"] == "scale":
            scaled = True
            point[v["name"]] = high + math.log(factor) / math.log(v["log_base"]) if v["log"] else high * factor
        elif v["role"] == "proportion":
            size = next((len(m) for m in card["vectors"].values() if v["symbol"] in m), 1)
            point[v["name"]] = 1.0 / size
        else:
            point[v["name"]] = math.sqrt(low * high) if low > 0 else 0.5 * (low + high)
    return point if scaled else None


def predict_beyond(laws: Sequence[Fitted], factor: float, task: Task | None = None) -> Beyond | None:
    """Predictions of laws of one task, for each group; None where there is no scale variable to extend.

    `task` holds rows of theirs, where any are at hand.
    """
    card = laws[0].card
    point = corner(card, factor)
    if point is None:
        return None
    groups = laws[0].groups
    rows = _rows(laws[0], point) if task is None else _points(task, point)
    values = np.stack([law.predict_rows(rows) for law in laws])
    return Beyond(factor, point, tuple(law.law for law in laws), groups, laws[0].targets, values)


def _points(task: Task, point: Mapping[str, float]) -> Task:
    """One row per group, under the roles of a task."""
    n = len(task.groups)
    X = np.tile([point[v.name] for v in task.variables], (n, 1))
    return inputs(task, X, np.arange(n))


def _rows(law: Fitted, point: Mapping[str, float]) -> Task:
    """The same, under the roles that a law keeps."""
    import pandas

    frame = pandas.DataFrame([point] * len(law.groups))
    if law.card.get("group_column"):
        frame[law.card["group_column"]] = list(law.groups)
    return law.rows(frame)
