"""The behaviour guard: a prediction must be a function of one row and a few numbers, whatever the code says.

Every check is a jailed call of its own, so nothing is remembered between them.  What the lint cannot see (a table in the
parameters, statistics of the batch, the order or number of rows, hidden state, randomness) shows here; what shows in the
source alone (a table of literals) the lint says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.custom import round_significant
from sldagent.evaluation.result import Failure
from sldagent.foreign.program import Prediction, Runner
from sldagent.tasks.task import Task

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_PARAMETERS = 24
"""Fitted numbers per group and target; a program with more can keep the rows themselves."""
SINGLE_ROWS = 8
SLACK = 10.0
"""Largest difference between two predictions of one row, in units of the program's precision."""
ROUNDING = 1e-3
"""Largest change by rounding the parameters, in units of the predictions' spread."""


@dataclass(frozen=True)
class Guarded:
    """The guard's verdict, and the predictions (rows, targets) that it was reached on."""

    passed: bool
    reason: str = ""
    """Which check failed and how, one sentence; '' where all passed."""
    checks: tuple[str, ...] = ()
    """Checks passed, in order."""
    predictions: FloatArray | None = None
    failure: Failure | None = None
    feedback: str = ""


def over_limit(task: Task, scalars: int) -> str:
    """What to say where a program fits more numbers per group than the task allows for a law; '' where it does not.

    Such a program is scored all the same: published programs were held to these limits in words only.
    """
    if task.max_parameters is None or scalars <= task.max_parameters * len(task.targets):
        return ""
    return f"fits {scalars} numbers per group; the task allows {task.max_parameters * len(task.targets)}"


def guard(
    runner: Runner, task: Task, X: FloatArray, group: IntArray, parameters: FloatArray, rng: np.random.Generator
) -> Guarded:
    """Predict the rows and check how the prediction behaves.

    Args:
        X: (n, variables) rows to predict; group: (n,).
        parameters: (groups, ...) as fitted, not yet rounded.
    """
    per_group = int(np.prod(parameters.shape[1:]))
    cap = MAX_PARAMETERS * len(task.targets)
    if per_group > cap:
        return _failed("parameters", f"{per_group} fitted numbers per group, more than {cap}", ())
    rounded = round_significant(parameters)
    first = runner.predict(X, group, rounded)
    if first.values is None:
        return Guarded(False, "", ("parameters",), None, first.failure, first.feedback)
    state = _State(runner, task, X, group, rounded, first.values, rng)
    passed = ["parameters"]
    checks = {
        "repeat": state.repeat, "rounding": lambda: state.rounding(parameters), "permutation": state.permutation,
        "decoys": state.decoys, "single rows": state.singles,
    }  # fmt: skip
    for name, check in checks.items():
        said = check()
        if said:
            return _failed(name, said, tuple(passed))
        passed.append(name)
    return Guarded(True, "", tuple(passed), first.values, None, first.feedback)


def _failed(name: str, said: str, passed: tuple[str, ...]) -> Guarded:
    reason = f"{name}: {said}"
    return Guarded(False, reason, passed, None, Failure("guard", f"the behaviour guard refused it ({reason})"))


class _State:
    """One guarded prediction and the calls that are compared with it."""

    def __init__(
        self, runner: Runner, task: Task, X: FloatArray, group: IntArray, parameters: FloatArray, values: FloatArray,
        rng: np.random.Generator,
    ) -> None:
        self.runner, self.task, self.X, self.group = runner, task, X, group
        self.parameters, self.values, self.rng = parameters, values, rng
        self.tolerance = SLACK * runner.program.precision
        self.spread = np.maximum(np.ptp(values, axis=0), 1e-12 * np.abs(values).max(axis=0))

    def rounding(self, parameters: FloatArray) -> str:
        other = self.runner.predict(self.X, self.group, parameters)
        return self._compare(other, np.arange(len(self.X)), ROUNDING * self.spread, "rounding its parameters to 8 digits")

    def repeat(self) -> str:
        other = self.runner.predict(self.X, self.group, self.parameters)
        return self._compare(other, np.arange(len(self.X)), 0.0, "asking again")

    def permutation(self) -> str:
        order = self.rng.permutation(len(self.X))
        other = self.runner.predict(self.X[order], self.group[order], self.parameters)
        return self._compare(other, order, 0.0, "another order of the rows")

    def decoys(self) -> str:
        """The rows among as many others of the same groups, in a random order."""
        n = len(self.X)
        X, group = np.vstack([self.X, self._decoys()]), np.concatenate([self.group, self.group])
        order = self.rng.permutation(2 * n)
        other = self.runner.predict(X[order], group[order], self.parameters)
        if other.values is None:
            return "it fails when other rows are asked for beside them"
        back = np.empty_like(other.values)
        back[order] = other.values
        return self._compare(Prediction(back[:n]), np.arange(n), 0.0, "other rows beside them")

    def _decoys(self) -> FloatArray:
        """As many rows as are asked for, between and slightly beyond them; proportions still sum to one."""
        n = len(self.X)
        a, b, u = self.rng.integers(n, size=n), self.rng.integers(n, size=n), self.rng.random(n)
        out = np.empty_like(self.X)
        for k, variable in enumerate(self.task.variables):
            x, y = self.X[a, k], self.X[b, k]
            if variable.role == "proportion":
                out[:, k] = u * x + (1 - u) * y
            elif (self.X[:, k] > 0).all() and not variable.log:
                out[:, k] = np.exp(u * np.log(x) + (1 - u) * np.log(y) + self.rng.uniform(-0.3, 0.3, n))
            else:
                width = np.ptp(self.X[:, k]) or 1.0
                out[:, k] = u * x + (1 - u) * y + self.rng.uniform(-0.1, 0.1, n) * width
        return out

    def singles(self) -> str:
        """Some rows alone."""
        for row in self.rng.permutation(len(self.X))[:SINGLE_ROWS]:
            at = np.array([row])
            alone = self.runner.predict(self.X[at], self.group[at], self.parameters)
            said = self._compare(alone, at, 0.0, "asking for it alone")
            if said:
                return said
        return ""

    def _compare(self, other: Prediction, rows: IntArray, slack: FloatArray | float, change: str) -> str:
        """What differs between `other` and the first prediction of `rows`, or ''."""
        if other.values is None:
            return f"it fails after {change}"
        expected = self.values[rows]
        differs = np.abs(other.values - expected) > self.tolerance * (np.abs(expected) + self.spread) + slack
        if not differs.any():
            return ""
        return f"{change} changes the prediction of {int(differs.any(axis=1).sum())} of {len(rows)} rows"
