"""Reference programs of a run: rows of `reference` and `reference_cut`, both ways."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from sldagent.archive.columns import to_json
from sldagent.archive.mapping import NULL_MEANS, finite
from sldagent.archive.records import ReferenceRecord
from sldagent.archive.reference_models import Reference, ReferenceCut
from sldagent.archive.write import table
from sldagent.evaluation.result import CutScore, Failure


def add(connection: Connection, run: str, records: Sequence[ReferenceRecord]) -> None:
    """Write the run's references, numbered in order."""
    rows, cuts = [], []
    for n, r in enumerate(records):
        rows.append(
            {
                "run": run, "n": n, "name": r.name, "source": r.source, "scalars": int(r.scalars),
                **{name: finite(getattr(r, name)) for name in ("x", "x_se", "train_r2", "seconds")},
                "translation": r.translation, "checks": list(r.checks), "findings": list(r.findings),
                "layers": to_json(r.layers, "layers"), "feedback": r.feedback,
                "failure": None if r.failure is None else r.failure.reason,
                "detail": "" if r.failure is None else r.failure.detail,
            }
        )  # fmt: skip
        for position, cut in enumerate(r.cuts):
            cuts.append(
                {
                    "run": run, "n": n, "position": position, "cut": cut.cut, "variable": cut.variable,
                    "target": cut.target, "rows": int(cut.rows), "log_mse": finite(cut.log_mse),
                    "kept_log_mse": finite(cut.kept_log_mse),
                }
            )  # fmt: skip
    if rows:
        connection.execute(insert(table(Reference)), rows)
    if cuts:
        connection.execute(insert(table(ReferenceCut)), cuts)


def of_run(connection: Connection, run: str) -> list[ReferenceRecord]:
    """The run's references, in order."""
    cuts: dict[int, list[CutScore]] = defaultdict(list)
    scores = select(*ReferenceCut.__table__.columns).where(ReferenceCut.run == run)
    for row in connection.execute(scores.order_by(ReferenceCut.n, ReferenceCut.position)).mappings():
        errors = {name: _value(row, name) for name in ("log_mse", "kept_log_mse")}
        cuts[row["n"]].append(CutScore(row["cut"], row["variable"], row["target"], row["rows"], **errors))
    query = select(*Reference.__table__.columns).where(Reference.run == run).order_by(Reference.n)
    return [_record(row, tuple(cuts[row["n"]])) for row in connection.execute(query).mappings()]


def _record(row: RowMapping, cuts: tuple[CutScore, ...]) -> ReferenceRecord:
    values: dict[str, Any] = {name: _value(row, name) for name in ("x", "x_se", "train_r2", "seconds")}
    failure = None if row["failure"] is None else Failure(row["failure"], row["detail"])
    return ReferenceRecord(
        name=row["name"], source=row["source"], scalars=row["scalars"], cuts=cuts, translation=row["translation"],
        checks=tuple(row["checks"]), findings=tuple(row["findings"]), layers=row["layers"], failure=failure,
        feedback=row["feedback"], **values,
    )  # fmt: skip


def _value(row: RowMapping, name: str) -> float:
    return NULL_MEANS.get(name, math.inf) if row[name] is None else float(row[name])
