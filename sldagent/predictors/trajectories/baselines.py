"""Forecasts without a network: constants, lines, saturating power laws and the zero-shot logistic of arXiv 2601.19831."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.fit import fit_rows
from sldagent.fitting.graph import Layout
from sldagent.fitting.public import predict
from sldagent.fitting.result import Effort
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.predictors.trajectories.data import Trajectory
from sldagent.predictors.trajectories.protocol import Split, future
from sldagent.predictors.trajectories.references import reference, task_curves
from sldagent.predictors.trajectories.samples import forecast_lines, straight
from sldagent.predictors.trajectories.sources import Source

FloatArray = NDArray[np.float64]
Forecasts = list[FloatArray]
SATURATING = """
def law(x, a, b, c):
    return a - b * x**-c

parameters = {"a": interval(0, 1), "b": positive(), "c": interval(0.01, 3)}
recipe = fit(loss="squared", space="raw", starts=16)
"""
SHARED_EXPONENT = SATURATING.replace("interval(0.01, 3)", 'interval(0.01, 3, scope="shared")').replace(
    "interval(0, 1)", "real()"
)
LOGISTIC = """
def law(x, a, k, x0, b):
    return b + a / (1 + exp(k * (log(x) - x0)))

parameters = {"a": interval(0, 2), "k": interval(0, 100), "x0": interval(-10, 10), "b": interval(0, 1)}
recipe = fit(loss="squared", space="raw", starts=32)
"""
X_LAYOUT = Layout({"x": 0}, {}, 1)


@dataclass(frozen=True)
class Baseline:
    """One method."""

    name: str
    sees: str
    """What it may see of the trajectory that it forecasts."""
    forecast: Callable[[Source, Split], Forecasts | None]
    """Arrays over `future(t)` for the test trajectories; None where the split leaves it nothing to learn from."""


def _persistence(source: Source, split: Split) -> Forecasts:
    return [np.full(len(future(t)), t.accuracy[future(t)[0] - 1]) for t in _test(source, split)]


def _mean_delta(source: Source, split: Split) -> Forecasts:
    """The last accuracy plus the mean gain of training trajectories of the task (of all tasks where it has none) since then.

    Trajectories of other lengths are read at the same share of their own last step.
    """
    train = [source.trajectories[i] for i in split.train]
    out = []
    for t in _test(source, split):
        like = [o for o in train if o.task == t.task] or train
        share, start = t.steps[future(t)] / t.steps[-1], t.steps[future(t)[0] - 1] / t.steps[-1]
        gains = [
            np.interp(share, o.steps / o.steps[-1], o.accuracy) - np.interp(start, o.steps / o.steps[-1], o.accuracy)
            for o in like
        ]
        out.append(t.accuracy[future(t)[0] - 1] + np.mean(gains, axis=0))
    return out


def _log_linear(source: Source, split: Split) -> Forecasts:
    out = []
    for t in _test(source, split):
        ahead, end = future(t), future(t)[0]
        x = t.steps / t.steps[end - 1]
        out.append(np.array([forecast_lines(x[:end], t.accuracy[:end], x[j])[2] for j in ahead]))
    return out


def _saturating(source: Source, split: Split) -> Forecasts:
    return _own_fits(SATURATING, _test(source, split))


def _shared_exponent(source: Source, split: Split) -> Forecasts:
    """The saturating power law with the one exponent that fits all training trajectories best."""
    train = [source.trajectories[i] for i in split.train]
    c = float(
        _fit(parse_program(SHARED_EXPONENT, variables=["x"]), [t.steps / t.steps[-1] for t in train], _all(train))["c"][0]
    )
    out = []
    for t in _test(source, split):
        end = future(t)[0]
        u = (t.steps / t.steps[end - 1]) ** -c
        slope, level = np.polyfit(u[:end], t.accuracy[:end], 1)
        out.append(level + slope * u[end:])
    return out


def _mean_curve(source: Source, split: Split) -> Forecasts:
    """The line that is straight in the mean curve of the task's training runs (of all tasks where it has none)."""
    curves = task_curves([source.trajectories[i] for i in split.train])
    out = []
    for t in _test(source, split):
        end, curve = future(t)[0], reference(curves, t.task).at(np.log(t.steps / t.steps[-1]))
        out.append(np.array([straight(curve[:end], t.accuracy[:end], value) for value in curve[end:]]))
    return out


def _logistic(source: Source, split: Split) -> Forecasts | None:
    return _logistic_forecasts(source, split, offset=False)


def _logistic_offset(source: Source, split: Split) -> Forecasts | None:
    return _logistic_forecasts(source, split, offset=True)


BASELINES = (
    Baseline("persistence", "past accuracy", _persistence),
    Baseline("mean-delta", "past accuracy", _mean_delta),
    Baseline("log-linear", "past accuracy", _log_linear),
    Baseline("saturating power law", "past accuracy", _saturating),
    Baseline("power law, shared exponent", "past accuracy", _shared_exponent),
    Baseline("line in the task's mean curve", "past accuracy", _mean_curve),
    Baseline("logistic, zero-shot", "true FUTURE loss", _logistic),
    Baseline("logistic + offset", "past accuracy, true FUTURE loss", _logistic_offset),
)
"""All of them learn from the same training trajectories as the network, where they learn at all."""


def _test(source: Source, split: Split) -> list[Trajectory]:
    return [source.trajectories[i] for i in split.test]


def _all(trajectories: Sequence[Trajectory]) -> Forecasts:
    return [t.accuracy for t in trajectories]


def _own_fits(text: str, trajectories: Sequence[Trajectory]) -> Forecasts:
    """A law fitted to every context on its own and read at the future steps."""
    program = parse_program(text, variables=["x"])
    ends = [future(t)[0] for t in trajectories]
    x = [t.steps / t.steps[end - 1] for t, end in zip(trajectories, ends, strict=True)]
    parts = [t.accuracy[:end] for t, end in zip(trajectories, ends, strict=True)]
    found = _fit(program, [v[:end] for v, end in zip(x, ends, strict=True)], parts)
    return [_read(program, found, k, v[end:]) for k, (v, end) in enumerate(zip(x, ends, strict=True))]


def _logistic_forecasts(source: Source, split: Split, offset: bool) -> Forecasts | None:
    """Per task, accuracy as a logistic in log loss fitted to the training models, read at the test model's true losses.

    With `offset`, moved to pass through the last accuracy of the context.  None where a test task has no training model.
    """
    tasks = sorted({source.trajectories[i].task for i in split.train})
    if not {source.trajectories[i].task for i in split.test} <= set(tasks):
        return None
    program = parse_program(LOGISTIC, variables=["x"])
    members = [[i for i in split.train if source.trajectories[i].task == task] for task in tasks]
    x = [np.concatenate([source.loss[i] for i in rows]) for rows in members]
    y = [np.concatenate([source.trajectories[i].accuracy for i in rows]) for rows in members]
    found = _fit(program, x, y)
    out = []
    for i in split.test:
        t = source.trajectories[i]
        read = _read(program, found, tasks.index(t.task), source.loss[i])
        end = future(t)[0]
        out.append(read[end:] + (t.accuracy[end - 1] - read[end - 1] if offset else 0.0))
    return out


def _fit(program: Program, x: Sequence[FloatArray], y: Sequence[FloatArray]) -> dict[str, FloatArray]:
    """Parameters by name, one value per group (or one, where shared), of a law of x fitted to groups of points."""
    group = np.repeat(np.arange(len(x)), [len(v) for v in x])
    values = np.concatenate(y)[None]
    rows = Rows(np.concatenate(x)[:, None], values, group, len(x), np.ones_like(values))
    effort = Effort(starts=2 * program.recipe.starts, keep=4, iterations=200)
    return fit_rows(
        compile_law(program.law, X_LAYOUT), rows, program.recipe, np.random.default_rng(0), effort=effort
    ).parameters


def _read(program: Program, found: dict[str, FloatArray], group: int, x: FloatArray) -> FloatArray:
    own = {name: value[group : group + 1] if len(value) > 1 else value for name, value in found.items()}
    return predict(program.law, own, x[:, None], np.zeros(len(x), np.int64), X_LAYOUT)[:, 0]
