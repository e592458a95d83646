"""Small tables with known answers, and laws whose constants are given rather than fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sldagent.diagnosis import LawStudy, Study
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import CutScore, Evaluation
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.tasks.cuts import blind_cuts
from sldagent.tasks.task import Target, Task, Variable


def table(
    X: np.ndarray, Y: np.ndarray, roles: Mapping[str, str], *, groups: int = 1, name: str = "t", **options: object
) -> Task:
    n = len(X)
    Y = np.asarray(Y, dtype=float).reshape(n, -1)
    targets = tuple(Target("loss" if Y.shape[1] == 1 else f"loss_{k}", (0.0, math.inf)) for k in range(Y.shape[1]))
    return Task(
        name=name,
        variables=tuple(Variable(s, s, role) for s, role in roles.items()),  # type: ignore[arg-type]
        targets=targets,
        X=np.asarray(X, dtype=float),
        Y=Y,
        group=np.arange(n, dtype=np.int64) % groups,
        groups=tuple(f"corpus{k}" for k in range(groups)),
        split=np.array(["train"] * n),
        noise_scale=np.ones(n),
        **options,  # type: ignore[arg-type]
    )


def grid(*axes: np.ndarray) -> np.ndarray:
    return np.column_stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])


def chinchilla(levels: int = 7, scatter: float = 0.0) -> Task:
    """E = 1.7, A = 400, a = 0.34, B = 410, b = 0.28 on a crossed grid."""
    X = grid(np.logspace(6, 9, levels), np.logspace(8, 11, levels))
    y = 1.7 + 400 * X[:, 0] ** -0.34 + 410 * X[:, 1] ** -0.28
    return table(X, y + scatter * np.random.default_rng(1).normal(size=len(y)), {"N": "scale", "D": "scale"})


CHINCHILLA = """
def law(N, D, E, A, a, B, b):
    return E + A*N**-a + B*D**-b

parameters = {"E": positive(), "A": positive(), "a": interval(0, 2), "B": positive(), "b": interval(0, 2)}
"""
TRUE = {"E": 1.7, "A": 400.0, "a": 0.34, "B": 410.0, "b": 0.28}


def program(text: str, task: Task) -> Program:
    return parse_program(text, variables=[*task.symbols, *task.vectors], vectors=list(task.vectors))


def study(task: Task) -> Study:
    return Study(Evaluator(task, blind_cuts(task)))


def given(found: Study, text: str, values: Mapping[str, object], **changes: object) -> LawStudy:
    """The law with these constants, the same in every group, as if it had been evaluated."""
    law = program(text, found.task)
    groups = len(found.task.groups)
    parameters = {
        n: np.repeat(np.asarray(v, dtype=float)[None], 1 if law.law.parameter(n).scope == "shared" else groups, axis=0)
        for n, v in values.items()
    }
    cuts = tuple(
        CutScore(c.cut.name, c.cut.variable, t.name, c.held.n, -1.0, -2.0)
        for c in found.evaluator.grounds.cuts
        for t in found.task.targets
    )
    evaluation = Evaluation(
        x=-1.0, x_se=0.1, complexity=20.0, scalars=len(values), valid=True, parameters=parameters, cuts=cuts
    )
    return found.law(law, replace(evaluation, **changes))  # type: ignore[arg-type]
