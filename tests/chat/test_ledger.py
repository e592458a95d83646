"""A budget is never exceeded: random prices, failures and kills, 16 threads."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.archive.chat import ChatStore
from sldagent.archive.store import Archive
from sldagent.chat.base import ChatAnswer, ChatRequest, Message, Usage
from sldagent.chat.client import LiveChat, Surroundings
from sldagent.chat.failures import BudgetExhausted, ChatFailure, ProviderDown
from sldagent.chat.ledger import Amount, Budget, Ledger, worst_case
from sldagent.chat.policy import Policy
from sldagent.chat.prices import NANO, Price, Prices, upper_tokens
from sldagent.errors import ConfigError

THREADS = 16
IDENTITY = "local:m"


class Killed(BaseException):
    """The process is gone."""


class Mortal(ChatStore):
    """A store that writes nothing any more once `dead` is set: what a killed process leaves."""

    def __init__(self, store: ChatStore, dead: threading.Event) -> None:
        def write(action: str) -> Any:
            if dead.is_set():
                raise Killed
            return store._write(action)

        super().__init__(store._read, write, store._clock)


class Biller:
    """A provider that bills what it likes within the rules, and knows what it billed."""

    identity = IDENTITY

    def __init__(self, chance: random.Random, price: Price | None, kill: float) -> None:
        self.chance, self.price, self.kill = chance, price, kill
        self.dead = threading.Event()
        self.lock = threading.Lock()
        self.calls = self.tokens = self.nano = 0

    def close(self) -> None:
        pass

    def complete(self, request: ChatRequest, timeout: float) -> ChatAnswer:
        with self.lock:
            chance = self.chance
            fate = chance.random()
            if fate < 0.15:
                raise ChatFailure(chance.choice(["rate", "server", "invalid"]), "x", status=500)  # type: ignore[arg-type]
            tokens_in = chance.randint(0, upper_tokens(request))
            cached = chance.randint(0, tokens_in)
            written = chance.randint(0, tokens_in - cached)
            usage = Usage(
                tokens_in, chance.choice([0, request.max_tokens, chance.randint(0, request.max_tokens)]), cached, written
            )
            self.calls += 1
            self.tokens += tokens_in + (usage.tokens_out or 0)
            self.nano += 0 if self.price is None else self.price.cost(usage) or 0
            if chance.random() < self.kill:
                self.dead.set()
            if self.dead.is_set():
                raise Killed
        if fate < 0.3:
            raise ChatFailure(("timeout", "connection", "malformed")[int(fate * 100) % 3], "x")  # type: ignore[arg-type]
        return ChatAnswer("ok", "stop", "m", Usage() if fate > 0.95 else usage)


def one_run(archive: Archive, run: str, seed: int, price: Price | None, budget: Budget, lives: int) -> tuple[int, int]:
    """Ask from 16 threads, dying at random and coming back; assert that nothing ever exceeds the budget.

    Returns (calls billed, attempts lost)."""
    chance = random.Random(seed)
    archive.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    prices = Prices({} if price is None else {IDENTITY: price}, table={})
    biller = Biller(chance, price, kill=0.0)
    lost = 0
    for life in range(lives):
        biller.kill, biller.dead = (0.05 if life < lives - 1 else 0.0), threading.Event()
        ledger = Ledger(Mortal(archive.chats(), biller.dead), run, budget, prices)
        lost += ledger.lost
        calm = Surroundings(lambda: 0.0, lambda seconds: None, lambda: 0.5)
        chat = LiveChat([biller], ledger, Policy(concurrency=THREADS, attempts=3, breaker_failures=1000), calm)
        live(chat, ledger, run, life, budget)
        check(biller, ledger.committed if biller.dead.is_set() else ledger.charged, budget)
    final = Ledger(archive.chats(), run, budget, prices)
    lost += final.lost
    assert final.committed == final.charged, "nothing is under way"
    check(biller, final.charged, budget)
    return biller.calls, lost


def live(chat: LiveChat, ledger: Ledger, run: str, life: int, budget: Budget) -> None:
    errors: list[BaseException] = []

    def work(thread: int) -> None:
        for n in range(3):
            try:
                chat.ask(ChatRequest((Message("user", f"{run} {thread}"),), 40, draw=life * 100 + n))
                assert within(ledger.committed, budget)
            except (BudgetExhausted, Killed):
                return
            except (ChatFailure, ProviderDown):
                continue
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "nobody waits for ever"
    assert errors == []


def within(amount: Amount, budget: Budget) -> bool:
    return (
        (budget.calls is None or amount.calls <= budget.calls)
        and (budget.tokens is None or amount.tokens <= budget.tokens)
        and (budget.nano is None or (amount.nano is not None and amount.nano <= budget.nano))
    )


def check(biller: Biller, known: Amount, budget: Budget) -> None:
    """What was billed is at most what the ledger knows of, and that is at most the budget."""
    assert within(Amount(biller.calls, biller.tokens, biller.nano), budget), "overrun"
    assert within(known, budget)
    assert biller.calls <= known.calls
    assert biller.tokens <= known.tokens
    assert known.nano is None or biller.nano <= known.nano


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_archive: Path) -> Iterator[Archive]:
    path = tmp_path_factory.mktemp("ledger") / "archive.db"
    shutil.copy(empty_archive, path)
    with Archive.open(str(path)) as opened:
        yield opened


names = iter(f"run-{n}" for n in range(10**9))
dollars = st.floats(0, 1e-4)
priced = st.builds(Price, dollars, dollars, st.none() | dollars, st.none() | dollars)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32), priced, st.none() | st.floats(0, 0.3), st.none() | st.integers(0, 40),
    st.none() | st.integers(0, 8000), st.integers(1, 4),
)  # fmt: skip
def test_never_exceeded(
    shared: Archive, seed: int, price: Price, usd: float | None, calls: int | None, tokens: int | None, lives: int
) -> None:
    one_run(shared, next(names), seed, price, Budget(usd, calls, tokens), lives)


@pytest.mark.slow
def test_many_runs(shared: Archive) -> None:
    """Runs of 16 threads with random prices, failures and kills (1,000 with SLDAGENT_ATTACK=all): overrun 0."""
    chance, billed, lost = random.Random(7), 0, 0
    runs = 1000 if os.environ.get("SLDAGENT_ATTACK") == "all" else 60
    for n in range(runs):
        price = Price(*(chance.choice([0.0, chance.random() * 1e-4]) for _ in range(4)))
        budget = Budget(chance.choice([None, chance.random() * 0.05]), chance.choice([None, chance.randint(0, 20)]), 4000)
        done = one_run(shared, f"many-{n}", n, price, budget, lives=2)
        billed, lost = billed + done[0], lost + done[1]
    assert billed > 5 * runs
    assert lost > runs // 10


def test_kills_happen_and_are_charged(shared: Archive) -> None:
    billed, lost = one_run(shared, next(names), 3, Price(1e-6, 1e-6), Budget(calls=100), lives=6)
    assert billed > 20
    assert lost > 0


def test_a_call_waits_for_what_others_may_give_back(shared: Archive) -> None:
    """The worst case of two does not fit, but what they really cost does: the second waits instead of failing."""
    run, request = next(names), ChatRequest((Message("user", "x"),), 40)
    shared.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    worst = worst_case(Prices(table={}), IDENTITY, request)
    ledger = Ledger(shared.chats(), run, Budget(tokens=worst.tokens + 10), Prices(table={}))
    first = ledger.reserve(IDENTITY, request)
    second: list[Any] = []
    waiter = threading.Thread(
        target=lambda: second.append(ledger.reserve(IDENTITY, ChatRequest(request.messages, 40, draw=1)))
    )
    waiter.start()
    waiter.join(0.1)
    assert second == []
    ledger.settle(first, ChatAnswer("x", "stop", "m", Usage(5, 5)), 0.0)
    waiter.join(10)
    assert len(second) == 1
    ledger.fail(second[0], None, 0.0)
    with pytest.raises(BudgetExhausted, match=f"{10 + worst.tokens} of {worst.tokens + 10} tokens spent") as caught:
        ledger.reserve(IDENTITY, request)
    assert caught.value.limit == "tokens"


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(usd=0.0), r"\$0.0000 of \$0.0000 spent, and the next call may take \$0.0001"),
        (Budget(calls=0), "0 of 0 calls spent, and the next call may take 1"),
        (Budget(tokens=0), "0 of 0 tokens spent"),
    ],
)
def test_messages(shared: Archive, budget: Budget, says: str) -> None:
    run = next(names)
    shared.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    ledger = Ledger(shared.chats(), run, budget, Prices({IDENTITY: Price(1e-6, 1e-6)}, table={}))
    with pytest.raises(BudgetExhausted, match=says):
        ledger.reserve(IDENTITY, ChatRequest((Message("user", "x"),), 40))
    assert shared.chats().attempts(run) == [], "nothing was sent"


def test_spending_is_remembered_to_the_billionth(shared: Archive) -> None:
    run, price = next(names), Price(1.23e-9, 7.7e-9)
    shared.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    prices = Prices({IDENTITY: price}, table={})
    ledger = Ledger(shared.chats(), run, Budget(usd=1.0), prices)
    for draw in range(50):
        held = ledger.reserve(IDENTITY, ChatRequest((Message("user", run),), 40, draw=draw))
        ledger.settle(held, ChatAnswer("x", "stop", "m", Usage(draw, 7 * draw % 40)), 0.0)
    assert Ledger(shared.chats(), run, Budget(usd=1.0), prices).charged == ledger.charged
    stored = sum(round((a.usd or 0.0) * NANO) for a in shared.chats().attempts(run))
    assert stored == ledger.charged.nano


def test_spending_at_an_unknown_price_is_unknown(shared: Archive, begin: Callable[..., None]) -> None:
    run = next(names)
    begin(shared, run)
    ledger = Ledger(shared.chats(), run, Budget(), Prices(table={}))
    held = ledger.reserve(IDENTITY, ChatRequest((Message("user", "x"),), 40))
    ledger.settle(held, ChatAnswer("x", "stop", "m", Usage(1, 1)), 0.0)
    assert ledger.charged == Amount(1, 2, None)
    assert ledger.charged.usd is None
    known = Ledger(shared.chats(), run, Budget(usd=1.0), Prices({IDENTITY: Price(1e-6, 1e-6)}, table={}))
    with pytest.raises(ConfigError, match="already used a model whose price is unknown"):
        known.admit(IDENTITY)


@pytest.mark.parametrize(
    "wrong", [{"usd": -1.0}, {"usd": float("nan")}, {"usd": float("inf")}, {"calls": -1}, {"tokens": -5}]
)
def test_budgets_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a budget in"):
        Budget(**wrong)
