"""Engines that the contract suite runs over; another engine joins by adding its function to `ENGINES`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sldagent.fitting.public import Fit, fit_program
from sldagent.fitting.result import Effort
from sldagent.laws.program import Program
from sldagent.tasks.task import Task

os.environ.setdefault("JAX_PLATFORMS", "cpu")


@dataclass(frozen=True)
class Contender:
    """An engine under test: called, it fits a program to every row of a task; raises FitError where it cannot."""

    fit: Callable[[Program, Task, int, Effort | None], Fit]
    seeds: int
    """Random tables of every form that it is compared with SciPy on."""

    def __call__(self, program: Program, task: Task, seed: int = 0, effort: Effort | None = None) -> Fit:
        return self.fit(program, task, seed, effort)


ENGINES = {
    "cpu": Contender(lambda p, t, s, e: fit_program(p, t, seed=s, effort=e, engine="cpu"), seeds=12),
    # 10 to 20 times slower on JAX's CPU device
    "jax": Contender(lambda p, t, s, e: fit_program(p, t, seed=s, effort=e, engine="jax"), seeds=2),
}
NEEDS = {"jax": [pytest.mark.requires("jax")]}


@pytest.fixture(params=[pytest.param(name, marks=NEEDS.get(name, [])) for name in sorted(ENGINES)])
def engine(request) -> Contender:
    """Every engine in turn."""
    return ENGINES[request.param]
