"""The laws that a figure shows, and what is drawn of each: a line and perhaps an interval around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitted import Fitted
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.report.figures.style import Role
from sldagent.tasks.task import Task, inputs
from sldagent.uncertainty.bootstrap import LEVEL

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """One law of a figure."""

    role: Role
    label: str
    fitted: Fitted
    refits: tuple[Mapping[str, FloatArray], ...] = ()
    """Parameters of refits to resampled training rows, whose predictions are the interval drawn."""
    level: float | None = None
    """Without refits: the share of new measurements that the interval drawn holds; None: no interval."""
    note: str = ""
    """Added to the label, such as a score."""

    def predict(self, task: Task, X: FloatArray, group: IntArray) -> FloatArray:
        """(rows, targets)."""
        with np.errstate(all="ignore"):
            return predict(self.fitted.program.law, self.fitted.parameters, X, group, layout_of(task))

    def band(self, task: Task, X: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray] | None:
        """Ends of the central interval, each (rows, targets); None without one, or where nothing is known of it.

        A point at which fewer than half of the refits are finite has no interval (NaN).
        """
        if self.refits:
            return self._of_refits(task, X, group)
        if self.level is None:
            return None
        try:
            with np.errstate(all="ignore"):
                return self.fitted.interval_rows(inputs(task, X, group), self.level)
        except FitError:
            return None

    def _of_refits(self, task: Task, X: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
        law, layout = self.fitted.program.law, layout_of(task)
        with np.errstate(all="ignore"):
            values = np.stack([predict(law, p, X, group, layout) for p in self.refits])
        values[~np.isfinite(values)] = np.nan
        few = np.mean(np.isfinite(values), axis=0) < 0.5
        values[:, few] = 0.0
        tail = 50.0 * (1.0 - LEVEL)
        low, high = np.nanpercentile(values, [tail, 100.0 - tail], axis=0)
        low[few] = high[few] = np.nan
        return low, high


def group_order(task: Task, choice: Curve) -> list[int]:
    """Groups that have rows, from the best to the worst predicted by the choice: on test rows, where there are any.

    Errors are relative to the spread of the group's own rows.
    """
    rows = task.part("test") if (task.split == "test").any() else task
    with np.errstate(all="ignore"):
        residual = choice.predict(rows, rows.X, rows.group) - rows.Y
    errors = {}
    for g in np.unique(rows.group):
        spread = task.Y[task.group == g].var(axis=0)
        errors[int(g)] = float(np.mean((residual[rows.group == g] ** 2).mean(axis=0) / np.maximum(spread, 1e-300)))
    return sorted(errors, key=lambda g: (not np.isfinite(errors[g]), errors[g], g))
