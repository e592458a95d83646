"""Constants hidden in units: laws that keep their form when a unit changes, and laws that do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.units import hidden_constants
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Program
from sldagent.tasks.cuts import blind_cuts
from sldagent.tasks.load import task_from_frame


def grid(**more):
    rng = np.random.default_rng(0)
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e8, 1e11, 6)))
    loss = 1.7 + 300.0 * N**-0.34 + 400.0 * D**-0.28 + 0.002 * rng.normal(size=N.size)
    return task_from_frame(pd.DataFrame({"N": N, "D": D, "loss": loss}), targets=["loss"], variables=["N", "D"], **more)


@pytest.mark.parametrize(
    ("formula", "count"),
    [
        ("E + A*N**-a + B*D**-b", 0),
        ("E + A*N**-a*D**-b", 0),
        ("exp(o + A*N**-a)", 0),
        ("E + A*(s + N)**-a", 0),
        ("(A/N**a + B/D**b)**c", 0),
        ("E + A/(B + N**a)", 0),
        ("exp(A*N**-a)", 1),
        ("1 + A*N**-a*D**-b", 1),
        ("E + N**-a", 1),
        ("1 + N**-a", 2),
        ("E + A*N**(-a - u*log(D))*D**-b", 0),
        ("E + A*N**(-a - u*log(D))", 1),
    ],
)
def test_units_that_a_form_depends_on(formula: str, count: int) -> None:
    judge = Evaluator(task := grid(), blind_cuts(task))
    fitted = judge.fit(Program(parse_formula(formula, ["N", "D"])))
    assert hidden_constants(judge.grounds, fitted.result) == count


def test_description_length_charges_for_them() -> None:
    """1 + A*N**-a costs as many constants as E + A*N**-a: at equal fit the two differ by nothing else."""
    judge = Evaluator(task := grid(), blind_cuts(task))
    hidden, open_ = (judge.evaluate(Program(parse_formula(f, ["N", "D"]))) for f in ("1 + A*N**-a", "E + A*N**-a"))
    assert hidden.scalars == open_.scalars - 1
    n = len(task.Y)
    fit = 0.5 * n * (np.log(1 - hidden.train_r2) - np.log(1 - open_.train_r2))
    assert hidden.mdl - open_.mdl == pytest.approx(fit, abs=1e-6)


def test_a_bounded_target_has_a_natural_unit() -> None:
    task = grid()
    bounded = Evaluator(task, blind_cuts(task))
    from dataclasses import replace

    unit = replace(task, targets=(replace(task.targets[0], range=(0.0, 20.0)),))
    natural = Evaluator(unit, blind_cuts(unit))
    program = Program(parse_formula("1 + A*N**-a*D**-b", ["N", "D"]))
    assert hidden_constants(bounded.grounds, bounded.fit(program).result) == 1
    assert hidden_constants(natural.grounds, natural.fit(program).result) == 0
