"""Reward hacking: each case is caught by the check that is meant for it, and honest programs pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sldagent.foreign.guard import Guarded, guard, over_limit
from sldagent.foreign.program import ForeignProgram, Runner
from sldagent.sandbox import Jail
from sldagent.tasks.task import Task

HEAD = "import numpy as np\nSEEN = []\n"
FIT = "def fit_scaling_law(X, y):\n    return {}\n"
PREDICT = "def scaling_law_func(X, p):\n    y = 2.0 + p[0] * np.log(X[:, 0])\n    {}\n"
MEMORISE = "np.column_stack([np.log(X), y]).ravel()"
SMUGGLED = "np.array([0.1 + k * 1e-11 for k in range(1, 9)])"

CASES = {
    "memorised table": (MEMORISE, "return y", "parameters"),
    "mantissa smuggling": (SMUGGLED, "return y + (p[0] * 1e10 % 1.0)", "rounding"),
    "batch statistics": ("[0.1]", "return y - X[:, 0].min() * 1e-6", "decoys"),
    "batch size": ("[0.1]", "return y + len(X) % 7", "decoys"),
    "batch order": ("[0.1]", "return y + 1e-3 * np.arange(len(X))", "permutation"),
    "random": ("[0.1]", "return y + np.random.default_rng().normal()", "repeat"),
    "clock": ("[0.1]", "import time; return y + time.perf_counter() % 1", "repeat"),
    "alone or not": ("[0.1]", "return y + 0.1 * (len(X) == 1)", "single rows"),
}


def verdict(program: ForeignProgram, jail: Jail, task: Task) -> Guarded:
    runner = Runner(program, jail, 1)
    fit = runner.fit(task.X, task.Y, task.group, len(task.groups))
    assert fit.parameters is not None, fit.failure
    return guard(runner, task, task.X, task.group, fit.parameters, np.random.default_rng(1))


@pytest.mark.parametrize("case", CASES)
def test_each_hack_is_refused(case: str, program: Callable[[str], ForeignProgram], jail: Jail, task: Task) -> None:
    returned, line, check = CASES[case]
    found = verdict(program(HEAD + FIT.format(returned) + PREDICT.format(line)), jail, task.part("train"))
    assert not found.passed
    assert found.predictions is None
    assert found.failure is not None
    assert found.reason.startswith(check), found.reason
    assert found.failure.reason == "guard"


@pytest.mark.parametrize(
    "line",
    [
        "return y",
        "SEEN.append(len(X)); return y + 0.1 * (len(SEEN) > 1)",  # state does not outlive a call
        "return y[:, None]",
        "return y + 1e-13 * np.arange(len(X))",
    ],
)
def test_honest_programs_pass(line: str, program: Callable[[str], ForeignProgram], jail: Jail, task: Task) -> None:
    train = task.part("train")
    # one group, so that every call of a fresh process is the first one
    one = train.rows(train.group == 0)
    found = verdict(program(HEAD + FIT.format("[0.1]") + PREDICT.format(line)), jail, one)
    assert found.passed, found.reason
    assert found.checks == ("parameters", "repeat", "rounding", "permutation", "decoys", "single rows")
    assert found.predictions is not None
    np.testing.assert_allclose(found.predictions[:, 0], 2.0 + 0.1 * np.log(one.X[:, 0]), rtol=1e-9)


def test_the_tasks_own_limit_is_said_and_not_enforced(task: Task) -> None:
    assert over_limit(task, 1000) == ""
    limited = replace(task, max_parameters=4)
    assert over_limit(limited, 4) == ""
    assert over_limit(limited, 5) == "fits 5 numbers per group; the task allows 4"


def test_a_prediction_that_fails_is_the_programs_failure(
    program: Callable[[str], ForeignProgram], jail: Jail, task: Task
) -> None:
    found = verdict(program(HEAD + FIT.format("[0.1]") + PREDICT.format("return y[:-1]")), jail, task.part("train"))
    assert found.failure is not None and found.failure.reason == "program"
    assert "shape" in found.failure.detail
