"""Fit one program by its own code, outside any run."""

from __future__ import annotations

import numpy as np

from sldagent.errors import FitError
from sldagent.evaluation.custom import JailSource, custom_fit
from sldagent.fitting.public import Fit, predict
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.fitting.uncertainty import standard_errors
from sldagent.foreign.program import FIT_SECONDS
from sldagent.laws.program import Program
from sldagent.tasks.task import Task


def fit_by_own_code(program: Program, task: Task, jails: JailSource) -> Fit:
    """`fit_program` for a program with a ``custom_fit``, which runs in the jail.

    Raises FitError where the code gives no usable constants, or there is no jail to run it in.
    """
    law, rows = compile_law(program.law, layout_of(task)), Rows.of_task(task)
    result = custom_fit(program, law, rows, task, jails, polish=False, seconds=FIT_SECONDS)
    if not result.ok:
        raise FitError(f"the law cannot be fitted to '{task.name}' by its own code: {result.failure}")
    predicted = predict(program.law, result.parameters, rows.X, rows.group, layout_of(task))
    nmse = np.mean((predicted.T - rows.Y) ** 2, axis=1) / np.maximum(np.var(rows.Y, axis=1), 1e-300)
    errors = standard_errors(result, rows, program.recipe)
    return Fit(program, result.parameters, errors, result.objective, float(1.0 - np.mean(nmse)), result.evaluations)
