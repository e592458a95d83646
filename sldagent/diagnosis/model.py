"""A fitted law as something that predicts: rebuilt from its recorded parameters, without fitting it again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.fitting.result import FitResult, Point, make_blocks, predict_point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law
from sldagent.laws.program import Program

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A program with its recorded parameters, bound to a task's training rows."""

    program: Program
    evaluation: Evaluation
    compiled: CompiledLaw
    result: FitResult
    predicted: FloatArray
    """(targets, rows) in the order of `Grounds.rows`."""

    def predict(self, rows: Rows) -> FloatArray:
        """(targets, rows) predictions; NaN for groups that have no parameters."""
        with np.errstate(all="ignore"):
            return predict_point(self.compiled, self.compiled.tapes, rows, self.result.blocks, self.result.point)


def model_of(evaluator: Evaluator, program: Program, evaluation: Evaluation) -> Model:
    """The fitted law.

    Raises:
        FitError: the evaluation holds no parameters for this law, or the law does not belong to the task.
    """
    compiled = compile_law(program.law, evaluator.layout)
    rows = evaluator.grounds.rows
    point = _point(compiled, rows, evaluation)
    blocks = make_blocks(compiled, rows)
    result = FitResult(compiled, point, blocks, float("nan"), 0, parameters=evaluation.parameters)
    predicted = predict_point(compiled, compiled.tapes, rows, blocks, point)
    return Model(program, evaluation, compiled, result, predicted)


def _point(law: CompiledLaw, rows: Rows, evaluation: Evaluation) -> Point:
    """The engine's point of recorded parameters: the inverse of `sldagent.fitting.result.collect`."""
    blocks = make_blocks(law, rows)
    local = np.empty((len(blocks.group), law.local))
    shared = np.empty((len(blocks.problems) - 1, law.shared))
    problem = np.searchsorted(blocks.problems, np.arange(len(blocks.group)), side="right") - 1
    for q, (name, element) in enumerate(law.slots):
        if name not in evaluation.parameters:
            raise FitError(f"the law's parameter '{name}' has no fitted value.")
        table = np.asarray(evaluation.parameters[name], dtype=np.float64)
        for b, (group, target) in enumerate(zip(blocks.group, blocks.target, strict=True)):
            own = element
            if target > 0:
                axis = law.target_axis[name]
                own = (*element[:axis], int(target), *element[axis + 1 :])
            value = float(table[(int(group) if len(table) > 1 else 0, *own)])
            if law.transform[q] == 1:
                value = float(np.clip(np.log(value) if value > 0 else -np.inf, law.lower[q], law.upper[q]))
            if q < law.local:
                local[b, q] = value
            else:
                shared[problem[b], q - law.local] = value
    return Point(local, shared)
