"""What changes an archive; every function works inside the caller's transaction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sldagent.archive import models
from sldagent.archive.columns import to_json
from sldagent.archive.mapping import Row, finite, to_rows
from sldagent.archive.records import CandidateRecord, FinalStatus, Note
from sldagent.errors import ArchiveError

_LARGEST = 2**63 - 1


def table(model: type[models.Base]) -> Table:
    """The model's table, typed as one."""
    found = model.__table__
    assert isinstance(found, Table)
    return found


def start_run(
    connection: Connection,
    *,
    run: str,
    task: str,
    seed: int,
    config: Mapping[str, Any],
    card: Mapping[str, Any],
    mode: str,
    islands: Sequence[Mapping[str, Any]],
    started: datetime,
) -> None:
    """Add a run and its islands.  Raises ArchiveError for a run id in use, an unusable id or a seed out of
    range."""
    if not run or run != run.strip() or not run.isprintable():
        raise ArchiveError(f"{run!r} cannot be a run's id; use letters, digits and hyphens")
    if not -_LARGEST <= seed <= _LARGEST:
        raise ArchiveError(f"the seed {seed} is too large for the archive; use one below 2**63")
    if connection.scalar(select(models.Run.run).where(models.Run.run == run)) is not None:
        raise ArchiveError(f"the archive already has a run {run}; each run needs an id of its own")
    values = {
        "run": run,
        "task": task,
        "status": "running",
        "mode": mode,
        "seed": int(seed),
        "started": started,
        "finished": None,
        "seconds": 0.0,
        "candidates": 0,
        "failures": 0,
        "choice": None,
        "reason": "",
        "config": to_json(config, "config"),
        "card": to_json(card, "card"),
        "extra": {},
    }
    connection.execute(insert(models.Run), values)
    rows = [_island(run, number, island) for number, island in enumerate(islands)]
    _insert(connection, models.Island, rows)


def _island(run: str, number: int, island: Mapping[str, Any]) -> Row:
    temperature = island.get("temperature")
    return {
        "run": run,
        "island": number,
        "temperature": None if temperature is None else finite(temperature),
        "bias": str(island.get("bias", "")),
        "config": {key: value for key, value in island.items() if key not in ("temperature", "bias")},
    }


def commit(connection: Connection, run: str, records: Iterable[CandidateRecord], islands: int, committed: datetime) -> int:
    """Add finished candidates; returns how many.  Raises ArchiveError for an unknown island or a later
    parent."""
    batch = list(records)
    for record in batch:
        if not 0 <= record.island < islands:
            raise ArchiveError(f"candidate {record.k} of run {run} names island {record.island}; the run has {islands}")
        if any(not 0 <= parent < record.k for parent in record.parents):
            raise ArchiveError(f"candidate {record.k} of run {run} names parents {record.parents}, not all before it")
    rows = to_rows(run, batch, committed)
    _insert(connection, models.Candidate, rows.candidate)
    _insert(connection, models.Parentage, rows.parentage)
    _insert(connection, models.EvaluationRow, rows.evaluation)
    _insert(connection, models.CutScoreRow, rows.cut_score)
    _insert(connection, models.GroupFit, rows.group_fit)
    _insert(connection, models.FailureRow, rows.failure)
    count = {
        "candidates": models.Run.candidates + len(batch),
        "failures": models.Run.failures + len(rows.failure),
    }
    connection.execute(update(models.Run).where(models.Run.run == run).values(count))
    return len(batch)


def committed(connection: Connection, run: str, records: Sequence[CandidateRecord]) -> bool:
    """Whether a commit of these records, which lost its answer, is there: it is whole or absent."""
    if not records:
        return True
    first = select(models.Candidate.k).where(models.Candidate.run == run, models.Candidate.k == records[0].k)
    return connection.scalar(first) is not None


def _insert(connection: Connection, model: type[models.Base], rows: list[Row]) -> None:
    if rows:
        connection.execute(insert(table(model)), rows)


def started(connection: Connection, run: str, at: datetime) -> bool:
    """Whether this run was started at this moment."""
    there = select(models.Run.run).where(models.Run.run == run, models.Run.started == at)
    return connection.scalar(there) is not None


def finished(connection: Connection, run: str, at: datetime) -> bool:
    """Whether this run was finished at this moment."""
    there = select(models.Run.run).where(models.Run.run == run, models.Run.finished == at)
    return connection.scalar(there) is not None


def logged(connection: Connection, run: str, notes: Sequence[Note], at: datetime) -> bool:
    """Whether these lines, written at one moment and together, are in the run's log."""
    e = models.Event
    texts = [e.message == note.message for note in notes[:1]]
    there = select(e.n).where(e.run == run, e.created == at, *texts)
    return connection.scalar(there.limit(1)) is not None


def scored(connection: Connection, split: str, source: str, at: datetime) -> bool:
    """Whether a scoring of this source was logged at this moment."""
    s = models.Scoring
    there = select(s.id).where(s.created == at, s.split == split, s.source == source)
    return connection.scalar(there.limit(1)) is not None


def insert_new(connection: Connection, model: type[models.Base], row: Row) -> None:
    """Add a row unless one with its key is there, whoever adds it at the same time."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table(model)).on_conflict_do_nothing(), row)


def add_notes(connection: Connection, run: str, notes: Sequence[Note], created: datetime) -> None:
    """Append lines to the run's log."""
    if not notes:
        return
    last = connection.scalar(select(func.max(models.Event.n)).where(models.Event.run == run))
    first = 0 if last is None else int(last) + 1
    rows = [
        {
            "run": run,
            "n": n,
            "created": created,
            "kind": note.kind,
            "message": note.message,
            "data": to_json(note.data, "data"),
        }
        for n, note in enumerate(notes, first)
    ]
    connection.execute(insert(models.Event), rows)


def finish_run(
    connection: Connection,
    run: str,
    *,
    status: FinalStatus,
    choice: int | None,
    shortlist: Sequence[int],
    reason: str,
    candidates: int,
    failures: int,
    seconds: float,
    extra: Mapping[str, Any],
    finished: datetime,
) -> None:
    """Close a run with its outcome.  Raises ArchiveError when the choice or short list names no candidate of
    it."""
    named = {int(k) for k in shortlist} | (set() if choice is None else {int(choice)})
    there = select(models.Candidate.k).where(models.Candidate.run == run, models.Candidate.k.in_(named))
    missing = sorted(named - set(connection.scalars(there)))
    if missing:
        raise ArchiveError(f"run {run} cannot recommend candidate {missing[0]}, which it does not have")
    values = {
        "status": status,
        "finished": finished,
        "seconds": finite(seconds) or 0.0,
        "candidates": int(candidates),
        "failures": int(failures),
        "choice": None if choice is None else int(choice),
        "reason": reason,
        "extra": to_json(extra, "extra"),
    }
    connection.execute(update(models.Run).where(models.Run.run == run), values)
    _insert(connection, models.Shortlist, [{"run": run, "place": n, "k": int(k)} for n, k in enumerate(shortlist)])


def add_scoring(
    connection: Connection,
    law: str,
    key: tuple[str, int] | None,
    split: str,
    source: str,
    rows: int,
    metrics: Mapping[str, Any],
    created: datetime,
) -> None:
    """Log one reading of rows; `key` is (run, k) of a law that this archive has."""
    values = {
        "law": law,
        "run": None if key is None else key[0],
        "k": None if key is None else key[1],
        "split": split,
        "source": source,
        "rows": int(rows),
        "created": created,
        **_metrics(metrics),
    }
    done = connection.execute(insert(table(models.Scoring)), values)
    assert done.inserted_primary_key is not None
    number = done.inserted_primary_key[0]
    per_target: Mapping[str, Mapping[str, Any]] = metrics.get("per_target") or {}
    targets = [{"scoring": number, "target": name, **_metrics(values)} for name, values in per_target.items()]
    _insert(connection, models.ScoringTarget, targets)


def _metrics(metrics: Mapping[str, Any]) -> Row:
    return {name: finite(metrics.get(name, math.nan)) for name in ("r2", "nmse", "nmae")}
