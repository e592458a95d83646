"""Engines that the contract suite runs over; another engine joins by adding its function to `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sldagent.fitting.public import Fit, fit_program
from sldagent.laws.program import Program
from sldagent.tasks.task import Task

Engine = Callable[[Program, Task, int], Fit]


def cpu(program: Program, task: Task, seed: int) -> Fit:
    return fit_program(program, task, seed=seed)


ENGINES: dict[str, Engine] = {"cpu": cpu}


@pytest.fixture(params=sorted(ENGINES))
def engine(request) -> Engine:
    """Fits a program to every row of a task from a seed; raises FitError where it cannot."""
    return ENGINES[request.param]
