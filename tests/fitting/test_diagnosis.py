"""Bounds, trade-offs and conditioning of fitted points; the cap in seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sldagent.errors import FitError
from sldagent.fitting.public import fit_program
from sldagent.fitting.result import Effort
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program
from tests.fitting.helpers import make_task

X = np.geomspace(1, 100, 40)


def diagnosis(text: str, y, program: Program | None = None):
    return fit_program(program or Program(parse_formula(text, ["x"])), make_task({"x": X}, y)).diagnosis


def test_a_well_determined_fit_says_nothing():
    found = diagnosis("c + k*x", 1 + 2 * X + np.sin(X))
    assert found.sentences() == ()
    assert 1 < found.condition < 100


def test_parameters_known_only_in_combination_are_named():
    found = diagnosis("a + b + c*x", 1 + 2 * X)
    assert set(found.undetermined) == {"a", "b"}
    assert found.condition == np.inf
    assert "only in combination: a, b" in " ".join(found.sentences())


def test_near_perfect_correlation_is_reported():
    narrow = np.linspace(100, 101, 40)
    task = make_task({"x": narrow}, 1 + 2 * narrow + 0.1 * np.sin(50 * narrow))
    found = fit_program(Program(parse_formula("c + k*x", ["x"])), task).diagnosis
    assert [(a, b) for a, b, _ in found.correlated] == [("c", "k")]
    assert found.correlated[0][2] == pytest.approx(-1.0, abs=1e-3)


def test_bounds_that_bind_are_named():
    program = parse_program('def law(x, a, b):\n    return a * x**b\nparameters = {"a": positive(), "b": interval(0, 1)}')
    assert diagnosis("", X**1.5, program).at_bounds == ("b",)


def test_a_factor_that_is_switched_off_counts_as_at_a_bound():
    program = parse_program(
        "def law(x, c, k, l):\n    return c + k*x/(1 + l*x**2)\n"
        'parameters = {"c": real(), "k": real(), "l": positive(start=(1e-45, 1e-42))}'
    )
    assert "l" in diagnosis("", 1 + 2 * X, program).at_bounds


def test_shared_parameters_are_looked_at_with_all_groups():
    g = np.repeat([0, 1], 20)
    program = parse_program(
        "def law(x, E, F, k):\n    return E + F + k*x\n"
        'parameters = {"E": real(), "F": real(scope="shared"), "k": real(scope="shared")}'
    )
    found = fit_program(program, make_task({"x": X}, np.where(g, 1.0, 2.0) + X, g)).diagnosis
    assert set(found.undetermined) == {"E", "F"}


def test_the_cap_in_seconds_is_a_failure_that_says_so():
    task = make_task({"x": X}, 1 + 3 * X**-0.5)
    with pytest.raises(FitError, match="stopped at the cap of 0 s"):
        fit_program(Program(parse_formula("E + A*x**-a", ["x"])), task, effort=replace(Effort(), seconds=0.0))
