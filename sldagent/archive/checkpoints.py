"""Where searches stood: rows of `checkpoint`; every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from sldagent.archive.records import Checkpoint
from sldagent.archive.session_models import CheckpointRow
from sldagent.archive.write import table


def add(connection: Connection, run: str, checkpoints: Sequence[Checkpoint]) -> None:
    """Write them, in place of those at the same candidates; states that are of no use any more go."""
    c = CheckpointRow
    for checkpoint in checkpoints:
        at = checkpoint.committed
        connection.execute(delete(c).where(c.run == run, c.committed == at))
        row = {"run": run, "committed": at, "version": checkpoint.version, "state": checkpoint.state}
        connection.execute(insert(table(c)), {**row, "trace": checkpoint.trace})
        useful = connection.scalar(select(func.max(c.committed)).where(c.run == run, c.committed <= checkpoint.settled))
        if useful is not None:
            old = (c.run == run) & (c.committed < useful) & c.state.is_not(None)
            connection.execute(update(c).where(old).values(state=None))


def newest(connection: Connection, run: str, most: int) -> Checkpoint | None:
    """The run's newest checkpoint of at most `most` candidates; None without one."""
    c = CheckpointRow
    query = select(c.committed, c.version, c.state, c.trace).where(c.run == run, c.committed <= most)
    row = connection.execute(query.order_by(c.committed.desc()).limit(1)).first()
    return None if row is None or row.state is None else Checkpoint(row.committed, row.version, row.state, row.trace)


def traces(connection: Connection, run: str, committed: int) -> Iterator[bytes]:
    """The traces of the run's first `committed` candidates, in order, a few at a time."""
    c = CheckpointRow
    query = select(c.trace).where(c.run == run, c.committed <= committed).order_by(c.committed)
    yield from connection.execute(query.execution_options(yield_per=100)).scalars()


def drop(connection: Connection, run: str, after: int = -1) -> None:
    """Let go of the run's checkpoints of more than `after` candidates."""
    c = CheckpointRow
    connection.execute(delete(c).where(c.run == run, c.committed > after))
