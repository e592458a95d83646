"""The blend of a run: the plain mean of its short list's predictions, beside the law and never in place of it.

Laws of a short list are all valid, few (three at most), and have constants from the same rows: every one of them was
refitted to all training rows of its run, by its own recipe.  What differs is the form, and where forms differ beyond the
data their errors partly cancel.  Why the plain mean of them:

* For squared error, at every row: (mean_i f_i - y)^2 = mean_i (f_i - y)^2 - mean_i (f_i - mean_j f_j)^2 (the ambiguity
  decomposition of Krogh and Vedelsby 1995, "Neural network ensembles, cross validation, and active learning").  A blend is
  never worse than its laws are on average, whatever y is, and better by as much as they disagree.  It may well be worse than
  the best of them.
* Weights would have to come from extrapolation errors on a few cuts, which can hardly tell these laws apart, or from the fit
  to the rows that fitted them, which rewards the wrong thing.
* A mean stays inside a target's range, and keeps the directions in which all its laws rise or fall.

A blend has no formula, no complexity and no extrapolation error of its own, and cannot be exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import ArchiveError, ConfigError
from sldagent.fitted import Fitted, from_candidate, is_file
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    import pandas

    from sldagent.archive.store import Archive

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """The short list of a run as one predictor; prints as the run and its laws."""

    run: str
    laws: tuple[Fitted, ...]
    """The short list, the choice first; at least one law, all with the roles of the run's task."""

    @property
    def name(self) -> str:
        """What outputs and the archive's log of scorings call it: the run's id and ``-blend``, which is no law's id."""
        return f"{self.run}-blend"

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the laws."""
        return tuple(law.law for law in self.laws)

    @property
    def targets(self) -> tuple[str, ...]:
        return self.laws[0].targets

    def rows(self, table: str | Path | pandas.DataFrame, *, require_target: bool = False) -> Task:
        """A table read under the roles of the run's task; raises as `Fitted.rows` does."""
        return self.laws[0].rows(table, require_target=require_target)

    def predict(self, table: str | Path | pandas.DataFrame) -> FloatArray:
        """Mean predictions for the table's rows: (rows,), or (rows, targets) with several targets."""
        values = self.predict_rows(self.rows(table))
        return values[:, 0] if values.shape[1] == 1 else values

    def predict_rows(self, task: Task) -> FloatArray:
        """Mean predictions (rows, targets) for rows read by `rows`.

        A law whose prediction is not finite is left out of that row's mean (and target's) where another law's is finite;
        where none is, the result is not finite either.
        """
        values = self._each(task)
        finite = np.isfinite(values)
        used = finite | ~finite.any(axis=0)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.where(used, values, 0.0).sum(axis=0) / used.sum(axis=0))

    def spread_rows(self, task: Task) -> FloatArray:
        """Largest less smallest prediction of the laws (rows, targets), in units of the target.

        Infinite where any law's prediction is not finite: leaving that law out would make a breakdown look like agreement.
        """
        values = self._each(task)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where(np.isfinite(values).all(axis=0), np.ptp(values, axis=0), np.inf)

    def notes(self, task: Task) -> tuple[str, ...]:
        """What a reader of predictions for these rows must know, one sentence each."""
        out = []
        if len(self.laws) == 1:
            out.append(
                f"the short list of run {self.run} has one law, {self.members[0]}: this is its prediction, without a spread"
            )
        broken = ~np.isfinite(self._each(task)).all(axis=2)
        for law, rows in zip(self.members, broken.sum(axis=1), strict=True):
            if rows:
                out.append(
                    f"{law} has no finite prediction on {rows} of {len(task.X)} rows: it is left out of the mean there "
                    "(unless no other law has one), and the spread is infinite"
                )
        return tuple(out)

    def _each(self, task: Task) -> FloatArray:
        """Predictions of every law, (laws, rows, targets)."""
        return np.stack([law.predict_rows(task) for law in self.laws])

    def __repr__(self) -> str:
        return f"<Blend of run {self.run}: mean of {', '.join(self.members)}>"


def blend_of(text: str, archive: Archive | None) -> Blend:
    """The blend of an archived run.

    Args:
        text: the run's id, or a beginning that no other run's id has.
        archive: None only where `text` is a file, which is refused.

    Raises:
        ConfigError: `text` is a file or the id of one law.
        ArchiveError: the archive has no such run, or the run recommends no law.
    """
    if archive is None or is_file(text) or text.endswith(".py"):
        raise ConfigError(f"'{text}' is a file, and a blend is the mean of a run's short list: give a run's id with --blend")
    try:
        run = archive.run(text)
    except ArchiveError:
        owner = _owner(text, archive)
        if owner is None:
            raise
        raise ConfigError(
            f"'{text}' is one law, and a blend is the mean of a run's short list: give the run's id {owner} with --blend"
        ) from None
    if not run.shortlist:
        why = "is not finished" if run.status == "running" else "ended without one"
        raise ArchiveError(f"run {run.run} has no short list to blend: it {why}; give a run that recommends a law")
    return Blend(run.run, tuple(from_candidate(*archive.law(f"{run.run}-{k}")) for k in run.shortlist))


def _owner(law: str, archive: Archive) -> str | None:
    """The run that an id of one law belongs to; None where it is no law's id."""
    try:
        return archive.law(law)[0].run
    except ArchiveError:
        return None
