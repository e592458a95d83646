"""A law with its constants, ready to predict: what `fit` and `discover` hand back and what LAW means on a command line."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.errors import ExportError, FitError, TableError
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.laws.render import render_expr
from sldagent.tasks.task import Task

if TYPE_CHECKING:
    import pandas

    from sldagent.archive.store import Archive
    from sldagent.evaluation.result import CutScore
    from sldagent.fitting.diagnosis import FitDiagnosis
    from sldagent.uncertainty.bootstrap import Bootstrap, Interval
    from sldagent.uncertainty.spread import Spread

FloatArray = NDArray[np.float64]


class Prediction(NamedTuple):
    """Predictions with their intervals, each (rows,), or (rows, targets) with several targets."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Fitted:
    """A law with its constants.  Prints as its formula; `predict` takes a data frame or a table's path."""

    law: str
    """Its id in the archive, or the name it was fitted by."""
    program: Program
    parameters: Mapping[str, FloatArray]
    """Values by name; leading axis: groups (length 1 for shared), then targets and vector elements."""
    card: Mapping[str, Any]
    """Roles of the task it was fitted to (see `sldagent.tasks.archived.task_card`)."""
    document: Mapping[str, Any] = field(repr=False)
    """The whole law as JSON (see `sldagent.export.document`)."""
    objective: float | None = None
    """The minimised loss, where the law was just fitted."""
    r2: float | None = None
    """1 - mean squared error over variance on the rows it was fitted to."""
    standard_errors: Mapping[str, FloatArray] | None = None
    """Same axes as `parameters`, where the law was just fitted; NaN where the rows do not determine one."""
    diagnosis: FitDiagnosis | None = None
    """How well the rows determine the parameters, where the law was just fitted."""
    bootstrap: Bootstrap | None = field(default=None, repr=False)
    """Refits to resampled rows, where they were asked for."""
    training: Task | None = field(default=None, repr=False)
    """The rows that it was fitted to, where they are at hand."""
    cuts: tuple[CutScore, ...] | None = field(default=None, repr=False)
    """Its scores on the cuts of its run; None: of no run."""
    others: tuple[Fitted, ...] = field(default=(), repr=False)
    """Further laws of the short list that it belongs to: where they disagree, its intervals are wider."""

    @property
    def intervals(self) -> dict[str, Interval] | None:
        """90 % percentile intervals by parameter name, same axes as `parameters`; None without a bootstrap.

        Other levels: ``fitted.bootstrap.intervals(0.95)``.
        """
        return None if self.bootstrap is None else self.bootstrap.intervals()

    @cached_property
    def spread(self) -> Spread:
        """What its intervals of predictions rest on.  Raises FitError where its training rows are not at hand."""
        from sldagent.uncertainty.laws import spread_of

        return spread_of(self)

    @property
    def formula(self) -> str:
        return render_expr(self.program.law.expr)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(str(g) for g in self.card.get("groups") or ("all",))

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(t["name"] for t in self.card["targets"])

    def rows(self, table: str | Path | pandas.DataFrame, *, require_target: bool = False) -> Task:
        """A table read under this law's roles.  Raises TableError, and FitError for a group that the law does not know."""
        from sldagent.tasks.archived import apply_card

        task = apply_card(self.card, table, require_target=require_target)
        unknown = sorted({task.groups[g] for g in np.unique(task.group) if g >= len(self.groups)})
        if unknown:
            known = ", ".join(self.groups[:6]) + (", ..." if len(self.groups) > 6 else "")
            raise FitError(
                f"{task.source}: the law has no constants for the group '{unknown[0]}' (it has: {known}): "
                "leave out that group's rows, or discover from a table that has it"
            )
        return task

    @overload
    def predict(self, table: str | Path | pandas.DataFrame) -> FloatArray: ...

    @overload
    def predict(self, table: str | Path | pandas.DataFrame, *, interval: float) -> Prediction: ...

    def predict(
        self, table: str | Path | pandas.DataFrame, *, interval: float | None = None
    ) -> FloatArray | Prediction:
        """Predictions for the table's rows: (rows,), or (rows, targets) with several targets.

        Args:
            interval: a share between 0 and 1: also the ends of central intervals that hold so many new measurements.

        Raises as `rows` does, and with an interval FitError where nothing is known of the law's residuals.
        """
        task = self.rows(table)
        values = self.predict_rows(task)
        if interval is None:
            return values[:, 0] if values.shape[1] == 1 else values
        low, high = self.interval_rows(task, interval)
        columns = (v[:, 0] if v.shape[1] == 1 else v for v in (values, low, high))
        return Prediction(*columns)

    def interval_rows(self, task: Task, level: float) -> tuple[FloatArray, FloatArray]:
        """Ends (rows, targets) of central prediction intervals for rows read by `rows`; see `predict`."""
        from sldagent.uncertainty.laws import interval_rows

        return interval_rows(self, task, level)

    def predict_rows(self, task: Task) -> FloatArray:
        """Predictions (rows, targets) for rows read by `rows`."""
        from sldagent.fitting.public import predict
        from sldagent.fitting.tape import layout_of

        return predict(self.program.law, self.parameters, task.X, task.group, layout_of(task))

    def export(self, path: str | Path, format: str | None = None) -> Path:
        """Write the law to a file; the format follows its ending (.py, .json, .tex, .typ) where not given."""
        from sldagent.export import ENDINGS, export_law
        from sldagent.export.files import write_text

        target = Path(path)
        form = format or ENDINGS.get(target.suffix)
        if form is None:
            raise ExportError(f"the ending of '{target}' names no format: end it in {', '.join(ENDINGS)}, or give format=")
        write_text(export_law(self.complete_document(), form), target)
        return target

    def complete_document(self) -> Mapping[str, Any]:
        """`document`, with what intervals need where that is known or can be measured."""
        from sldagent.uncertainty.laws import complete_document

        return complete_document(self)

    def summary(self) -> dict[str, Any]:
        """Name, formula, parameters, objective and R2, JSON-able."""
        return {
            "law": self.law,
            "formula": self.formula,
            "parameters": self.named_parameters(),
            "objective": self.objective,
            "r2": self.r2,
        }

    def named_parameters(self) -> dict[str, Any]:
        """Parameters as JSON: a number (or nested list) where one value holds for all rows, else one entry per group."""
        return named_parameters(self.parameters, self.groups)

    def __repr__(self) -> str:
        r2 = "" if self.r2 is None else f", r2={self.r2:.5f}"
        return f"<Fitted {self.law}: {' , '.join(self.targets)} = {self.formula}{r2}>"

    def _repr_html_(self) -> str:
        from sldagent.report.html import fitted_html

        return fitted_html(self)


def named_parameters(parameters: Mapping[str, FloatArray], groups: tuple[str, ...]) -> dict[str, Any]:
    """See `Fitted.named_parameters`."""
    out: dict[str, Any] = {}
    for name, values in parameters.items():
        array = np.asarray(values, dtype=float)
        if len(array) == 1:
            out[name] = array[0].tolist()
        else:
            out[name] = {group: value.tolist() for group, value in zip(groups, array, strict=True)}
    return out


def from_document(document: Mapping[str, Any]) -> Fitted:
    """The law in a checked document."""
    from sldagent.export.document import document_parameters

    card = document.get("card")
    if not isinstance(card, Mapping):
        raise ExportError(f"the law {document.get('law')} lacks the roles of its table (key 'card'); export it again")
    return Fitted(
        law=str(document["law"]),
        program=parse_program(document["program"]),
        parameters=document_parameters(document),
        card=card,
        document=document,
    )


def from_candidate(run: RunRecord, candidate: CandidateRecord) -> Fitted:
    """The law of an archived candidate.  Raises ExportError where it has no fitted parameters."""
    from sldagent.export.document import law_document

    day = (run.finished or run.started).date()
    return replace(from_document(law_document(run, candidate, day)), cuts=candidate.evaluation.cuts)


def resolve(text: str, archive: Archive | None) -> Fitted:
    """What LAW means: an exported JSON file, a candidate's id, or a run's id (its choice).

    Args:
        archive: None: `text` must be a file.

    Raises ExportError or ArchiveError.
    """
    from sldagent.export.document import read_law_document

    if is_file(text):
        return from_document(read_law_document(text))
    if archive is None:
        raise ExportError(f"'{text}' is not an exported law: give the path of a .json file")
    run, candidate = archive.law(text)
    law = from_candidate(run, candidate)
    if candidate.k not in run.shortlist:
        return law
    listed = archive.laws(run.run, run.shortlist)
    return replace(law, others=tuple(from_candidate(run, r) for r in listed if r.k != candidate.k))


def is_file(text: str) -> bool:
    """Whether LAW names an exported file rather than something in the archive."""
    return text.endswith(".json") or Path(text).is_file()


def from_fit(
    name: str,
    task: Task,
    program: Program,
    parameters: Mapping[str, FloatArray],
    objective: float,
    r2: float,
    *,
    x: float = np.inf,
) -> Fitted:
    """A law that was just fitted to the rows of `task`, outside any run."""
    from sldagent.evaluation.result import Evaluation
    from sldagent.laws.canonical import structure_hash
    from sldagent.laws.complexity import complexity
    from sldagent.laws.render import render_program
    from sldagent.tasks.archived import task_card

    card = task_card(task)
    cost = complexity(program.law, {n: len(s) for n, s in task.vectors.items()})
    evaluation = Evaluation(
        x=x,
        complexity=cost.total,
        tree=cost.tree,
        scalars=cost.scalars,
        valid=True,
        train_r2=r2,
        parameters=dict(parameters),
    )
    now = datetime.datetime.now(datetime.UTC)
    run = RunRecord(
        run="fit", task=task.name, status="complete", seed=0, started=now, finished=now, config={}, card=card, mode="none"
    )
    record = CandidateRecord(
        k=0,
        island=0,
        operator=f"fit {name}",
        parents=(),
        source=render_program(program),
        formula=render_expr(program.law.expr),
        structure=structure_hash(program.law),
        evaluation=evaluation,
    )
    found = from_candidate(run, record)
    return replace(found, law=name, objective=objective, r2=r2, training=task.part("train"), cuts=None)


def check_split(task: Task, split: str) -> Task:
    """The task's rows of one split; ``all`` is every row.  Raises TableError where there are none."""
    if split == "all":
        return task
    if task.split_column is None:
        raise TableError(
            f"{task.source}: the law was fitted without a split column that this table has too, so no row is known to be "
            f"'{split}': use --split all for all rows, or a table of the rows to score"
        )
    part = task.part(split)
    if len(part.X) == 0:
        present = ", ".join(sorted(set(task.split.tolist())))
        raise TableError(f"{task.source}: no row has '{split}' in column '{task.split_column}' (it has: {present})")
    return part
