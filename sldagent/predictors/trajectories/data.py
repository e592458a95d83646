"""Trajectories: accuracy of one run on one task at its checkpoints, read from long tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.tables import Inputs, inputs, targets

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ROLES = ("run", "task", "step", "accuracy")


@dataclass(frozen=True)
class Trajectory:
    """One run on one task."""

    run: str
    task: str
    steps: FloatArray
    """(T,) training steps or tokens, increasing, above 0."""
    accuracy: FloatArray
    """(T,) in [0, 1]; NaN where it is not known."""
    losses: FloatArray
    """(T, p) what is known of the losses at each checkpoint, such as a histogram of exp(-loss); p may be 0."""
    rows: IntArray
    """(T,) rows of the table that it came from."""

    @property
    def context(self) -> int:
        """Checkpoints up to and with the last known accuracy."""
        known = np.flatnonzero(np.isfinite(self.accuracy))
        return int(known[-1]) + 1 if known.size else 0


def context_length(checkpoints: int, ratio: float) -> int:
    """Checkpoints that anchored forecasts may see: index 0 to int(ratio * T), as in arXiv 2601.19831."""
    return int(ratio * checkpoints) + 1


def read_trajectories(X: Any, columns: Sequence[str] | None = None) -> tuple[tuple[Trajectory, ...], Inputs]:
    """The trajectories of a long table, in order of first appearance.

    Args:
        X: frame or array with the columns run, task, step, accuracy (empty where unknown), then any of losses.
        columns: their names in a frame; None for all of the frame's columns in order.

    Raises:
        PredictorError, TableError: a cell cannot be used, accuracy is outside [0, 1], or steps do not increase within a
            trajectory; the row is named.
    """
    extra = (X.shape[1] if columns is None else len(columns)) - len(ROLES) if hasattr(X, "shape") and X.ndim == 2 else 0
    given = inputs(X, (*ROLES, *(f"loss{k + 1}" for k in range(max(extra, 0)))), columns)
    runs, tasks, steps = given.labels(0), given.labels(1), given.positive(2)
    name = given.names[3]
    frame = pd.DataFrame({name: given.table.column(name)})
    accuracy = targets(frame, missing=True).values[:, 0]
    bad = np.flatnonzero((accuracy < 0.0) | (accuracy > 1.0))
    if bad.size:
        raise PredictorError(
            f"{given.table.where(int(bad[0]))}: column '{name}' is {accuracy[bad[0]]:g}, outside [0, 1]; "
            "accuracies are shares: divide percentages by 100"
        )
    losses = (
        np.stack([given.numbers(k) for k in range(4, len(given.names))], axis=1) if extra > 0 else np.zeros((given.n, 0))
    )
    members: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(runs, tasks, strict=True)):
        members.setdefault(key, []).append(row)
    out = []
    for (run, task), listed in members.items():
        rows = np.array(listed)
        falls = np.flatnonzero(np.diff(steps[rows]) <= 0.0)
        if falls.size:
            raise PredictorError(
                f"{given.table.where(int(rows[falls[0] + 1]))}: the step does not increase within run '{run}', "
                f"task '{task}'; sort each trajectory by step and keep one row per step"
            )
        out.append(Trajectory(run, task, steps[rows], accuracy[rows], losses[rows], rows))
    return tuple(out), given


def blanked(X: pd.DataFrame, columns: Sequence[str], ratio: float) -> pd.DataFrame:
    """A copy of the table in which every trajectory's accuracy is known only in its context (see `context_length`)."""
    trajectories, _ = read_trajectories(X[list(columns)], columns)
    values = pd.to_numeric(X[columns[3]], errors="coerce").to_numpy(dtype=np.float64, copy=True)
    for t in trajectories:
        values[t.rows[context_length(len(t.rows), ratio) :]] = np.nan
    out = X.assign(**{columns[3]: values})
    out.attrs.update(X.attrs)
    return out
