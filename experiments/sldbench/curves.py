"""The laws that a benchmark's figure shows: read from the archive, with refits to resampled rows, and the field's law
refitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

import numpy as np

from sldagent.api import fit_task
from sldagent.archive.store import Archive
from sldagent.bench.results import OURS, Result
from sldagent.bench.score import score
from sldagent.errors import FitError, LawError
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitted import Fitted, from_candidate
from sldagent.report.figures import Curve
from sldagent.report.figures.style import Role
from sldagent.session import Grounds
from sldagent.tasks.task import Task
from sldagent.uncertainty.bootstrap import refits


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
    roles: tuple[Role, ...] = get_args(Role)
    for role, law in zip(roles[:3], result.shortlist, strict=False):
        fitted = from_candidate(*archive.law(law.law))
        label = "choice" if role == "choice" else f"{role} of short list"
        drawn = tuple(refits(evaluator, fitted.program, resamples))
        curves.append(Curve(role, label, fitted, drawn, note=_scored(fitted, test)))
    if human:
        try:
            fitted = fit_task(grounds.task, human)
            curves.append(Curve("published", f"human law ({human})", fitted, note=_scored(fitted, test)))
        except (FitError, LawError):
            pass  # a law that the rows do not determine is left out of the figure, as it has no score in the table
    return curves


def _scored(fitted: Fitted, test: Task) -> str:
    """What the legend says of a law's score on the test rows; '' without such rows."""
    figures = score(test, fitted.predict_rows(test)) if len(test.X) else None
    if figures is None:
        return ""
    r2 = float(figures.r2)
    return f", test R2 {r2:.4f}" if math.isfinite(r2) and abs(r2) < 100 else ", not usable on the test rows"
