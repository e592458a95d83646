"""Resampled constants of a law: what its rows leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PlanError, SldagentError
from sldagent.fitted import Fitted
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import Resampling
from sldagent.uncertainty.laws import with_bootstrap

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """The rows behind a law, as far as they are at hand."""

    draws: tuple[Mapping[str, FloatArray], ...] = ()
    """Constants refitted to resampled training rows, each from the law's own."""
    noise: FloatArray | None = None
    """(groups, targets) root mean square residual of the law on its training rows."""
    missing: str = ""
    """Why there are none, one sentence."""


def evidence(law: Fitted, table: Any, count: int, seed: int = 0) -> Evidence:
    """Resampled constants from the law's training rows.

    Args:
        table: path or data frame of the rows; None: those that the law brings along, else the table that it was found on,
            where it still lies there.

    Raises PlanError where a table was given and the law cannot be refitted to it.
    """
    given = table is not None
    if not given and law.training is None:
        source = str(law.card.get("source") or "")
        if not Path(source).is_file():
            return Evidence(missing=f"no intervals: the law's rows are not at hand ('{source}'); name them with --table")
        table = source
    try:
        task = law.training if table is None else law.rows(table, require_target=True).part("train")
        assert task is not None
        if len(task.X) == 0:
            raise PlanError(f"{task.source}: no training row")
        found = with_bootstrap(replace(law, training=task), Resampling(count, seed)).bootstrap
    except SldagentError as error:
        if given:
            raise
        return Evidence(missing=f"no intervals: {error}")
    assert found is not None
    return Evidence(tuple(found.each()), _noise(law, task))


def _noise(law: Fitted, task: Task) -> FloatArray:
    residual = law.predict_rows(task) - task.Y
    out = np.full((len(law.groups), task.Y.shape[1]), np.nan)
    for group in np.unique(task.group):
        out[group] = np.sqrt(np.mean(residual[task.group == group] ** 2, axis=0))
    return out
