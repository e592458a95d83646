"""How well the rows determine a law's parameters: a bootstrap over training cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.grounds import cell_ids
from sldagent.fitting.fit import Effort, fit_rows
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


def parameter_intervals(evaluator: Evaluator, program: Program, seed: int = 0) -> dict[str, Interval]:
    """Intervals by parameter name; empty where the program cannot be fitted.

    Whole cells (training runs, or combinations of scale levels) are drawn with replacement within each group, and the law is
    refitted from the fitted values: 5 % and 95 % points over `RESAMPLES` refits.
    """
    fitted = evaluator.fit(program)
    if not fitted.result.ok:
        return {}
    task = evaluator.grounds.task
    rows = evaluator.grounds.rows
    cells = cell_ids(task)[rows.order]
    rng = np.random.default_rng([seed, 4])
    refits = []
    for _ in range(RESAMPLES):
        weight = rows.weight * np.sqrt(_counts(cells, rows, rng))
        drawn = Rows(rows.X, rows.Y, rows.group, rows.groups, weight, rows.size)
        result = fit_rows(fitted.compiled, drawn, program.recipe, rng, warm=fitted.result.point, effort=REFIT)
        if result.ok:
            refits.append(result.parameters)
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    out = {}
    for name in refits[0] if len(refits) >= RESAMPLES // 2 else ():
        values = np.stack([r[name] for r in refits])
        low, high = np.percentile(values, [tail, 100.0 - tail], axis=0)
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
