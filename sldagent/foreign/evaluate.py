"""A foreign program on one task: fitted and judged in the jail, by the same figures as every law.

Per fit one call with all groups inside, per prediction another one in a fresh jail.  Held-out targets never enter: the host
computes every score.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.custom import Caller
from sldagent.evaluation.evaluate import Evaluator, combine
from sldagent.evaluation.grounds import PreparedCut
from sldagent.evaluation.result import CutScore, Failure
from sldagent.foreign.check import check
from sldagent.foreign.guard import Guarded, guard
from sldagent.foreign.program import Fit, ForeignProgram, Runner
from sldagent.foreign.translate import Translation, translate
from sldagent.laws.program import Program
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
GUARD_ROWS = 96
"""Training rows that the guard looks at in a discovery."""


@dataclass(frozen=True)
class Judged:
    """A program's figures on the training rows of a task; without complexity, so never on a front."""

    program: ForeignProgram
    x: float = math.inf
    """Extrapolation error, as in `Evaluation`."""
    x_se: float = math.inf
    train_r2: float = -math.inf
    scalars: int = 0
    """Fitted numbers per group."""
    cuts: tuple[CutScore, ...] = ()
    checks: tuple[str, ...] = ()
    """Checks of the behaviour guard that it passed."""
    translation: Translation = field(default_factory=Translation)
    failure: Failure | None = None
    feedback: str = ""
    """What it printed and raised, marked untrusted."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Scored:
    """A program fitted to training rows and its guarded predictions of other rows."""

    guarded: Guarded
    parameters: FloatArray | None = None
    """(groups, ...), rounded as they were used."""
    failure: Failure | None = None
    feedback: str = ""


def score(program: ForeignProgram, jail: Caller, train: Task, rows: Task) -> Scored:
    """Fit to `train`, predict `rows` (same groups) under the guard.  The rows' targets are not looked at."""
    if program.lint.refusal:
        return Scored(Guarded(False), None, Failure("parse", program.lint.refusal))
    runner = Runner(program, jail, len(train.targets))
    fit = runner.fit(train.X, train.Y, train.group, len(train.groups))
    if fit.parameters is None:
        return Scored(Guarded(False), None, fit.failure, fit.feedback)
    guarded = guard(runner, train, rows.X, rows.group, fit.parameters, _generator(program))
    return Scored(guarded, fit.rounded, guarded.failure, _joined(fit.feedback, guarded.feedback))


def judge(program: ForeignProgram, jail: Caller, evaluator: Evaluator) -> Judged:
    """Fit, guard, translate and judge on every cut; every failure of the program is a value."""
    started = time.perf_counter()
    task = evaluator.grounds.task
    if program.lint.refusal:
        return Judged(program, failure=Failure("parse", program.lint.refusal))
    runner = Runner(program, jail, len(task.targets))
    fit = runner.fit(task.X, task.Y, task.group, len(task.groups))
    if fit.parameters is None:
        return Judged(program, failure=fit.failure, feedback=fit.feedback, seconds=time.perf_counter() - started)
    rng = _generator(program)
    some = np.unique(np.linspace(0, len(task.X) - 1, GUARD_ROWS).astype(int))
    guarded = guard(runner, task, task.X[some], task.group[some], fit.parameters, rng)
    feedback = _joined(fit.feedback, guarded.feedback)
    scalars = int(np.prod(fit.parameters.shape[1:]))
    if not guarded.passed:
        return Judged(
            program, scalars=scalars, checks=guarded.checks, failure=guarded.failure, feedback=feedback,
            seconds=time.perf_counter() - started,
        )  # fmt: skip
    translation = check(_translation(program, task, fit), runner, task, fit.rounded, rng)
    fitted = runner.predict(task.X, task.group, fit.rounded)
    r2 = -math.inf if fitted.values is None else _r2(task.Y, fitted.values)
    scores, boots, failure = _cuts(runner, evaluator)
    x, x_se = math.inf, math.inf
    if failure is None:
        x = float(combine({v: np.array([s.log_mse for s in scores if s.variable == v]) for v in boots}))
        if math.isfinite(x):
            x_se = float(np.std(combine({v: np.stack(b) for v, b in boots.items()})))
    return Judged(
        program, x, x_se, r2, scalars, tuple(scores), guarded.checks, translation, failure, feedback,
        time.perf_counter() - started,
    )  # fmt: skip


def _translation(program: ForeignProgram, task: Task, fit: Fit) -> Translation:
    assert fit.parameters is not None and program.lint.tree is not None
    group = int(np.bincount(task.group).argmax())
    return translate(program.lint.tree, task, task.X[task.group == group], fit.rounded[group])


def _cuts(
    runner: Runner, evaluator: Evaluator
) -> tuple[list[CutScore], dict[str, list[FloatArray]], Failure | None]:
    scores: list[CutScore] = []
    boots: dict[str, list[FloatArray]] = {}
    for cut in evaluator.grounds.cuts:
        part, boot, failure = _cut(runner, evaluator, cut)
        if failure is not None:
            return scores, boots, Failure(failure.reason, f"on the cut '{cut.cut.name}': {failure.detail}")
        scores.extend(part)
        boots.setdefault(cut.cut.variable, []).append(boot)
    return scores, boots, None


def _cut(runner: Runner, evaluator: Evaluator, cut: PreparedCut) -> tuple[list[CutScore], FloatArray, Failure | None]:
    """One fit call on the kept rows, one prediction call for kept and held rows."""
    kept, held = cut.kept, cut.held
    fit = runner.fit(kept.X, kept.Y.T, kept.group, kept.groups)
    if fit.parameters is None:
        return [], np.zeros(0), fit.failure
    known = np.isfinite(fit.parameters.reshape(kept.groups, -1).sum(axis=1))[held.group]
    X, group = np.vstack([kept.X, held.X[known]]), np.concatenate([kept.group, held.group[known]])
    answer = runner.predict(X, group, fit.rounded)
    if answer.values is None:
        return [], np.zeros(0), answer.failure
    predicted = np.full(held.Y.shape, np.nan)
    predicted[:, known] = answer.values[kept.n :].T
    outside = evaluator.normalised(held, predicted)
    inside = evaluator.normalised(kept, answer.values[: kept.n].T)
    scores, boots = [], []
    for t, target in enumerate(evaluator.grounds.task.targets):
        value, boot = evaluator.unit_scores(cut, outside[t], t)
        kept_value = float(np.log(max(float(np.mean(inside[t] ** 2)), 1e-300)))
        scores.append(CutScore(cut.cut.name, cut.cut.variable, target.name, held.n, value, kept_value))
        boots.append(boot)
    return scores, np.asarray(np.mean(boots, axis=0)), None


def candidate_program(judged: Judged) -> Program | None:
    """The translated law in canonical form, as a candidate; None where there is none."""
    from sldagent.laws.canonical import simplify_program

    program = judged.translation.program
    return None if program is None else simplify_program(program)


def _generator(program: ForeignProgram) -> np.random.Generator:
    """Decoys, orders and parameters of the checks: the same for the same text."""
    return np.random.default_rng(int(hashlib.sha256(program.source.encode()).hexdigest()[:15], 16))


def _r2(Y: FloatArray, predicted: FloatArray) -> float:
    nmse = np.mean((predicted - Y) ** 2, axis=0) / np.maximum(np.var(Y, axis=0), 1e-300)
    return float(1.0 - np.mean(nmse))


def _joined(first: str, second: str) -> str:
    return first or second
