"""Which engine fits: numba on the CPU, or JAX on an accelerator for batches that are large enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from sldagent.errors import ConfigError, FitError
from sldagent.fitting.job import Job
from sldagent.fitting.result import FitResult
from sldagent.fitting.rows import Rows

Engine = Literal["auto", "cpu", "jax"]
"""``auto``: JAX where it has an accelerator and the batch is above the crossover, else the CPU."""

CROSSOVER = 1_000_000
"""`Job.work` of a batch from which an accelerator is faster even though JAX must be imported and its kernels compiled first.

About 7 s of one CPU core, which an H200 pays back with 5 s of compiling; with ready kernels they cross at 20,000 to 130,000
(`experiments/benchmarks/accelerator.py`).
"""


def engine_for(jobs: Sequence[Job], engine: Engine = "auto") -> Literal["cpu", "jax"]:
    """The engine that a batch is fitted by.

    Raises:
        ConfigError: `engine` is not one of auto, cpu and jax.
        FitError: JAX is asked for and not installed.
    """
    if engine not in get_args(Engine):
        raise ConfigError(f"unknown engine '{engine}': use auto, cpu or jax")
    if engine == "cpu" or (engine == "auto" and sum(job.work for job in jobs) < CROSSOVER):
        return "cpu"
    if engine == "jax":
        from sldagent.fitting.accelerator.devices import device

        device()
        return "jax"
    return "jax" if _accelerator_works() else "cpu"


def _accelerator_works() -> bool:
    """Whether JAX has an accelerator; JAX is imported only where one of its plugins is installed."""
    from sldagent.fitting.accelerator import devices

    try:
        return devices.accelerator_likely() and devices.device().accelerator
    except FitError:
        return False


def fit_many(jobs: Sequence[Job], engine: Engine = "auto") -> list[list[FitResult] | FitError]:
    """Fit every job; per job one result for each of its weight sets, or the reason why it cannot be fitted.

    Raises:
        ConfigError, FitError: see `engine_for`.
    """
    if engine_for(jobs, engine) == "jax":
        from sldagent.fitting.accelerator.strategy import fit_jobs

        return fit_jobs(jobs)
    return [_on_cpu(job) for job in jobs]


def fit_one(job: Job, engine: Engine = "auto") -> FitResult:
    """The fit of a job's only (or first) weight set.

    Raises:
        ConfigError, FitError: see `engine_for`; or the job cannot be fitted.
    """
    found = fit_many([job], engine)[0]
    if isinstance(found, FitError):
        raise found
    return found[0]


def _on_cpu(job: Job) -> list[FitResult] | FitError:
    from sldagent.fitting.fit import fit_rows
    from sldagent.fitting.refits import refit

    try:
        if job.warm_alone and job.warm is not None:
            weights = np.ones((1, *job.rows.Y.shape)) if job.weights is None else job.weights
            return refit(job.law, job.rows, job.recipe, job.warm, weights)
        tables = [job.rows] if job.weights is None else [weighted(job.rows, w) for w in job.weights]
        return [fit_rows(job.law, r, job.recipe, job.rng, warm=job.warm, effort=job.effort) for r in tables]
    except FitError as error:
        return error


def weighted(rows: Rows, factors: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Rows:
    """`rows` with the weights of their squared residuals multiplied by `factors` (targets, rows); all-zero rows dropped."""
    some = (factors > 0.0).any(axis=0)
    return rows.take(np.nonzero(some)[0]).weighted(factors[:, some])
