"""The laws that a figure shows: read from the archive, with refits to resampled rows, and the field's law refitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.api import fit_task
from sldagent.archive.store import Archive
from sldagent.bench.results import OURS, Result
from sldagent.bench.score import score
from sldagent.errors import FitError, LawError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitted import Fitted, from_candidate
from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.session import Grounds
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import LEVEL, refits

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """One law of a figure."""

    role: str
    """choice, second, third or human."""
    label: str
    fitted: Fitted
    r2: float | None
    """On the task's test rows; None without."""
    refits: tuple[Mapping[str, FloatArray], ...]
    """Parameters of refits to resampled training rows; empty where no interval is drawn."""

    def predict(self, task: Task, X: FloatArray, group: IntArray) -> FloatArray:
        """(rows, targets)."""
        return predict(self.fitted.program.law, self.fitted.parameters, X, group, layout_of(task))

    def band(self, task: Task, X: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray] | None:
        """Central interval of the refits' predictions, each (rows, targets); None without refits.

        A point at which fewer than half of the refits are finite has no interval (NaN).
        """
        if not self.refits:
            return None
        law, layout = self.fitted.program.law, layout_of(task)
        with np.errstate(all="ignore"):
            values = np.stack([predict(law, p, X, group, layout) for p in self.refits])
        values[~np.isfinite(values)] = np.nan
        few = np.mean(np.isfinite(values), axis=0) < 0.5
        values[:, few] = 0.0
        tail = 50.0 * (1.0 - LEVEL)
        low, high = np.nanpercentile(values, [tail, 100.0 - tail], axis=0)
        low[few] = high[few] = np.nan
        return low, high


def representative(results: Sequence[Result], task: str, mode: str) -> Result | None:
    """Our result with the median test R2 of its seeds (without test rows: the median X); None without a law.

    Of several budgets the one with most seeds, then the one that comes last.
    """
    ours = [r for r in results if (r.task, r.mode, r.method) == (task, mode, OURS) and r.choice is not None]
    if not ours:
        return None
    counts = {r.settings: sum(o.settings == r.settings for o in ours) for r in ours}
    settings = max(reversed(list(counts)), key=lambda s: counts[s])
    ours = sorted((r for r in ours if r.settings == settings), key=_quality)
    return ours[(len(ours) - 1) // 2]


def _quality(result: Result) -> tuple[float, int]:
    assert result.choice is not None
    value = result.choice.r2 if result.test_rows else result.choice.x
    return (-np.inf if value is None else float(value), result.seed)


def curves_of(result: Result, grounds: Grounds, human: str, archive: Archive, resamples: int) -> list[Curve]:
    """The choice, the rest of the short list, and the field's law refitted to the training rows where it can be.

    Raises ArchiveError where the archive lacks the result's laws.
    """
    test = grounds.task.part("test")
    evaluator = Evaluator(grounds.train, grounds.cuts)
    curves = []
    for role, law in zip(("choice", "second", "third"), result.shortlist, strict=False):
        fitted = from_candidate(*archive.law(law.law))
        label = "choice" if role == "choice" else f"{role} of short list"
        curves.append(Curve(role, label, fitted, _r2(fitted, test), tuple(refits(evaluator, fitted.program, resamples))))
    if human:
        try:
            fitted = fit_task(grounds.task, human)
            curves.append(Curve("human", f"human law ({human})", fitted, _r2(fitted, test), ()))
        except (FitError, LawError):
            pass  # a law that the rows do not determine is left out of the figure, as it has no score in the table
    return curves


def _r2(fitted: Fitted, test: Task) -> float | None:
    figures = score(test, fitted.predict_rows(test)) if len(test.X) else None
    return None if figures is None else float(figures.r2)
