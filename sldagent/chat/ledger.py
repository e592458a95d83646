"""What a run may spend on language models, and what it has spent.

Before a request is sent its worst case is reserved and written down; when it ends, the reservation becomes its
charge.  So at any moment, and after any crash, charges and reservations together stay within the budget:

* an answer is charged as the provider counts it, or at its worst where the provider does not say;
* a refusal (an HTTP error, no connection) is charged nothing;
* a request whose fate is unclear (time-out, dropped connection, unreadable answer, dead process) is charged at its
  worst.

The worst case takes a token per byte of the prompt, so it is three or four times what a request costs; it only
matters for the last few requests of a budget.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from sldagent.archive.chat import CallRecord, Charge, ChatStore
from sldagent.chat.base import ChatAnswer, ChatRequest, canonical, content_hash, request_key
from sldagent.chat.failures import BudgetExhausted, ChatFailure
from sldagent.chat.prices import NANO, Prices, upper_tokens
from sldagent.errors import ConfigError

INTERRUPTED = "interrupted before an answer came"


@dataclass(frozen=True)
class Budget:
    """Limits of a run; None: no limit.  Raises ConfigError for a limit out of range."""

    usd: float | None = None
    calls: int | None = None
    tokens: int | None = None
    """Of requests and answers together, cached ones included."""

    def __post_init__(self) -> None:
        if self.usd is not None and not (math.isfinite(self.usd) and self.usd >= 0):
            raise ConfigError(f"a budget in dollars is a number from 0 up; this one is {self.usd}")
        for name in ("calls", "tokens"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f"a budget in {name} is a number from 0 up; this one is {value}")

    @property
    def nano(self) -> int | None:
        """The dollars in billionths, rounded down."""
        return None if self.usd is None else math.floor(self.usd * NANO)


@dataclass(frozen=True)
class Amount:
    """Calls, tokens and billionths of a dollar; `nano` None: the price is unknown."""

    calls: int = 0
    tokens: int = 0
    nano: int | None = 0

    def __add__(self, other: Amount) -> Amount:
        nano = None if self.nano is None or other.nano is None else self.nano + other.nano
        return Amount(self.calls + other.calls, self.tokens + other.tokens, nano)

    @property
    def usd(self) -> float | None:
        return None if self.nano is None else self.nano / NANO


@dataclass(frozen=True)
class Reservation:
    """One request under way."""

    n: int
    """Its attempt's number."""
    identity: str
    request: ChatRequest
    worst: Amount


def worst_case(prices: Prices, identity: str, request: ChatRequest) -> Amount:
    """The most that sending the request once can cost, of whatever a provider that keeps to `max_tokens` does."""
    tokens_in = upper_tokens(request)
    price = prices.of(identity)
    nano = None if price is None else price.worst(tokens_in, request.max_tokens)
    return Amount(1, tokens_in + request.max_tokens, nano)


def require_price(prices: Prices, identity: str) -> None:
    """Raises ConfigError for a model whose price is unknown: a budget in dollars cannot be kept for it."""
    if prices.of(identity) is None:
        raise ConfigError(
            f"the price of {identity} is unknown, so a budget in dollars cannot be kept; "
            f"give its price as {identity}=INPUT/OUTPUT in dollars per million tokens (0/0 where it costs nothing), "
            "or limit calls or tokens instead"
        )


class Ledger:
    """The accounts of one run; the only door through which a request may be sent.  Safe to use from several threads.

    Opening it for a run that was cut off charges what was under way at its worst.
    """

    def __init__(self, store: ChatStore, run: str, budget: Budget, prices: Prices) -> None:
        """Raises ArchiveError."""
        self.store = store
        self.run = run
        self.budget = budget
        self._prices = prices
        self._turn = threading.Condition()
        self._open: dict[int, Amount] = {}
        self.lost = store.close_open(run)
        """Requests that a dead process left under way."""
        self._charged = Amount()
        self._asked: set[str] = set()
        for attempt in store.attempts(run):
            called = 0 if attempt.state == "refused" else 1
            nano = None if attempt.usd is None else round(attempt.usd * NANO)
            self._charged += Amount(called, attempt.tokens, nano)
            self._asked.add(attempt.chat_call)

    def admit(self, identity: str) -> None:
        """Check that this budget can hold for the model.

        Raises ConfigError for a budget in dollars and a model, or spending so far, whose price is unknown.
        """
        if self.budget.usd is None:
            return
        require_price(self._prices, identity)
        if self._charged.nano is None:
            raise ConfigError(
                f"run {self.run} has already used a model whose price is unknown, so a budget in dollars cannot be kept; "
                "limit calls or tokens instead"
            )

    @property
    def charged(self) -> Amount:
        """Charges so far, without what is under way."""
        with self._turn:
            return self._charged

    @property
    def committed(self) -> Amount:
        """Charges and reservations together: what the budget bounds."""
        with self._turn:
            return self._committed()

    def _committed(self) -> Amount:
        return sum(self._open.values(), self._charged)

    def recorded(self, identity: str, request: ChatRequest) -> CallRecord | None:
        """The request's row, where it is decided: answered, or given up by this run."""
        row = self.store.call(request_key(identity, request))
        if row is None or row.answered:
            return row
        return row if row.error is not None and row.key in self._asked else None

    def reserve(self, identity: str, request: ChatRequest) -> Reservation:
        """Reserve the request's worst case and write it down; send only after this returned.

        Waits while requests under way could still give back enough.  Raises BudgetExhausted when it does not fit
        with nothing under way.
        """
        worst = worst_case(self._prices, identity, request)
        call = self._call(identity, request)
        with self._turn:
            while (limit := self._short(self._committed() + worst)) is not None:
                if not self._open or self._short(self._charged + worst) is not None:
                    raise self._exhausted(limit, worst)
                self._turn.wait()
            n = self.store.begin(self.run, call, worst.tokens, worst.usd)
            self._open[n] = worst
            self._asked.add(call.key)
        return Reservation(n, identity, request, worst)

    def settle(self, reservation: Reservation, answer: ChatAnswer, seconds: float) -> CallRecord:
        """Record the answer and charge it; returns the stored call (an earlier answer to the same request wins)."""
        charge, cost = self._charge(reservation, answer)
        call = replace(
            self._call(reservation.identity, reservation.request),
            response=answer.to_json(), finish=answer.finish, tokens_in=answer.usage.tokens_in,
            tokens_out=answer.usage.tokens_out, tokens_cached=answer.usage.tokens_cached, cost=cost, seconds=seconds,
        )  # fmt: skip
        end = Charge("answered", charge.tokens, charge.usd, seconds)
        with self._closing(reservation, charge):
            return self.store.answer(self.run, reservation.n, call, end)

    def fail(self, reservation: Reservation, failure: ChatFailure | None, seconds: float) -> None:
        """Charge a request without an answer: nothing for a refusal, the worst where its fate is unclear (None:
        broken off by this side)."""
        refused = failure is not None and not failure.unclear
        charge = Amount() if refused else reservation.worst
        end = Charge(
            "refused" if refused else "unclear", charge.tokens, charge.usd, seconds,
            None if failure is None else failure.status, INTERRUPTED if failure is None else str(failure),
        )  # fmt: skip
        with self._closing(reservation, charge):
            self.store.end(self.run, reservation.n, end)

    def give_up(self, identity: str, request: ChatRequest, failure: ChatFailure) -> None:
        """Record that the request has no answer and will have none."""
        self.store.give_up(request_key(identity, request), str(failure))

    @contextmanager
    def _closing(self, reservation: Reservation, charge: Amount) -> Iterator[None]:
        """Free what a request did not use, once the block has written its end; where it could not, nothing is
        freed."""
        with self._turn:
            spent = reservation.worst
            try:
                yield
                spent = charge
            finally:
                del self._open[reservation.n]
                self._charged += spent
                self._turn.notify_all()

    def _charge(self, reservation: Reservation, answer: ChatAnswer) -> tuple[Amount, float | None]:
        """(charge, cost to show) of an answer: where the provider does not count tokens, its worst case and
        unknown."""
        usage = answer.usage
        if usage.tokens_in is None or usage.tokens_out is None:
            return reservation.worst, None
        price = self._prices.of(reservation.identity)
        nano = None if price is None else price.cost(usage)
        charge = Amount(1, usage.tokens_in + usage.tokens_out, nano)
        return charge, charge.usd

    def _short(self, amount: Amount) -> Literal["usd", "calls", "tokens"] | None:
        """The limit that `amount` would exceed."""
        budget = self.budget
        if budget.calls is not None and amount.calls > budget.calls:
            return "calls"
        if budget.tokens is not None and amount.tokens > budget.tokens:
            return "tokens"
        if budget.nano is not None and (amount.nano is None or amount.nano > budget.nano):
            return "usd"
        return None

    def _exhausted(self, limit: Literal["usd", "calls", "tokens"], worst: Amount) -> BudgetExhausted:
        spent = self._charged
        if limit == "usd":
            used, of, need = f"${spent.usd or 0.0:.4f}", f"${self.budget.usd:.4f}", f"${worst.usd or 0.0:.4f}"
        elif limit == "tokens":
            used, of, need = f"{spent.tokens}", f"{self.budget.tokens} tokens", f"{worst.tokens}"
        else:
            used, of, need = f"{spent.calls}", f"{self.budget.calls} calls", "1"
        return BudgetExhausted(limit, f"the budget is used up: {used} of {of} spent, and the next call may take {need}")

    @staticmethod
    def _call(identity: str, request: ChatRequest) -> CallRecord:
        backend, _, model = identity.partition(":")
        content = content_hash(identity, request)
        return CallRecord(f"{content}-{request.draw}", content, request.draw, backend, model, canonical(request))
