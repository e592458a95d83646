"""One archive into another, between any two databases: complete, verified, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select, text

from sldagent.archive.engine import Address, check_file, make_engine, parse_address, reading, writing
from sldagent.archive.migrate import ensure_current
from sldagent.archive.models import Base
from sldagent.archive.trouble import explained
from sldagent.errors import ArchiveError

CHUNK = 2000
"""Rows in memory at a time."""
_MODULUS = 1 << 256


@dataclass(frozen=True)
class Digest:
    """What a table holds, whatever the order of its rows: their number, and the sum of their hashes modulo 2**256."""

    rows: int
    sum: int


def copy(source: str, target: str) -> dict[str, int]:
    """Copy every row of `source` into the empty archive `target`, made where it is absent; rows by table.

    The source is read in one snapshot, so a run may go on in it meanwhile; the target's rows come in one transaction, which
    is committed after every table has been read back and found equal.  A file made here is removed again on failure.
    Raises ArchiveError: one of them cannot be used, the target has rows, or what was read back differs.
    """
    origin, goal = parse_address(source), parse_address(target)
    check_file(origin, read_only=True, create=False)
    check_file(goal, read_only=False, create=True)
    new = goal.file is not None and not goal.file.exists()
    try:
        return _copy(origin, goal)
    except BaseException:
        if new and goal.file is not None:
            for ending in ("", "-wal", "-shm"):
                Path(f"{goal.file}{ending}").unlink(missing_ok=True)
        raise


def backup(source: str, file: Path) -> dict[str, int]:
    """Copy an archive, in use or not, into the new SQLite file `file`, which is an archive itself; rows by table.

    Raises ArchiveError where `file` exists already.
    """
    if file.exists():
        raise ArchiveError(f"the backup {file} exists already, and a backup never overwrites one; name another file")
    return copy(source, f"sqlite:///{file}")


def _copy(origin: Address, goal: Address) -> dict[str, int]:
    here, there = make_engine(origin, read_only=True), make_engine(goal, read_only=False)
    try:
        ensure_current(here, origin, create=False)
        ensure_current(there, goal, create=True)
        with (
            explained(origin.place, "copy it"),
            reading(here) as read,
            explained(goal.place, "copy into it"),
            writing(there) as write,
        ):
            _refuse_rows(write, goal)
            counts = {}
            for table in Base.metadata.sorted_tables:
                given = _transfer(read, write, table)
                if digest(write, table) != given:
                    raise ArchiveError(f"the copy in {goal.place} differs from {origin.place} in table {table.name}")
                counts[table.name] = given.rows
            if write.dialect.name == "postgresql":
                write.execute(
                    text("SELECT setval(pg_get_serial_sequence('scoring', 'id'), (SELECT MAX(id) FROM scoring))")
                )
        return counts
    finally:
        here.dispose()
        there.dispose()


def _refuse_rows(connection: Connection, goal: Address) -> None:
    for table in Base.metadata.sorted_tables:
        if connection.scalar(select(func.count()).select_from(select(1).select_from(table).limit(1).subquery())):
            raise ArchiveError(f"{goal.place} is not empty (table {table.name}); copy into a new archive")


def _transfer(read: Connection, write: Connection, table: Table) -> Digest:
    rows = total = 0
    for chunk in _chunks(read, table):
        write.execute(insert(table), chunk)
        rows += len(chunk)
        total += sum(_hash(row) for row in chunk)
    return Digest(rows, total % _MODULUS)


def digest(connection: Connection, table: Table) -> Digest:
    """The digest of a table's rows as typed values, equal on every database for equal rows."""
    rows = total = 0
    for chunk in _chunks(connection, table):
        rows += len(chunk)
        total += sum(_hash(row) for row in chunk)
    return Digest(rows, total % _MODULUS)


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    found = connection.execute(select(*table.columns).execution_options(yield_per=CHUNK))
    for part in found.mappings().partitions(CHUNK):
        yield [dict(row) for row in part]


def _hash(row: dict[str, object]) -> int:
    # Adding 0.0 turns -0.0 into 0.0: SQLite keeps a whole number without the sign of zero.
    values = [value + 0.0 if isinstance(value, float) else value for value in row.values()]
    return int.from_bytes(hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).digest(), "big")
