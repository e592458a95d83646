"""Sixty groups of ten rows, the rectified law E + A / (D**a + B): one call of the engine against a loop over SciPy."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from experiments.benchmarks.fitting.common import interleaved, rows_of, show
from sldagent.fitting.fit import fit_rows
from sldagent.fitting.graph import Layout
from sldagent.fitting.result import Effort
from sldagent.fitting.tape import compile_law
from sldagent.laws.parse import parse_program

PROGRAM = parse_program("""
def law(D, E, A, B, a):
    return E + A / (D**a + B)
parameters = {"E": positive(), "A": positive(), "B": positive(), "a": interval(0, 2)}
""")
GROUPS, ROWS, STARTS = 60, 10, 64
FEW = 3
"""Groups that SciPy fits in each repeat; its time is scaled, and its objective compared group by group."""


def table(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    D = np.tile(np.geomspace(200, 2e5, ROWS), GROUPS)
    group = np.repeat(np.arange(GROUPS), ROWS)
    E, a = rng.uniform(0.3, 2, GROUPS)[group], rng.uniform(0.3, 0.9, GROUPS)[group]
    turn = rng.uniform(200, 5000, GROUPS)[group] ** a
    y = E + rng.uniform(0.5, 3, GROUPS)[group] * turn / (D**a + turn)
    return D, y * (1 + 0.01 * rng.normal(size=y.size)), group


def main(repeats: int = 3) -> bool:
    D, y, group = table()
    rows = rows_of(D[:, None], y, group)
    law = compile_law(PROGRAM.law, Layout({"D": 0}, {}, 1))
    found: dict[int, np.ndarray] = {}

    def ours(seed: int) -> float:
        fit = fit_rows(law, rows, PROGRAM.recipe, np.random.default_rng(seed), effort=Effort(starts=16, keep=3))
        E, A, B, a = (fit.parameters[n] for n in ("E", "A", "B", "a"))
        square = (E[group] + A[group] / (D ** a[group] + B[group]) - y) ** 2
        found[seed] = np.bincount(group, weights=square)
        return float(found[seed][_picks(seed)].sum())

    def scipy(seed: int) -> float:
        rng = np.random.default_rng(seed)
        total = 0.0
        for g in _picks(seed):
            x, t = np.log(D[group == g]), y[group == g]

            def residual(p: np.ndarray, x: np.ndarray = x, t: np.ndarray = t) -> np.ndarray:
                return p[0] + np.exp(p[1]) / (np.exp(p[3] * x) + np.exp(p[2])) - t

            box = ([0, -5, -5, 0], [np.inf, 40, 40, 2])
            scales = rng.uniform(0, 10, (2, STARTS))
            starts = np.column_stack([rng.uniform(0, 2, STARTS), *scales, rng.uniform(0.1, 1, STARTS)])
            total += min(2 * float(least_squares(residual, s, bounds=box, method="trf").cost) for s in starts)
        return total

    name = f"scipy least_squares (trf), {STARTS} starts per group"
    return show(
        f"{GROUPS} groups of {ROWS} rows, rectified law, least squares",
        f"one thread, medians of {repeats} interleaved repeats; SciPy on {FEW} groups, scaled; objective of those groups",
        interleaved({"sldagent": ours, name: scipy}, repeats),
        {name: GROUPS / FEW},
    )


def _picks(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 1]).choice(GROUPS, FEW, replace=False)
