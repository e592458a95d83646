"""Letting go of bulky rows of old runs: logs, prompts with their answers, attempts.  Figures never go.

Candidates, evaluations, scores, parameters, choices, scorings and the ledger of costs stay as they are, and of a call its
model, tokens, cost and time.  Only runs that ended as complete or failed are touched: a stopped one may be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Select, delete, func, or_, select, update

from sldagent.archive.chat_models import ChatAttempt
from sldagent.archive.models import ChatCall, Event, Ledger, Run
from sldagent.archive.write import table
from sldagent.errors import ArchiveError

KINDS = ("logs", "prompts", "attempts")
PRUNED = {"pruned": True}
"""What stands for a request that was let go of."""


def prune(connection: Connection, keep: int, kinds: Sequence[str], *, dry_run: bool) -> dict[str, int]:
    """Let go of the `kinds` of rows of all ended runs but the newest `keep`; rows by kind (with `dry_run` only counted).

    Raises ArchiveError for an unknown kind.
    """
    unknown = next((kind for kind in kinds if kind not in KINDS), None)
    if unknown is not None:
        raise ArchiveError(f"{unknown!r} is nothing that can be pruned; name {', '.join(KINDS)}")
    newest = select(Run.run).order_by(Run.started.desc(), Run.run.desc()).limit(keep)
    kept = set(connection.scalars(newest))
    ended = connection.scalars(select(Run.run).where(Run.status.in_(("complete", "failed"))))
    old = [run for run in ended if run not in kept]
    work: dict[str, Callable[[Connection, Sequence[str], bool], int]] = {
        "prompts": _prompts, "logs": _logs, "attempts": _attempts,
    }  # fmt: skip
    # Prompts first: attempts say which runs a call belongs to.
    return {kind: work[kind](connection, old, dry_run) for kind in work if kind in kinds}


def _logs(connection: Connection, runs: Sequence[str], dry_run: bool) -> int:
    count = 0
    for run in runs:
        count += _count(connection, select(func.count()).select_from(Event).where(Event.run == run))
    if count and not dry_run:
        with _unguarded(connection, "event", "delete"):
            for run in runs:
                connection.execute(delete(table(Event)).where(Event.run == run))
    return count


def _attempts(connection: Connection, runs: Sequence[str], dry_run: bool) -> int:
    count = 0
    for run in runs:
        count += _count(connection, select(func.count()).select_from(ChatAttempt).where(ChatAttempt.run == run))
        if not dry_run:
            connection.execute(delete(table(ChatAttempt)).where(ChatAttempt.run == run))
    return count


def _prompts(connection: Connection, runs: Sequence[str], dry_run: bool) -> int:
    """Calls of these runs that no other run has: their texts go, the row and its figures stay.

    A call without any run (one that was copied in, to be replayed) is kept.
    """
    keys: set[str | None] = set()
    for run in runs:
        for model in (Ledger, ChatAttempt):
            keys.update(connection.scalars(select(model.chat_call).where(model.run == run).distinct()))
    old = set(runs)
    count = 0
    with _unguarded(connection, "chat_call", "update", only=bool(keys) and not dry_run):
        for key in sorted(key for key in keys if key is not None):
            users: set[str] = set()
            for model in (Ledger, ChatAttempt):
                users.update(connection.scalars(select(model.run).where(model.chat_call == key).distinct()))
            texts = or_(ChatCall.response.is_not(None), ChatCall.error.is_not(None))
            whole = select(func.count()).select_from(ChatCall).where(ChatCall.key == key, texts)
            if users <= old and _count(connection, whole):
                count += 1
                if not dry_run:
                    call = update(table(ChatCall)).where(ChatCall.key == key)
                    connection.execute(call.values(request=PRUNED, response=None, error=None))
    return count


def _count(connection: Connection, query: Select[int]) -> int:
    return int(connection.scalar(query) or 0)


@contextmanager
def _unguarded(connection: Connection, name: str, verb: str, only: bool = True) -> Iterator[None]:
    """Lift the trigger that refuses `verb` on a table, inside the caller's transaction: whatever happens, it is back."""
    if not only:
        yield
        return
    if connection.dialect.name == "sqlite":
        trigger = f"{name}_no_{verb}"
        found = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?"
        definition = connection.exec_driver_sql(found, (trigger,)).scalar_one()
        connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        yield
        connection.exec_driver_sql(definition)
    else:
        connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER {name}_no_change")
        yield
        connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE TRIGGER {name}_no_change")
