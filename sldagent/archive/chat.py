"""Calls to language models: the rows of `chat_call`, `chat_attempt` and `ledger`.

A call's row is there before its request is sent, its answer before anybody parses it; an answer never changes.
Every request sent for a run is an attempt, and an attempt that is open carries its worst case as its charge:
a process that dies leaves the budget as if every request under way had cost the most it could.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from sldagent.archive.chat_models import ChatAttempt
from sldagent.archive.columns import to_json
from sldagent.archive.models import ChatCall, Ledger
from sldagent.archive.patience import Patience
from sldagent.archive.write import insert_new, table
from sldagent.errors import ArchiveError

AttemptState = Literal["open", "answered", "refused", "unclear", "lost"]
Transaction = Callable[[str], AbstractContextManager[Connection]]

LOST = "the process ended before an answer came"


@dataclass(frozen=True)
class CallRecord:
    """A request and, where there is one, its answer or the reason why there is none."""

    key: str
    content: str
    draw: int
    backend: str
    model: str
    request: Mapping[str, Any]
    response: Mapping[str, Any] | None = None
    error: str | None = None
    finish: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost: float | None = None
    """US dollars; None: unknown."""
    seconds: float | None = field(default=None, compare=False)
    created: datetime | None = field(default=None, compare=False)

    @property
    def answered(self) -> bool:
        return self.response is not None


@dataclass(frozen=True)
class AttemptRecord:
    """One request sent for a run."""

    run: str
    n: int
    chat_call: str
    state: AttemptState
    tokens: int
    usd: float | None
    reserved_tokens: int
    reserved_usd: float | None
    status: int | None
    error: str | None
    seconds: float | None
    created: datetime


@dataclass(frozen=True)
class Charge:
    """How an attempt ended."""

    state: AttemptState
    tokens: int
    usd: float | None
    seconds: float
    status: int | None = None
    error: str | None = None


P = ParamSpec("P")
T = TypeVar("T")


def persistent(method: Callable[Concatenate[ChatStore, P], T]) -> Callable[Concatenate[ChatStore, P], T]:
    """A method that is called again where the server was lost on the way.

    Every method may be: a second time changes nothing, except that `begin` may leave an attempt open more, which is
    then charged at its worst, like every attempt whose end nobody knows.
    """

    @wraps(method)
    def call(self: ChatStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.patience.persist(lambda _: method(self, *args, **kwargs))

    return call


class ChatStore:
    """The calls of an archive; `Archive.chats` makes it.  Safe to use from several threads.

    Every method raises ArchiveError when the database refuses.
    """

    def __init__(
        self, read: Callable[[], AbstractContextManager[Connection]], write: Transaction, clock: Callable[[], datetime],
        patience: Patience | None = None,
    ):
        self._read = read
        self._write = write
        self._clock = clock
        self.patience = patience or Patience()

    # Writing
    #

    @persistent
    def begin(self, run: str, call: CallRecord, reserved_tokens: int, reserved_usd: float | None) -> int:
        """Write the request, where it is new, and an open attempt; returns the attempt's number."""
        with self._write("record a request") as connection:
            insert_new(connection, ChatCall, self._row(call))
            last = connection.scalar(select(func.max(ChatAttempt.n)).where(ChatAttempt.run == run))
            n = 0 if last is None else int(last) + 1
            values = {
                "run": run, "n": n, "chat_call": call.key, "state": "open", "created": self._clock(),
                "tokens": reserved_tokens, "usd": reserved_usd,
                "reserved_tokens": reserved_tokens, "reserved_usd": reserved_usd,
                "status": None, "error": None, "seconds": None,
            }  # fmt: skip
            connection.execute(insert(table(ChatAttempt)), values)
        return n

    @persistent
    def answer(self, run: str, n: int, call: CallRecord, charge: Charge) -> CallRecord:
        """Write an answer and what its attempt was charged, in one transaction.

        Returns the stored call: where another answer to the same request came first, that one.
        """
        with self._write("record an answer") as connection:
            self._end(connection, run, n, charge)
            new = self._row(call)
            answered = {
                name: new[name]
                for name in ("response", "error", "finish", "tokens_in", "tokens_out", "tokens_cached", "cost", "seconds")
            }
            first = update(table(ChatCall)).where(ChatCall.key == call.key, ChatCall.response.is_(None))
            connection.execute(first.values(answered))
            row = connection.execute(_calls().where(ChatCall.key == call.key)).mappings().one()
            return _call(row)

    @persistent
    def end(self, run: str, n: int, charge: Charge) -> None:
        """Write how an attempt without an answer ended."""
        with self._write("record a failed request") as connection:
            self._end(connection, run, n, charge)

    @persistent
    def give_up(self, key: str, error: str) -> None:
        """Write why a request will have no answer; an answer that is there stays."""
        with self._write("record a failed request") as connection:
            connection.execute(
                update(table(ChatCall)).where(ChatCall.key == key, ChatCall.response.is_(None)).values(error=error)
            )

    @persistent
    def close_open(self, run: str) -> int:
        """Mark the attempts that a dead process left open as lost, at their worst case; returns how many."""
        with self._write("close open requests") as connection:
            done = connection.execute(
                update(table(ChatAttempt))
                .where(ChatAttempt.run == run, ChatAttempt.state == "open")
                .values(state="lost", error=LOST)
            )
            return done.rowcount

    @persistent
    def copy(self, call: CallRecord) -> None:
        """Write a call from another archive, where this one has no answer to it."""
        with self._write("copy a recorded answer") as connection:
            values = self._row(call)
            insert_new(connection, ChatCall, values)
            unanswered = update(table(ChatCall)).where(ChatCall.key == call.key, ChatCall.response.is_(None))
            connection.execute(unanswered.values(values))

    def copy_all(self, calls: Sequence[CallRecord]) -> None:
        """Write calls from another archive, those that this one does not have."""
        with self._write("copy recorded answers") as connection:
            there = set(connection.scalars(select(ChatCall.key)))
            if rows := [self._row(call) for call in calls if call.key not in there]:
                connection.execute(insert(table(ChatCall)), rows)

    @persistent
    def book(self, run: str, k: int, keys: Sequence[str]) -> None:
        """Write what the answers that candidate `k` took cost into the run's ledger, once; a second time does
        nothing.

        Call it in the order of commits, so that equal runs have equal ledgers.  Raises ArchiveError for a key
        without a row.
        """
        with self._write("book a candidate's calls") as connection:
            book_calls(connection, run, [(k, keys)], self._clock())

    @staticmethod
    def _end(connection: Connection, run: str, n: int, charge: Charge) -> None:
        connection.execute(
            update(table(ChatAttempt))
            .where(ChatAttempt.run == run, ChatAttempt.n == n)
            .values(
                state=charge.state, tokens=charge.tokens, usd=charge.usd, seconds=charge.seconds,
                status=charge.status, error=charge.error,
            )
        )  # fmt: skip

    def _row(self, call: CallRecord) -> dict[str, Any]:
        return {
            "key": call.key, "content": call.content, "draw": call.draw, "backend": call.backend, "model": call.model,
            "request": to_json(call.request, "request"),
            "response": None if call.response is None else to_json(call.response, "response"),
            "error": call.error, "finish": call.finish, "tokens_in": call.tokens_in, "tokens_out": call.tokens_out,
            "tokens_cached": call.tokens_cached, "cost": call.cost, "seconds": call.seconds,
            "created": self._clock(),
        }  # fmt: skip

    # Reading
    #

    def call(self, key: str) -> CallRecord | None:
        """The call with this key."""
        with self._read() as connection:
            row = connection.execute(_calls().where(ChatCall.key == key)).mappings().first()
        return None if row is None else _call(row)

    def of_run(self, run: str) -> list[CallRecord]:
        """The decided calls that a run sent or took, in the order of their keys."""
        sent = select(ChatAttempt.chat_call).where(ChatAttempt.run == run)
        taken = select(Ledger.chat_call).where(Ledger.run == run)
        decided = ChatCall.response.is_not(None) | ChatCall.error.is_not(None)
        query = _calls().where(ChatCall.key.in_(sent) | ChatCall.key.in_(taken), decided).order_by(ChatCall.key)
        with self._read() as connection:
            return [_call(row) for row in connection.execute(query).mappings()]

    def count(self) -> int:
        """How many calls the archive has, answered or not."""
        with self._read() as connection:
            return int(connection.scalar(select(func.count()).select_from(ChatCall)) or 0)

    def attempts(self, run: str) -> list[AttemptRecord]:
        """All attempts of a run, in the order in which they were sent."""
        query = select(*table(ChatAttempt).columns).where(ChatAttempt.run == run).order_by(ChatAttempt.n)
        with self._read() as connection:
            return [AttemptRecord(**row) for row in connection.execute(query).mappings()]


def book_calls(
    connection: Connection, run: str, taken: Sequence[tuple[int, Sequence[str]]], created: datetime
) -> None:
    """`ChatStore.book` for several candidates, (k, keys) in the order of commits, inside the caller's transaction."""
    wanted = {k: keys for k, keys in taken if keys}
    if not wanted:
        return
    there = select(Ledger.k).where(Ledger.run == run, Ledger.k.in_(wanted), Ledger.chat_call.is_not(None))
    for k in set(connection.scalars(there)):
        wanted.pop(k or 0, None)
    last = connection.scalar(select(func.max(Ledger.entry)).where(Ledger.run == run))
    entry = 0 if last is None else int(last) + 1
    named = {key for keys in wanted.values() for key in keys}
    found = connection.execute(_calls().where(ChatCall.key.in_(named))).mappings()
    calls = {row["key"]: _call(row) for row in found}
    rows: list[dict[str, Any]] = []
    for k, keys in wanted.items():
        for key in keys:
            if key not in calls:
                raise ArchiveError(f"candidate {k} of run {run} took an answer that was not recorded ({key})")
            for kind, amount, unit in _amounts(calls[key]):
                values = {"chat_call": key, "kind": kind, "amount": amount, "unit": unit, "created": created}
                rows.append({"run": run, "entry": entry + len(rows), "k": k, **values})
    if rows:
        connection.execute(insert(table(Ledger)), rows)


def _calls() -> Any:
    return select(*table(ChatCall).columns)


def _call(row: RowMapping) -> CallRecord:
    return CallRecord(**row)


def _amounts(call: CallRecord) -> list[tuple[str, float, str]]:
    """(kind, amount, unit) of a call; the token kinds do not overlap, so that they may be summed."""
    found: list[tuple[str, float, str]] = [("call", 1.0, "calls")]
    cached = call.tokens_cached or 0
    if call.tokens_in is not None:
        found.append(("input", float(call.tokens_in - cached), "tokens"))
        if cached:
            found.append(("cached input", float(cached), "tokens"))
    if call.tokens_out is not None:
        found.append(("output", float(call.tokens_out), "tokens"))
    if call.cost is not None:
        found.append(("cost", call.cost, "usd"))
    return found
