"""How measured rows are shown, and what their columns are called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sldagent.report.figures.style import TEST, TRAIN, Look
from sldagent.tasks.task import Task, Variable

DRAWN = 300
"""Most training rows that one panel shows, evenly picked."""
TRAIN_LOOK = Look(TRAIN, mark="o")
TEST_LOOK = Look(TEST, mark="D")


def shown_rows(rows: NDArray[np.int64], task: Task) -> NDArray[np.int64]:
    """All test rows and at most `DRAWN` of the others, evenly over the first target's values."""
    test = task.split[rows] == "test"
    others = rows[~test]
    if len(others) > DRAWN:
        ordered = others[np.argsort(task.Y[others, 0], kind="stable")]
        others = ordered[np.linspace(0, len(ordered) - 1, DRAWN).round().astype(int)]
    return np.concatenate([others, rows[test]])


def variable_label(variable: Variable) -> str:
    """Its column and unit."""
    return variable.name + (f" ({variable.unit})" if variable.unit else "")
