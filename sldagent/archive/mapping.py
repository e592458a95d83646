"""Records to table rows and back, without loss.

A number that is not finite is NULL in its column, and NULL reads back as the value in `NULL_MEANS`; any
other non-finite value of that column (a NaN, say) is kept in the candidate's block under `special`, so that
every Evaluation returns exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sldagent.archive.pack import pack, unpack
from sldagent.archive.records import CandidateRecord
from sldagent.evaluation.result import CutScore, Evaluation, Failure

Row = dict[str, Any]


class Fields(Protocol):
    """A row as the database gives it: values by column name."""

    def __getitem__(self, name: str, /) -> Any: ...


NULL_MEANS = {
    "x": math.inf,
    "x_se": math.inf,
    "mdl": math.inf,
    "complexity": math.inf,
    "train_r2": -math.inf,
    "seconds": math.inf,
    "log_mse": math.inf,
    "kept_log_mse": math.inf,
}


@dataclass
class Rows:
    """Rows of a batch of candidates, by table."""

    candidate: list[Row] = field(default_factory=list)
    parentage: list[Row] = field(default_factory=list)
    evaluation: list[Row] = field(default_factory=list)
    cut_score: list[Row] = field(default_factory=list)
    group_fit: list[Row] = field(default_factory=list)
    failure: list[Row] = field(default_factory=list)


def finite(value: float) -> float | None:
    """The value for a nullable column: NULL when it is not finite."""
    number = float(value)
    return number if math.isfinite(number) else None


def _column(name: str, value: float, key: str, special: dict[str, float]) -> float | None:
    number = float(value)
    if math.isfinite(number):
        return number
    if number != NULL_MEANS[name]:
        special[key] = number
    return None


def _value(name: str, stored: float | None, key: str, special: Mapping[str, float]) -> float:
    return float(stored) if stored is not None else special.get(key, NULL_MEANS[name])


def usable(e: Evaluation) -> bool:
    """Whether the front may have it: valid, finite in X and complexity, and without a failure."""
    return bool(e.valid and e.failure is None and math.isfinite(e.x) and math.isfinite(e.complexity))


def to_rows(run: str, records: Iterable[CandidateRecord], committed: datetime) -> Rows:
    """Rows of every table for a batch of records."""
    rows = Rows()
    for record in records:
        _add(rows, run, record, committed)
    return rows


def _add(rows: Rows, run: str, record: CandidateRecord, committed: datetime) -> None:
    e, k = record.evaluation, int(record.k)
    special: dict[str, float] = {}
    rows.candidate.append(
        {
            "run": run,
            "k": k,
            "island": int(record.island),
            "operator": record.operator,
            "formula": record.formula,
            "structure": record.structure,
            "source": record.source,
            "note": record.note,
        }
    )
    for position, parent in enumerate(record.parents):
        rows.parentage.append({"run": run, "k": k, "position": position, "parent": int(parent)})
    numbers = {
        name: _column(name, getattr(e, name), name, special)
        for name in ("x", "x_se", "mdl", "complexity", "train_r2", "seconds")
    }
    rows.evaluation.append(
        {
            "run": run,
            "k": k,
            **numbers,
            "tree": int(e.tree),
            "scalars": int(e.scalars),
            "valid": bool(e.valid),
            "invalid_reason": e.invalid_reason,
            "rank_deficient": int(e.rank_deficient),
            "at_bounds": list(e.at_bounds),
            "fingerprint": e.fingerprint,
            "evaluations": int(e.evaluations),
            "committed": committed,
            "fitted_by": e.fitted_by,
            "feedback": e.feedback,
            "usable": usable(e),
        }
    )
    for position, cut in enumerate(e.cuts):
        rows.cut_score.append(
            {
                "run": run,
                "k": k,
                "position": position,
                "cut": cut.cut,
                "variable": cut.variable,
                "target": cut.target,
                "rows": int(cut.rows),
                "log_mse": _column("log_mse", cut.log_mse, f"{position}.log_mse", special),
                "kept_log_mse": _column("kept_log_mse", cut.kept_log_mse, f"{position}.kept_log_mse", special),
            }
        )
    header, data = pack(e.parameters, e.x_boot, special)
    rows.group_fit.append({"run": run, "k": k, "header": header, "data": data})
    if e.failure is not None:
        rows.failure.append({"run": run, "k": k, "reason": e.failure.reason, "detail": e.failure.detail})


def to_record(row: Fields, parents: Sequence[int], cuts: Sequence[Fields]) -> CandidateRecord:
    """A candidate from its joined row (candidate, evaluation, group_fit, failure) and its parents and cut
    scores in order."""
    block = unpack(row["header"], row["data"])
    special = block.special
    scores = tuple(
        CutScore(
            cut=cut["cut"],
            variable=cut["variable"],
            target=cut["target"],
            rows=cut["rows"],
            log_mse=_value("log_mse", cut["log_mse"], f"{position}.log_mse", special),
            kept_log_mse=_value("kept_log_mse", cut["kept_log_mse"], f"{position}.kept_log_mse", special),
        )
        for position, cut in enumerate(cuts)
    )
    evaluation = Evaluation(
        x=_value("x", row["x"], "x", special),
        x_se=_value("x_se", row["x_se"], "x_se", special),
        mdl=_value("mdl", row["mdl"], "mdl", special),
        complexity=_value("complexity", row["complexity"], "complexity", special),
        tree=row["tree"],
        scalars=row["scalars"],
        valid=row["valid"],
        invalid_reason=row["invalid_reason"],
        train_r2=_value("train_r2", row["train_r2"], "train_r2", special),
        rank_deficient=row["rank_deficient"],
        at_bounds=tuple(row["at_bounds"]),
        parameters=block.parameters,
        cuts=scores,
        x_boot=block.x_boot,
        fingerprint=row["fingerprint"],
        evaluations=row["evaluations"],
        seconds=_value("seconds", row["seconds"], "seconds", special),
        failure=None if row["reason"] is None else Failure(row["reason"], row["detail"]),
        fitted_by=row["fitted_by"],
        feedback=row["feedback"],
    )
    return CandidateRecord(
        k=row["k"],
        island=row["island"],
        operator=row["operator"],
        parents=tuple(parents),
        source=row["source"],
        formula=row["formula"],
        structure=row["structure"],
        evaluation=evaluation,
        note=row["note"],
    )
