"""Engines that the contract suite runs over; another engine joins by adding its function to `ENGINES`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sldagent.fitting.public import Fit, fit_program
from sldagent.laws.program import Program
from sldagent.tasks.task import Task

os.environ.setdefault("JAX_PLATFORMS", "cpu")


@dataclass(frozen=True)
class Contender:
    """An engine under test: called, it fits a program to every row of a task; raises FitError where it cannot."""

    fit: Callable[[Program, Task, int], Fit]
    forms: int
    """How many of the forms it is compared with SciPy on."""
    seeds: int
    """Random tables of every form."""
    degree: int
    """Highest degree of polynomials in logarithms whose optimum it reaches to 1e-6: normal equations lose digits."""

    def __call__(self, program: Program, task: Task, seed: int) -> Fit:
        return self.fit(program, task, seed)


ENGINES = {
    "cpu": Contender(lambda p, t, s: fit_program(p, t, seed=s, engine="cpu"), forms=5, seeds=12, degree=6),
    # 10 to 20 times slower on JAX's CPU device, and every size class is compiled
    "jax": Contender(lambda p, t, s: fit_program(p, t, seed=s, engine="jax"), forms=2, seeds=3, degree=4),
}
NEEDS = {"jax": [pytest.mark.requires("jax")]}


@pytest.fixture(params=[pytest.param(name, marks=NEEDS.get(name, [])) for name in sorted(ENGINES)])
def engine(request) -> Contender:
    """Every engine in turn."""
    return ENGINES[request.param]
