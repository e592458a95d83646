"""Profile-likelihood intervals: against the F interval of a linear model, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from sldagent.errors import FitError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.public import fit_program
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Program, Recipe
from sldagent.uncertainty.bootstrap import Resampling, bootstrap_of
from sldagent.uncertainty.profile import profile
from tests.fitting.helpers import make_task
from tests.uncertainty.test_bootstrap import CHINCHILLA, LINEAR, chinchilla_rows, line


def run(program, task, name, level=0.9):
    return profile(program, task, fit_program(program, task).parameters, name, level)


@pytest.mark.parametrize("name", ["c", "k"])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_f_interval_of_a_linear_model(name: str, level: float) -> None:
    task = line(n=20)
    x, y = task.X[:, 0], task.Y[:, 0]
    A = np.column_stack([np.ones_like(x), x])
    beta, rss, *_ = np.linalg.lstsq(A, y, rcond=None)
    se = np.sqrt(rss[0] / 18 * np.linalg.inv(A.T @ A).diagonal())
    k = "ck".index(name)
    half = student.ppf(0.5 + level / 2, 18) * se[k]
    (found,) = run(LINEAR, task, name, level)
    assert found.closed == (True, True)
    assert found.value == pytest.approx(beta[k], rel=1e-8)
    assert found.low == pytest.approx(beta[k] - half, abs=1e-4 * half)
    assert found.high == pytest.approx(beta[k] + half, abs=1e-4 * half)


def test_every_group_has_its_own() -> None:
    rng = np.random.default_rng(0)
    group, x = np.repeat([0, 1], 15), np.tile(np.arange(1.0, 16.0), 2)
    noise = np.where(group == 1, 0.5, 0.05)
    task = make_task({"x": x}, 1 + x + noise * rng.normal(size=30), group=group)
    first, second = run(LINEAR, task, "k")
    assert (first.group, second.group) == ("g0", "g1")
    assert second.high - second.low > 4 * (first.high - first.low)


def test_huber_interval_is_about_the_bootstraps() -> None:
    program = replace(CHINCHILLA, recipe=replace(CHINCHILLA.recipe, delta=1e-2))
    task = chinchilla_rows()
    (found,) = run(program, task, "a")
    resampled = bootstrap_of(Evaluator(task, ()), program, Resampling(400)).intervals(0.9)["a"]
    width = float(resampled.high[0] - resampled.low[0])
    assert found.closed == (True, True)
    assert found.low < found.value < found.high
    assert found.low == pytest.approx(resampled.low[0], abs=0.3 * width)
    assert found.high == pytest.approx(resampled.high[0], abs=0.3 * width)


def test_what_the_rows_do_not_exclude_is_open() -> None:
    x = np.linspace(1, 2, 8)
    rng = np.random.default_rng(0)
    law = parse_formula("E + A*x**-a", ("x",), ())
    bounds = tuple(replace(p, kind="interval", lower=0.01, upper=5.0) if p.name == "a" else p for p in law.parameters)
    (found,) = run(Program(replace(law, parameters=bounds)), make_task({"x": x}, 1 + 0.01 * rng.normal(size=8)), "a")
    assert found.closed != (True, True)


def test_refusals() -> None:
    with pytest.raises(FitError, match="no parameter 'z'"):
        run(LINEAR, line(), "z")
    with pytest.raises(FitError, match="absolute loss"):
        run(replace(LINEAR, recipe=Recipe("absolute")), line(), "k")
