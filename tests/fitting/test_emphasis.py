"""More weight on larger scale: the sizes of rows, and what it does to a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.fitting.public import fit_program, predict
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import layout_of
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program, Recipe
from sldagent.laws.render import render_program
from sldagent.tasks.load import task_from_frame


def table(n: int = 40):
    """A bent curve in two groups whose sizes differ by a thousand."""
    N = np.tile(np.geomspace(1e6, 1e9, n // 2), 2) * np.repeat([1.0, 1000.0], n // 2)
    loss = 1.0 + 50.0 * N**-0.2 + 0.05 * np.log(N)
    frame = pd.DataFrame({"N": N, "g": np.repeat(["a", "b"], n // 2), "loss": loss})
    return task_from_frame(frame, targets=["loss"], variables=["N"], group="g")


def test_sizes_are_standardised_within_groups() -> None:
    task = table()
    size = Rows.of_task(task).size
    for g in (0, 1):
        own = size[Rows.of_task(task).group == g]
        assert own.mean() == pytest.approx(0.0, abs=1e-12)
        assert np.all(np.diff(own) > 0)
    assert size.std() == pytest.approx(1.0)


def test_weights_keep_the_scale_of_the_loss_and_grow_with_size() -> None:
    rows = Rows.of_task(table())
    weights = rows.weights(1.5)
    assert np.mean(weights**2) == pytest.approx(1.0)
    assert weights[0, 19] / weights[0, 0] == pytest.approx(np.exp(0.75 * (rows.size[19] - rows.size[0])))
    assert rows.weights(0.0) is rows.weight
    part = rows.take(np.arange(5))
    assert np.array_equal(part.size, rows.size[:5])


def test_no_scale_variable_means_no_weights() -> None:
    p = np.linspace(0.1, 0.9, 9)
    frame = pd.DataFrame({"p": p, "q": 1.0 - p, "loss": 2.0 - p})
    task = task_from_frame(frame, targets=["loss"], variables={"p": "proportion", "q": "proportion"})
    assert not Rows.of_task(task).size.any()


def test_a_wrong_law_errs_less_at_large_scale_with_emphasis() -> None:
    task = table()
    errors = {}
    for emphasis in (0.0, 3.0):
        program = Program(parse_formula("A*N**-a", ["N"]), Recipe(emphasis=emphasis))
        fit = fit_program(program, task)
        residual = predict(program.law, fit.parameters, task.X, task.group, layout_of(task))[:, 0] - task.Y[:, 0]
        errors[emphasis] = (np.abs(residual[15:20]).mean(), np.abs(residual[:5]).mean())
    assert errors[3.0][0] < 0.5 * errors[0.0][0]
    assert errors[3.0][1] > errors[0.0][1]


@given(st.floats(0.0, 4.0))
def test_emphasis_survives_text(emphasis: float) -> None:
    program = Program(parse_formula("E + A*N**-a", ["N"]), Recipe(emphasis=emphasis))
    assert parse_program(render_program(program)).recipe == program.recipe


def test_bad_emphasis_is_refused() -> None:
    from sldagent.errors import LawError

    text = "def law(N, A):\n    return A*N\n\nparameters = {'A': real()}\nrecipe = fit(emphasis=-1)\n"
    with pytest.raises(LawError, match="emphasis must be a number from 0 to 4"):
        parse_program(text)
