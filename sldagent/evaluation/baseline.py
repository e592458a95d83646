"""What any law must beat: a plain power law, and persistence (no law at all)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.evaluate import Evaluator, combine
from sldagent.evaluation.grounds import PreparedCut
from sldagent.evaluation.result import CutScore
from sldagent.laws.expr import Expr, call, mul, neg, num, par, power, var
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.tasks.task import Task, Variable

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Persistence:
    """Errors of the prediction that nothing changes any more beyond the largest scale observed."""

    x: float
    cuts: tuple[CutScore, ...]


def power_law(task: Task) -> Program | None:
    """``A * N**-alpha * D**-beta ...``: one exponent per scale variable, no floor; None without scale variables.

    The amplitude is per target where there are several; a logarithmic variable enters as its exponential.
    """
    scales = [v for v in task.variables if v.role == "scale"]
    if not scales:
        return None
    index = ("i",) if len(task.targets) > 1 else ()
    factors = [_factor(v, index) for v in scales]
    parameters = [Parameter("A", "real"), *(Parameter(f"alpha_{v.symbol}", "real") for v in scales)]
    law = Law(tuple(v.symbol for v in scales), mul(par("A", *index), *factors), tuple(parameters))
    return Program(law, Recipe(starts=16))


def _factor(variable: Variable, index: tuple[str, ...]) -> Expr:
    exponent = neg(par(f"alpha_{variable.symbol}", *index))
    if variable.log:
        return call("exp", mul(exponent, num(math.log(variable.log_base)), var(variable.symbol)))
    return power(var(variable.symbol), exponent)


def persistence(evaluator: Evaluator) -> Persistence | None:
    """For every cut, predict for each group the target's mean at the largest scale among the kept rows.

    The largest scale is that of the row with the highest mean of z-scored logarithms of the scale variables; rows that tie
    with it are averaged.  None without scale variables.
    """
    task = evaluator.grounds.task
    columns = [k for k, v in enumerate(task.variables) if v.role == "scale"]
    if not columns:
        return None
    scores = [score for cut in evaluator.grounds.cuts for score in _cut(evaluator, cut, columns)]
    by_variable: dict[str, list[float]] = {}
    for score in scores:
        by_variable.setdefault(score.variable, []).append(score.log_mse)
    return Persistence(float(combine({v: np.array(e) for v, e in by_variable.items()})), tuple(scores))


def _cut(evaluator: Evaluator, cut: PreparedCut, columns: list[int]) -> list[CutScore]:
    task, kept = evaluator.grounds.task, cut.kept
    logs = np.column_stack([kept.X[:, k] if task.variables[k].log else np.log(kept.X[:, k]) for k in columns])
    joint = ((logs - logs.mean(axis=0)) / np.maximum(logs.std(axis=0), 1e-300)).mean(axis=1)
    last = np.full((len(kept.Y), kept.groups), np.nan)
    for group in range(kept.groups):
        rows = slice(kept.starts[group], kept.starts[group + 1])
        if kept.starts[group] < kept.starts[group + 1]:
            top = joint[rows] >= joint[rows].max() - 1e-9
            last[:, group] = kept.Y[:, rows][:, top].mean(axis=1)
    held = evaluator.normalised(cut.held, last[:, cut.held.group])
    inside = evaluator.normalised(kept, last[:, kept.group])
    out = []
    for t, target in enumerate(task.targets):
        value, _ = evaluator.unit_scores(cut, held[t], t)
        kept_value = float(np.log(max(float(np.mean(inside[t] ** 2)), 1e-300)))
        out.append(CutScore(cut.cut.name, cut.cut.variable, target.name, cut.held.n, value, kept_value))
    return out
