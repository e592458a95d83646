"""Scores on a task's test rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sldagent.bench.results import Scored
from sldagent.evaluation.metrics import Metrics, mean_metrics, metrics
from sldagent.evaluation.result import Evaluation
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.laws.canonical import canonical
from sldagent.laws.program import Program
from sldagent.laws.render import render_expr
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]


def score(test: Task, predicted: FloatArray) -> Metrics | None:
    """Figures of predictions (rows, targets), averaged over targets; None without rows."""
    if len(test.X) == 0:
        return None
    return mean_metrics([metrics(test.Y[:, t], predicted[:, t]) for t in range(test.Y.shape[1])])


def scored(
    law: str, formula: str, figures: Metrics | None, evaluation: Evaluation | None = None
) -> Scored:
    """A law with its figures; those that are not finite become None."""
    return Scored(
        law=law,
        formula=formula,
        x=None if evaluation is None else finite(evaluation.x),
        complexity=None if evaluation is None else finite(evaluation.complexity),
        mdl=None if evaluation is None else finite(evaluation.mdl),
        r2=None if figures is None else finite(figures.r2),
        nmae=None if figures is None else finite(figures.nmae),
    )


def score_program(law: str, program: Program, evaluation: Evaluation, task: Task) -> Scored:
    """A judged program, scored with the parameters of its evaluation."""
    test = task.part("test")
    predicted = predict(program.law, evaluation.parameters, test.X, test.group, layout_of(task))
    return scored(law, render_expr(canonical(program.law).expr), score(test, predicted), evaluation)


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
