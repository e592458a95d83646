"""How well the rows determine a law's parameters: a bootstrap over training cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.grounds import cell_ids
from sldagent.fitting.fit import fit_rows
from sldagent.fitting.result import Effort
from sldagent.fitting.rows import Rows
from sldagent.laws.program import Program

FloatArray = NDArray[np.float64]

RESAMPLES = 64
LEVEL = 0.90
"""Share of the resamples that an interval holds."""
REFIT = Effort(starts=1, keep=1, iterations=60)
"""Effort of one refit, beside the warm start at the fitted values."""


@dataclass(frozen=True)
class Interval:
    """Central interval of a parameter's refitted values; arrays shaped like the parameter's own."""

    low: FloatArray
    high: FloatArray


def refits(evaluator: Evaluator, program: Program, count: int = RESAMPLES, seed: int = 0) -> list[dict[str, FloatArray]]:
    """Parameters of `count` refits to resampled rows, each from the fitted values.

    Whole cells (training runs, or combinations of scale levels) are drawn with replacement within each group.  Empty where
    the program brings fitting code of its own or cannot be fitted, and where fewer than half of the refits succeed.
    """
    if program.custom_fit is not None:
        return []
    fitted = evaluator.fit(program)
    if not fitted.result.ok:
        return []
    rows = evaluator.grounds.rows
    cells = cell_ids(evaluator.grounds.task)[rows.order]
    rng = np.random.default_rng([seed, 4])
    found = []
    for _ in range(count):
        weight = rows.weight * np.sqrt(_counts(cells, rows, rng))
        drawn = Rows(rows.X, rows.Y, rows.group, rows.groups, weight, rows.size)
        result = fit_rows(fitted.compiled, drawn, program.recipe, rng, warm=fitted.result.point, effort=REFIT)
        if result.ok:
            found.append(result.parameters)
    return found if 2 * len(found) >= count else []


def parameter_intervals(evaluator: Evaluator, program: Program, seed: int = 0) -> dict[str, Interval]:
    """Intervals by parameter name: 5 % and 95 % points over `refits`; empty where there are none."""
    found = refits(evaluator, program, seed=seed)
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    out = {}
    for name in found[0] if found else ():
        low, high = np.percentile(np.stack([r[name] for r in found]), [tail, 100.0 - tail], axis=0)
        out[name] = Interval(low, high)
    return out


def _counts(cells: NDArray[np.int64], rows: Rows, rng: np.random.Generator) -> FloatArray:
    """(rows,) how often each row's cell was drawn, within each group."""
    counts = np.zeros(rows.n)
    for group in range(rows.groups):
        span = slice(rows.starts[group], rows.starts[group + 1])
        local = np.unique(cells[span], return_inverse=True)[1].ravel()
        if local.size:
            n = int(local.max()) + 1
            counts[span] = rng.multinomial(n, np.full(n, 1.0 / n))[local]
    return counts
