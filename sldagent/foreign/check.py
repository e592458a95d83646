"""The numerical check of a translation: the law and the jailed function must agree on rows and parameters of many kinds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.probe import probe_rows
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.foreign.program import Runner
from sldagent.foreign.translate import Translation
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]

DRAWS = 6
"""Parameter sets beside each group's fitted one, each near one of them."""
MOVE = 0.05
"""Relative standard deviation of those."""
TRAINING_ROWS = 40
MOST_GROUPS = 8


def check(
    translation: Translation, runner: Runner, task: Task, parameters: FloatArray, rng: np.random.Generator
) -> Translation:
    """The translation as it is, or the reason why it is not exact.

    The rows are every training row with its group's parameters; and, with the parameters of several groups and random ones
    near them, some training rows and points of the training box with every scale variable a decade beyond it.

    Args:
        task: training rows.
        parameters: (groups, ...) as fitted; NaN for groups without rows.
    """
    if translation.program is None:
        return translation
    fitted = parameters[np.isfinite(parameters.reshape(len(parameters), -1)).all(axis=1)][:MOST_GROUPS]
    near = fitted[rng.integers(len(fitted), size=DRAWS)]
    sets = np.concatenate([fitted, near * (1.0 + MOVE * rng.normal(size=near.shape))])
    probe = probe_rows(task, 1.0)
    box = probe.X[: max(1, len(probe.X) // probe.groups)]
    seen = task.X[np.unique(np.linspace(0, len(task.X) - 1, TRAINING_ROWS).astype(int))]
    points = np.vstack([seen, box])
    present, place = np.unique(task.group, return_inverse=True)
    X = np.vstack([np.tile(points, (len(sets), 1)), task.X])
    group = np.concatenate([np.repeat(np.arange(len(sets)), len(points)), len(sets) + place])
    sets = np.concatenate([sets, parameters[present]])
    answer = runner.predict(X, group, sets)
    if answer.values is None:
        said = "" if answer.failure is None else answer.failure.detail
        return _refused(translation, f"the program fails on the rows of the numerical check ({said})")
    own = predict(translation.program.law, translation.parameters(sets), X, group, layout_of(task))
    spread = float(np.std(task.Y)) or 1.0
    with np.errstate(invalid="ignore"):
        near_enough = np.abs(own - answer.values) <= runner.program.precision * (np.abs(answer.values) + spread)
    wrong = np.asarray(~near_enough.all(axis=1))
    if wrong.any():
        why = "a safeguard that is no part of the law acts" if translation.assumptions else "the law says something else"
        return _refused(translation, f"{why} on {int(wrong.sum())} of {wrong.size} rows of the numerical check")
    return translation


def _refused(translation: Translation, reason: str) -> Translation:
    return replace(translation, program=None, reason=reason, origins=None)
