"""Is an archive whole?  Looks for orphans, gaps, wrong counts and fronts, unreadable blocks and wrong hashes."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, and_, func, select, text

from sldagent.archive import read
from sldagent.archive.models import Base, Candidate, EvaluationRow, GroupFit, Run, front_view
from sldagent.archive.pack import unpack
from sldagent.errors import ArchiveError, LawError
from sldagent.laws.canonical import structure_hash
from sldagent.laws.parse import parse_program

_USABLE = """
SELECT COUNT(*) FROM evaluation AS e LEFT JOIN failure AS f ON f.run = e.run AND f.k = e.k
WHERE e.usable <> (e.valid AND e.x IS NOT NULL AND e.complexity IS NOT NULL AND f.run IS NULL)
"""
_COUNTS = """
SELECT r.run FROM run AS r
WHERE r.candidates <> (SELECT COUNT(*) FROM candidate AS c WHERE c.run = r.run)
   OR r.failures <> (SELECT COUNT(*) FROM failure AS f WHERE f.run = r.run)
   OR r.candidates <> COALESCE((SELECT MAX(c.k) + 1 FROM candidate AS c WHERE c.run = r.run), 0)
"""
_FRONT = """
SELECT k FROM (
    SELECT k, complexity, x, MIN(x) OVER (
        ORDER BY complexity, x, k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS best_before
    FROM evaluation WHERE run = :run AND usable
) AS ranked
WHERE best_before IS NULL OR x < best_before
ORDER BY complexity, x
"""


def findings(connection: Connection, *, contents: bool = True) -> Iterator[str]:
    """One sentence for each thing that is wrong; nothing where all is well.

    With `contents` every candidate's block of fitted values is decoded, and its structure's hash computed anew from its
    program: some thousand candidates a second.
    """
    if connection.dialect.name == "sqlite":
        for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if said != "ok":
                yield f"SQLite: {said}"
    yield from _orphans(connection)
    yield from _incomplete(connection)
    wrong = connection.scalar(text(_USABLE))
    if wrong:
        yield f"evaluation: {wrong} rows are marked usable and are not, or the other way round"
    for run in connection.scalars(text(_COUNTS)):
        yield f"run {run}: its counts of candidates and failures are not those of its rows, or their numbers have gaps"
    view = front_view.c
    for run in read.run_ids(connection):
        shown = list(connection.scalars(select(view.k).where(view.run == run).order_by(view.complexity, view.x)))
        if shown != list(connection.scalars(text(_FRONT), {"run": run})):
            yield f"run {run}: the view pareto_front shows another front than its rows have"
    if contents:
        yield from _contents(connection)


def _orphans(connection: Connection) -> Iterator[str]:
    """Rows that refer to a row that is not there, for every foreign key."""
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            parent = key.referred_table.alias()
            match = and_(*(element.parent == parent.c[element.column.name] for element in key.elements))
            given = and_(*(element.parent.is_not(None) for element in key.elements))
            query = select(func.count()).select_from(table).where(given, ~select(1).where(match).exists())
            count = connection.scalar(query)
            if count:
                yield f"{table.name}: {count} rows refer to rows of {key.referred_table.name} that are not there"


def _incomplete(connection: Connection) -> Iterator[str]:
    for model in (EvaluationRow, GroupFit):
        there = select(1).where(model.run == Candidate.run, model.k == Candidate.k).exists()
        count = connection.scalar(select(func.count()).select_from(Candidate).where(~there))
        if count:
            yield f"candidate: {count} rows have no row in {model.__tablename__}"
    chosen = select(1).where(Candidate.run == Run.run, Candidate.k == Run.choice).exists()
    for run in connection.scalars(select(Run.run).where(Run.choice.is_not(None), ~chosen)):
        yield f"run {run}: its choice is no candidate of it"


def _contents(connection: Connection) -> Iterator[str]:
    query = select(Candidate.run, Candidate.k, Candidate.source, Candidate.structure, GroupFit.header, GroupFit.data).join(
        GroupFit, (GroupFit.run == Candidate.run) & (GroupFit.k == Candidate.k)
    )
    hashes: dict[str, str] = {}
    for run, k, source, structure, header, data in connection.execute(query.execution_options(yield_per=1000)):
        try:
            unpack(header, data)
        except ArchiveError as error:
            yield f"law {run}-{k}: {error}"
        if source not in hashes:
            if len(hashes) > 1000:
                hashes.clear()
            try:
                hashes[source] = structure_hash(parse_program(source).law)
            except LawError as error:
                yield f"law {run}-{k}: its program cannot be read ({error})"
                continue
        if hashes[source] != structure:
            yield f"law {run}-{k}: its program's form has another hash than the one stored"
