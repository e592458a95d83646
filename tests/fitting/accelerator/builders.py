"""Jobs and comparisons that the accelerator's tests share.

Most tables have at most 16 rows per group, so that one kernel (compiled once per process) serves most tests.
"""

from __future__ import annotations

import numpy as np

from sldagent.fitting.engines import fit_many
from sldagent.fitting.job import Job
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Program, Recipe
from tests.fitting.helpers import make_task

WIDTH = 16
"""Lanes of every kernel in the tests: one width, one compilation per size class."""

POWER = 'def law(x, E, A, a):\n    return E + A * x**-a\nparameters = {"E": real(), "A": real(), "a": interval(0, 2)}'


def program(text: str, recipe: Recipe | None = None) -> Program:
    from dataclasses import replace

    parsed = parse_program(text) if text.lstrip().startswith("def") else Program(parse_formula(text, ["x"]))
    return parsed if recipe is None else replace(parsed, recipe=recipe)


def power_table(groups: int = 1, n: int = 14, seed: int = 0, noise: float = 0.01):
    """Rows of E + A * x**-a, parameters by group."""
    rng = np.random.default_rng(seed)
    x = np.tile(np.geomspace(10, 1e4, n), groups)
    g = np.repeat(np.arange(groups), n)
    E, A, a = rng.uniform(1, 3, groups)[g], rng.uniform(5, 20, groups)[g], rng.uniform(0.3, 0.6, groups)[g]
    y = (E + A * x**-a) * np.exp(noise * rng.standard_t(4, x.size))
    return make_task({"x": x}, y, g)


def job(text: str, task, recipe: Recipe | None = None, seed: int = 0, **more) -> Job:
    """A job of a program's or formula's text on all rows of a task."""
    p = program(text, recipe)
    return Job(compile_law(p.law, layout_of(task)), Rows.of_task(task), p.recipe, np.random.default_rng(seed), **more)


def on_device(*jobs: Job, width: int = WIDTH):
    """Results of every job on JAX; a refusal is raised."""
    from sldagent.fitting.accelerator.strategy import fit_jobs

    found = fit_jobs(jobs, width=width)
    for result in found:
        if isinstance(result, Exception):
            raise result
    return found


def both(text: str, task, recipe: Recipe | None = None, **more):
    """First results of the CPU engine and of JAX for the same job."""
    cpu = fit_many([job(text, task, recipe, **more)], "cpu")[0]
    if isinstance(cpu, Exception):
        raise cpu
    return cpu[0], on_device(job(text, task, recipe, **more))[0][0]


def assert_same(cpu, jax, rel: float = 1e-8):
    """Both reached the same objective and the same parameters."""
    assert cpu.ok and jax.ok, (cpu.failure, jax.failure)
    assert jax.objective <= cpu.objective * (1 + 1e-9) + 1e-18
    assert jax.parameters.keys() == cpu.parameters.keys()
    for name, values in cpu.parameters.items():
        np.testing.assert_allclose(jax.parameters[name], values, rtol=rel, atol=1e-12, err_msg=name)
