"""Predictions of a law whose parameters are known: from a fit, the archive or an exported file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.fit import Blocks, Point, make_blocks, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law, layout_of
from sldagent.laws.program import Law
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]


def apply_law(law: Law, parameters: Mapping[str, FloatArray], task: Task) -> FloatArray:
    """Predictions (rows, targets) for a task's rows, in table order.

    Args:
        law: over the task's symbols.
        parameters: values by name, axes as in `sldagent.evaluation.result.Evaluation.parameters`; the leading axis follows
            ``task.groups`` (which may hold further groups, as long as no row belongs to them).
        task: gives the inputs; its targets are not read.

    Raises FitError where a parameter has no value for a group that a row belongs to.
    """
    compiled = compile_law(law, layout_of(task))
    blank = np.zeros((len(task.targets), len(task.X)))
    rows = Rows(task.X, blank, task.group, len(task.groups), np.ones_like(blank))
    blocks = make_blocks(compiled, rows)
    predicted = predict_point(compiled, compiled.tapes, rows, blocks, _point(compiled, parameters, blocks, task))
    out = np.empty_like(predicted)
    out[:, rows.order] = predicted
    return np.ascontiguousarray(out.T)


def _point(law: CompiledLaw, parameters: Mapping[str, FloatArray], blocks: Blocks, task: Task) -> Point:
    """The values in the engine's layout; the opposite of `sldagent.fitting.fit.collect`."""
    problems = len(blocks.problems) - 1
    local = np.empty((len(blocks.group), law.local))
    shared = np.empty((problems, law.shared))
    for q, (name, element) in enumerate(law.slots):
        values = np.asarray(parameters[name], dtype=float)
        column = local[:, q] if q < law.local else shared[:, q - law.local]
        for i in range(len(column)):
            b = i if q < law.local else int(blocks.problems[i])
            group = int(blocks.group[b]) if q < law.local else 0
            if group >= len(values):
                known = ", ".join(task.groups[: len(values)][:6])
                raise FitError(
                    f"the law has no constants for the group '{task.groups[group]}' (it was fitted to: {known}): "
                    "leave out that group's rows, or fit the law to a table that has it"
                )
            column[i] = values[(group, *_of_target(law, name, element, int(blocks.target[b])))]
        if law.transform[q]:
            column[:] = np.log(np.maximum(column, 1e-300))
    return Point(local, shared)


def _of_target(law: CompiledLaw, name: str, element: tuple[int, ...], target: int) -> tuple[int, ...]:
    """The element of target `target` where a block holds a single target (-1: all of them)."""
    axis = law.target_axis[name]
    return element if target < 0 or axis < 0 else (*element[:axis], target, *element[axis + 1 :])
