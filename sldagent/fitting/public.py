"""Fit one program to a task and predict with fitted parameters: what the command line and the Python API call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.diagnosis import FitDiagnosis, diagnose
from sldagent.fitting.engines import Engine, fit_one
from sldagent.fitting.graph import Layout
from sldagent.fitting.job import Job
from sldagent.fitting.reference import reference
from sldagent.fitting.result import Effort
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law, layout_of
from sldagent.fitting.uncertainty import standard_errors
from sldagent.laws.program import Law, Program
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]

BLOCK_ROWS = 64
"""Rows whose evaluation takes as long as what else a block costs."""
THOROUGH_WORK = 100_000
"""Rows x operations up to which a fit by hand searches thoroughly."""


@dataclass(frozen=True)
class Fit:
    """A program fitted to all rows of a task."""

    program: Program
    parameters: dict[str, FloatArray]
    """By name; axes: groups (length 1 for shared parameters), then the law's index axes."""
    standard_errors: dict[str, FloatArray]
    """Same axes; NaN where the rows do not determine a parameter."""
    objective: float
    """Sum over rows and targets of the recipe's loss."""
    r2: float
    """1 - mean over targets of MSE / variance, pooled over groups, on the rows fitted; NaN where a target is constant."""
    evaluations: int
    diagnosis: FitDiagnosis | None = None
    """How well the rows determine the parameters; None where the program's own code found them."""


def fit_program(
    program: Program, task: Task, *, seed: int = 0, effort: Effort | None = None, engine: Engine = "auto"
) -> Fit:
    """Fit `program` to every row of `task`, by the engine that suits the batch or by the one asked for.

    Raises:
        FitError: the law does not belong to the task, a group has fewer rows than parameters, no start succeeded, or
            the engine is not installed.
        ConfigError: `engine` is not one of auto, cpu and jax.
    """
    law = compile_law(program.law, layout_of(task))
    rows = Rows.of_task(task)
    counts = np.diff(rows.starts)
    per_block = law.local / (1 if law.split else law.targets)
    for g in np.nonzero((counts > 0) & (counts < per_block))[0]:
        raise FitError(
            f"group '{task.groups[g]}' has {counts[g]} rows for {law.local} parameters: "
            "use a law with fewer, or share some between groups."
        )
    total = law.local * int((counts > 0).sum()) + law.shared
    if rows.n * (1 if law.split else law.targets) < total:
        raise FitError(
            f"{rows.n} rows cannot determine {total} parameters: use a law with fewer, or share some between groups."
        )
    tries = effort or _effort(law, rows, program)
    result = fit_one(Job(law, rows, program.recipe, np.random.default_rng(seed), effort=tries), engine)
    if not result.ok:
        raise FitError(f"the law cannot be fitted to '{task.name}': {result.failure}")
    predicted = predict(program.law, result.parameters, rows.X, rows.group, layout_of(task))
    spread = np.var(rows.Y, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        nmse = np.where(spread > 0.0, np.mean((predicted.T - rows.Y) ** 2, axis=1) / spread, np.nan)
    return Fit(
        program,
        result.parameters,
        standard_errors(result, rows, program.recipe),
        result.objective,
        float(1.0 - np.mean(nmse)),
        result.evaluations,
        diagnose(result, rows, program.recipe),
    )


def _effort(law: CompiledLaw, rows: Rows, program: Program) -> Effort:
    """A thorough search where it takes less than about a second, else twice the recipe's starts."""
    blocks = int((np.diff(rows.starts) > 0).sum()) * (law.targets if law.split else 1)
    operations = law.tapes.ops.shape[1] + len(law.slots) ** 2 / 16  # a row's share of the normal equations
    work = max(rows.Y.size, BLOCK_ROWS * blocks) * operations
    return Effort(starts=2 * program.recipe.starts, keep=4, iterations=200, thorough=work <= THOROUGH_WORK)


def predict(
    law: Law, parameters: Mapping[str, FloatArray], X: FloatArray, group: NDArray[np.int64], layout: Layout
) -> FloatArray:
    """Predictions (rows, targets) of a law with fitted parameters, by the numpy reference interpreter.

    Args:
        parameters: by name, axes as in `Fit.parameters`.
        X: (rows, variables) in the layout's column order.
        group: (rows,) index into the parameters' first axis.

    Raises:
        FitError: the law uses something that the layout or the parameters lack.
    """
    compiled = compile_law(law, layout)
    rows = Rows(
        X, np.zeros((layout.targets, len(X))), group, int(group.max(initial=-1)) + 1, np.ones((layout.targets, len(X)))
    )
    features = compiled.tapes.matrix(rows)
    out = np.empty((layout.targets, rows.n))
    for t in range(layout.targets):
        values = []
        for name, element in compiled.slots:
            if name not in parameters:
                raise FitError(f"the law's parameter '{name}' has no fitted value.")
            axis = compiled.target_axis[name]
            if compiled.split:
                element = (*element[:axis], t, *element[axis + 1 :])
            table = np.asarray(parameters[name])
            own = table.reshape(table.shape[0], -1)[:, np.ravel_multi_index(element, table.shape[1:]) if element else 0]
            values.append(own[rows.group] if len(own) > 1 else np.full(rows.n, own[0]))
        tapes, length = compiled.tapes, compiled.tapes.lengths[t]
        out[t] = reference.run(
            tapes.ops[t, :length],
            tapes.left[t, :length],
            tapes.right[t, :length],
            tapes.value[t, :length],
            features,
            values,
        )
    result = np.empty_like(out.T)
    result[rows.order] = out.T
    return result
