"""What is read from an archive; every function works inside the caller's transaction."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from sldagent.archive import models
from sldagent.archive.chat_models import ProposalRow
from sldagent.archive.mapping import NULL_MEANS, to_record
from sldagent.archive.models import (
    Candidate,
    CutScoreRow,
    EvaluationRow,
    FailureRow,
    GroupFit,
    Ledger,
    Parentage,
    Run,
)
from sldagent.archive.proposals import asked_for
from sldagent.archive.records import AskedRecord, CandidateRecord, CandidateRow, RunRecord, ScoringRecord
from sldagent.archive.sessions import spent
from sldagent.errors import ArchiveError

CHUNK = 500
"""Candidates read at a time."""


def runs(connection: Connection, run: str | None = None) -> list[RunRecord]:
    """Run records, newest first; only the one named when `run` is given (exactly)."""
    query = select(*Run.__table__.columns).order_by(Run.started.desc(), Run.run.desc())
    places = select(models.Shortlist.run, models.Shortlist.k).order_by(models.Shortlist.run, models.Shortlist.place)
    if run is not None:
        query = query.where(Run.run == run)
        places = places.where(models.Shortlist.run == run)
    shortlists: dict[str, list[int]] = defaultdict(list)
    for name, k in connection.execute(places):
        shortlists[name].append(k)
    found = connection.execute(query).mappings().all()
    return [_run_record(connection, row, tuple(shortlists[row["run"]])) for row in found]


def _run_record(connection: Connection, row: RowMapping, shortlist: tuple[int, ...]) -> RunRecord:
    values: dict[str, Any] = dict(row)
    if values["status"] == "running":  # seconds are written at the end
        values["seconds"] = spent(connection, values["run"])
    return RunRecord(shortlist=shortlist, **values)


def island_count(connection: Connection, run: str) -> int:
    """Number of islands of a run."""
    return int(connection.scalar(select(func.count()).select_from(models.Island).where(models.Island.run == run)) or 0)


def run_ids(connection: Connection) -> list[str]:
    """Ids of all runs, newest first."""
    return list(connection.scalars(select(Run.run).order_by(Run.started.desc(), Run.run.desc())))


def resolve_run(connection: Connection, name: str) -> str:
    """The run that `name` or a unique beginning of it stands for.

    Raises ArchiveError for an unknown name (with near ones) or one that several runs begin with.
    """
    known = run_ids(connection)
    if name in known:
        return name
    begun = [run for run in known if name and run.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise ArchiveError(f"{name!r} begins the ids of {len(begun)} runs ({_some(begun)}); write more of it")
    if not known:
        raise ArchiveError(f"there is no run {name!r}: the archive has no runs yet")
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the newest are {_some(known)}"
    raise ArchiveError(f"the archive has no run {name!r}; {hint}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def resolve_law(connection: Connection, law: str) -> tuple[str, int]:
    """(run, k) of a law id ``run-k``, or of a run's choice when `law` is a run.  Raises ArchiveError."""
    known = run_ids(connection)
    head, dash, tail = law.rpartition("-")
    numbered = bool(dash) and tail.isascii() and tail.isdigit()
    if law not in known and numbered:
        if head in known:
            return head, _checked(connection, head, int(tail))
        if head and not any(run.startswith(law) for run in known) and any(run.startswith(head) for run in known):
            run = resolve_run(connection, head)
            return run, _checked(connection, run, int(tail))
    run = resolve_run(connection, law)
    status, choice = connection.execute(select(Run.status, Run.choice).where(Run.run == run)).one()
    if choice is None:
        why = "is not finished" if status == "running" else "ended without one"
        raise ArchiveError(f"run {run} recommends no law: it {why}; name one of its laws, such as {run}-0")
    return run, int(choice)


def _checked(connection: Connection, run: str, k: int) -> int:
    last = connection.scalar(select(func.max(Candidate.k)).where(Candidate.run == run))
    if last is None:
        raise ArchiveError(f"run {run} has no laws yet")
    there = k <= last and connection.scalar(select(Candidate.k).where(Candidate.run == run, Candidate.k == k))
    if there is None or there is False:
        raise ArchiveError(f"run {run} has no law {run}-{k}; its laws are numbered up to {run}-{last}")
    return k


def _joined(run: str) -> Select[Any]:
    columns = [
        *Candidate.__table__.columns,
        *(c for c in EvaluationRow.__table__.columns if c.name not in ("run", "k", "committed")),
        GroupFit.header,
        GroupFit.data,
        FailureRow.reason,
        FailureRow.detail,
    ]
    return (
        select(*columns)
        .select_from(Candidate)
        .join(EvaluationRow, (EvaluationRow.run == Candidate.run) & (EvaluationRow.k == Candidate.k))
        .join(GroupFit, (GroupFit.run == Candidate.run) & (GroupFit.k == Candidate.k))
        .outerjoin(FailureRow, (FailureRow.run == Candidate.run) & (FailureRow.k == Candidate.k))
        .where(Candidate.run == run)
        .order_by(Candidate.k)
    )


def candidates_after(connection: Connection, run: str, k: int) -> list[CandidateRecord]:
    """The next `CHUNK` candidates with an index above `k`, in order."""
    rows = connection.execute(_joined(run).where(Candidate.k > k).limit(CHUNK)).mappings().all()
    if not rows:
        return []
    low, high = rows[0]["k"], rows[-1]["k"]
    asked = asked_for(connection, run, ProposalRow.k.between(low, high), Ledger.k.between(low, high))
    return _records(connection, run, rows, Parentage.k.between(low, high), CutScoreRow.k.between(low, high), asked)


def candidates_named(connection: Connection, run: str, ks: Sequence[int]) -> list[CandidateRecord]:
    """The candidates with these indices, in the order of `ks`."""
    found: dict[int, CandidateRecord] = {}
    for start in range(0, len(ks), CHUNK):
        part = list(ks[start : start + CHUNK])
        rows = connection.execute(_joined(run).where(Candidate.k.in_(part))).mappings().all()
        asked = asked_for(connection, run, ProposalRow.k.in_(part), Ledger.k.in_(part))
        records = _records(connection, run, rows, Parentage.k.in_(part), CutScoreRow.k.in_(part), asked)
        found.update((record.k, record) for record in records)
    missing = next((k for k in ks if k not in found), None)
    if missing is not None:
        raise ArchiveError(f"run {run} has no law {run}-{missing}")
    return [found[k] for k in ks]


def ancestors(connection: Connection, run: str, k: int, depth: int) -> list[list[int]]:
    """Candidate `k`, its parents, theirs and so on, `depth` generations back at most; each once, where it is nearest."""
    generations, seen = [[k]], {k}
    for _ in range(depth):
        query = select(Parentage.k, Parentage.parent).where(Parentage.run == run, Parentage.k.in_(generations[-1]))
        parents: dict[int, list[int]] = defaultdict(list)
        for child, parent in connection.execute(query.order_by(Parentage.k, Parentage.position)):
            parents[child].append(parent)
        new = dict.fromkeys(p for child in generations[-1] for p in parents[child] if p not in seen)
        if not new:
            break
        seen.update(new)
        generations.append(list(new))
    return generations


def _records(
    connection: Connection, run: str, rows: Sequence[RowMapping], parents_of: Any, cuts_of: Any,
    asked: Mapping[int, AskedRecord],
) -> list[CandidateRecord]:  # fmt: skip
    parents: dict[int, list[int]] = defaultdict(list)
    query = select(Parentage.k, Parentage.parent).where(Parentage.run == run, parents_of)
    for k, parent in connection.execute(query.order_by(Parentage.k, Parentage.position)):
        parents[k].append(parent)
    cuts: dict[int, list[RowMapping]] = defaultdict(list)
    scores = select(*CutScoreRow.__table__.columns).where(CutScoreRow.run == run, cuts_of)
    for cut in connection.execute(scores.order_by(CutScoreRow.k, CutScoreRow.position)).mappings():
        cuts[cut["k"]].append(cut)
    return [replace(to_record(row, parents[row["k"]], cuts[row["k"]]), asked=asked.get(row["k"])) for row in rows]


def candidate_rows(connection: Connection, run: str) -> list[CandidateRow]:
    """Light rows of all candidates, in order."""
    view = models.law_view.c
    names = list(CandidateRow.__dataclass_fields__)
    query = select(*(view[name] for name in names)).where(view.run == run).order_by(view.k)
    nulls = {name: NULL_MEANS[name] for name in names if name in NULL_MEANS} | {"failure": ""}
    result = []
    for row in connection.execute(query):
        values = dict(zip(names, row, strict=True))
        for name, meaning in nulls.items():
            if values[name] is None:
                values[name] = meaning
        result.append(CandidateRow(**values))
    return result


def front_indices(connection: Connection, run: str) -> list[int]:
    """Candidate indices on the run's front, simplest first."""
    view = models.front_view.c
    return list(connection.scalars(select(view.k).where(view.run == run).order_by(view.complexity, view.x)))


def scorings(connection: Connection) -> list[ScoringRecord]:
    """All logged readings of rows outside training, oldest first."""
    per_target: dict[int, dict[str, dict[str, float]]] = defaultdict(dict)
    for row in connection.execute(select(*models.ScoringTarget.__table__.columns)).mappings():
        per_target[row["scoring"]][row["target"]] = _metrics(row)
    result = []
    for row in connection.execute(select(*models.Scoring.__table__.columns).order_by(models.Scoring.id)).mappings():
        result.append(
            ScoringRecord(
                law=row["law"],
                split=row["split"],
                source=row["source"],
                rows=row["rows"],
                created=row["created"],
                per_target=per_target.get(row["id"], {}),
                **_metrics(row),
            )
        )
    return result


def _metrics(row: RowMapping) -> dict[str, float]:
    return {name: math.nan if row[name] is None else float(row[name]) for name in ("r2", "nmse", "nmae")}
