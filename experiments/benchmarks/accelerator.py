"""Fits per second of the CPU and the accelerator engine over batch sizes, and where they cross.

    python experiments/benchmarks/accelerator.py [--seconds 210] [--kinds bootstraps,groups,formulas]

Runs on whatever device JAX finds (from a checkout that is not installed, with PYTHONPATH set to its root).  Three ways in
which a batch grows: bootstraps of one formula (weight sets, from the fitted values), groups of one table (each with
parameters of its own), and different formulas (many starts each).  The CPU engine runs on one thread; where a batch would
take it longer than `CPU_SECONDS`, a part is timed and the rest counted at the same rate.  Times are wall-clock on an
accelerator and CPU time where the device is a CPU; both engines start from ready kernels, and what compiling took is printed
beside.

Both engines' objectives are compared, for groups their sum: worse / better / compared counts those in which JAX's is more
than 1e-6 above the CPU engine's, those in which it is as much below, and all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import FitError
from sldagent.fitting.accelerator import devices
from sldagent.fitting.accelerator.strategy import fit_jobs
from sldagent.fitting.engines import fit_many
from sldagent.fitting.graph import Layout
from sldagent.fitting.job import Job
from sldagent.fitting.result import Effort, FitResult
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw, compile_law
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Parameter, Recipe

CPU_SECONDS = 4.0
"""Longest timing of the CPU engine per batch."""
REFIT = Effort(starts=1, keep=1, iterations=60)
"""Effort of one bootstrap, beside the warm start."""
Results = list[list[FitResult] | FitError]
HUBER = Recipe("huber", "log", 1e-3)


@dataclass(frozen=True)
class Batch:
    """A batch of fits, made anew for each engine (jobs carry generators)."""

    kind: str
    fits: int
    make: Callable[[int], list[Job]]
    """Jobs for (about) that many fits."""


def chinchilla_rows(n: int = 240, seed: int = 0) -> Rows:
    """Synthetic losses E + A / N**a + B / D**b with 1 % noise and a few outliers."""
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7.5, 10.2, n), 10 ** rng.uniform(9, 12, n)
    y = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.01 * rng.standard_t(3, n))
    return Rows(np.column_stack([N, D]), y[None], np.zeros(n, np.int64), 1, np.ones((1, n)))


def group_rows(groups: int, each: int = 10, seed: int = 1) -> Rows:
    """Rectified laws E + A / (D**a + B), one per group."""
    rng = np.random.default_rng(seed)
    D = np.tile(np.geomspace(1e2, 1e7, each), groups)
    g = np.repeat(np.arange(groups), each)
    E, A, a, B = (rng.uniform(*r, groups)[g] for r in ((0.5, 2), (50, 300), (0.3, 0.6), (10, 100)))
    y = (E + A / (D**a + B)) * np.exp(0.01 * rng.normal(size=D.size))
    return Rows(D[:, None], y[None], g, groups, np.ones((1, D.size)))


def formula(rng: np.random.Generator) -> str:
    """A random law in N and D: a floor and two or three terms."""
    terms = ["A*N**-a", "B*D**-b", "C*(N*D)**-c", "A*exp(-a*log(N)/10)", "B*log(D)**-b", "C*tanh(c*log(N))", "F*log(D)"]
    chosen = rng.choice(len(terms), rng.integers(2, 4), replace=False)
    return "E + " + " + ".join(terms[k] for k in sorted(chosen))


def law(text: str, layout: Layout, positive: str = "") -> CompiledLaw:
    """A formula with the parameters named in `positive` declared so."""
    parsed = parse_formula(text, list(layout.columns))
    declared = tuple(Parameter(p.name, "positive") if p.name in positive else p for p in parsed.parameters)
    return compile_law(replace(parsed, parameters=declared), layout)


def batches() -> list[list[Batch]]:
    """The batches by kind, small to large."""
    two = Layout({"N": 0, "D": 1}, {}, 1)
    rows = chinchilla_rows()
    base = law("E + A*N**-a + B*D**-b", two, "EAB")
    fitted = fit_jobs([Job(base, rows, HUBER, np.random.default_rng(0))])[0]
    assert isinstance(fitted, list)
    warm = fitted[0].point

    def bootstraps(count: int) -> list[Job]:
        counts = np.random.default_rng(2).multinomial(rows.n, np.full(rows.n, 1 / rows.n), size=count)
        return [Job(base, rows, HUBER, np.random.default_rng(0), counts[:, None].astype(float), warm, REFIT)]

    def groups(count: int) -> list[Job]:
        one = Layout({"D": 0}, {}, 1)
        rectified = law("E + A/(D**a + B)", one, "EAB")
        return [Job(rectified, group_rows(count), Recipe(), np.random.default_rng(0))]

    def formulas(count: int) -> list[Job]:
        rng = np.random.default_rng(3)
        texts = [formula(rng) for _ in range(count)]
        return [Job(law(t, two), rows, HUBER, np.random.default_rng(k)) for k, t in enumerate(texts)]

    return [
        [Batch("bootstraps", n, bootstraps) for n in (16, 128, 1024, 4096, 16384)],
        [Batch("groups", n, groups) for n in (16, 128, 1024, 8192)],
        [Batch("formulas", n, formulas) for n in (1, 8, 64, 512)],
    ]


def objectives(results: Sequence[list[FitResult] | FitError]) -> NDArray[np.float64]:
    """Objectives of all fits in order; NaN for jobs that cannot be fitted."""
    values = [[r.objective for r in job] if isinstance(job, list) else [np.nan] for job in results]
    return np.concatenate(values)


def cpu_engine() -> str:
    """numba and its version once the CPU engine's kernels are ready; empty where numba cannot be used."""
    try:
        import numba

        from sldagent.fitting.warm import warm
    except ImportError as error:
        print(f"no CPU engine here, JAX alone is timed: {error}")
        return ""
    warm()
    return f"numba {numba.__version__}"


def timed(clock: Callable[[], float], work: Callable[[], Results]) -> tuple[float, Results]:
    """Seconds and result of a call."""
    start = clock()
    found = work()
    return clock() - start, found


def measure(batch: Batch, clock: Callable[[], float], per_fit: float, cpu: bool) -> tuple[float, float, float, str]:
    """Seconds of JAX, seconds of compiling, seconds of the CPU engine (scaled), and how the objectives compare."""
    first, _ = timed(clock, lambda: fit_jobs(batch.make(batch.fits)))
    jobs = batch.make(batch.fits)
    jax_seconds, found = timed(clock, lambda: fit_jobs(jobs))
    if not cpu:
        return jax_seconds, max(first - jax_seconds, 0.0), np.nan, "-"
    part = max(1, min(batch.fits, int(CPU_SECONDS / max(per_fit, 1e-6))))
    jobs = batch.make(part)
    cpu_seconds, reference = timed(time.process_time, lambda: fit_many(jobs, "cpu"))
    a, b = objectives(found), objectives(reference)
    n = min(len(a), len(b)) if batch.kind != "groups" or part == batch.fits else 0
    worse = int((a[:n] > b[:n] * (1 + 1e-6)).sum())
    better = int((b[:n] > a[:n] * (1 + 1e-6)).sum())
    return jax_seconds, max(first - jax_seconds, 0.0), cpu_seconds * batch.fits / part, f"{worse}/{better}/{n}"


def crossover(points: Sequence[tuple[int, float, float]]) -> str:
    """Batch size at which the rates cross, by interpolation of logarithms."""
    previous = None
    for fits, jax_rate, cpu_rate in points:
        lead = np.log(jax_rate / cpu_rate)
        if lead >= 0:
            if previous is None:
                return f"at or below {fits} fits"
            share = -previous[1] / (lead - previous[1])
            return f"about {np.exp(np.log(previous[0]) + share * np.log(fits / previous[0])):.0f} fits"
        previous = (fits, lead)
    return f"not reached at {points[-1][0]} fits" if points else "not measured"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=210.0, help="no further batch is begun after this (default: 210)")
    parser.add_argument("--kinds", default="bootstraps,groups,formulas", help="which batches (default: all)")
    arguments = parser.parse_args()
    started = time.perf_counter()
    import jax

    cpu = cpu_engine()
    on = devices.device()
    clock = time.perf_counter if on.accelerator else time.process_time
    print(f"device {on.name} ({on.platform}), memory per call {on.bytes / 2**30:.1f} GiB, rows at once {on.elements}")
    print(f"python {sys.version.split()[0]}, jax {jax.__version__}, {cpu or 'no CPU engine'}, numpy {np.__version__}")
    print(f"float64; JAX timed by {'wall clock' if on.accelerator else 'CPU time'}, CPU engine by CPU time on one thread")
    sets = batches()
    print(f"ready after {time.perf_counter() - started:.1f} s wall (first kernels compiled or loaded)", flush=True)
    print(
        f"{'batch':<12}{'fits':>7}{'cpu fits/s':>13}{'jax fits/s':>13}{'jax/cpu':>9}{'compile s':>11}  worse/better/compared"
    )
    for group in sets:
        if group[0].kind not in arguments.kinds.split(","):
            continue
        points, per_fit = [], 0.0
        for batch in group:
            if time.perf_counter() - started > arguments.seconds:
                print(f"{batch.kind:<12}{batch.fits:>7}  skipped: {arguments.seconds:.0f} s have passed")
                continue
            jax_s, compile_s, cpu_s, compared = measure(batch, clock, per_fit, bool(cpu))
            per_fit = cpu_s / batch.fits if cpu else 0.0
            points.append((batch.fits, batch.fits / jax_s, batch.fits / cpu_s))
            print(
                f"{batch.kind:<12}{batch.fits:>7}{batch.fits / cpu_s:>13.1f}{batch.fits / jax_s:>13.1f}{cpu_s / jax_s:>9.2f}"
                f"{compile_s:>11.1f}  {compared}",
                flush=True,
            )
        if cpu:
            print(f"{group[0].kind}: crossover {crossover(points)}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s wall in all")


if __name__ == "__main__":
    main()
