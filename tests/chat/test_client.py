"""LiveChat: records before it returns, falls back aloud, and tells a failed request from a provider that is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sldagent.archive.store import Archive
from sldagent.chat.adapters import make_backend
from sldagent.chat.base import ChatAnswer, Usage
from sldagent.chat.client import LiveChat, Surroundings
from sldagent.chat.failures import BudgetExhausted, ChatFailure, ProviderDown
from sldagent.chat.ledger import Budget, Ledger
from sldagent.chat.policy import Policy
from sldagent.chat.prices import Price, Prices
from sldagent.chat.specs import parse_spec
from sldagent.errors import ArchiveError, ConfigError


def test_a_row_is_there_before_the_request_and_the_answer_before_the_caller(
    talk: Any, archive: Archive, Scripted: Any, asking: Any
) -> None:
    found: list[Any] = []

    def look(request: Any) -> ChatAnswer:
        [attempt] = archive.chats().attempts("r")
        found.append((attempt.state, archive.chats().call(attempt.chat_call)))
        return ChatAnswer("law", "length", "tiny-1", Usage(10, 5, 2))

    reply = talk(Scripted(script=[look])).ask(asking("a?", draw=4))
    state, call = found[0]
    assert state == "open"
    assert call.request["messages"][1] == {"role": "user", "text": "a?"}
    assert (call.response, call.draw, call.model) == (None, 4, "scripted")
    stored = archive.chats().call(reply.key)
    assert stored is not None
    assert ChatAnswer.from_json(stored.response or {}) == reply.answer
    assert (stored.tokens_in, stored.tokens_out, stored.tokens_cached, stored.finish) == (10, 5, 2, "length")
    assert stored.cost is None, "an unknown price is not 0"
    assert reply.recorded is False
    assert reply.identity == "local:scripted"


def test_the_same_draw_is_asked_once_and_another_draw_anew(talk: Any, Scripted: Any, asking: Any) -> None:
    backend = Scripted()
    chat = talk(backend)
    first, again, other = chat.ask(asking()), chat.ask(asking()), chat.ask(asking(draw=1))
    assert (first.recorded, again.recorded, other.recorded) == (False, True, False)
    assert first.answer == again.answer
    assert len(backend.asked) == 2


def test_retries_are_attempts(talk: Any, archive: Archive, Scripted: Any, asking: Any, failure: Any) -> None:
    script = [failure("server", status=500), failure("timeout"), failure("rate", status=429)]
    talk(Scripted(script=script)).ask(asking(max_tokens=50))
    attempts = archive.chats().attempts("r")
    assert [a.state for a in attempts] == ["refused", "unclear", "refused", "answered"]
    assert [a.tokens == 0 for a in attempts] == [True, False, True, False]
    assert attempts[1].tokens == attempts[1].reserved_tokens
    assert [a.status for a in attempts] == [500, None, 429, None]
    assert attempts[3].tokens == 15
    assert archive.chats().count() == 1


def test_a_request_that_fails_for_good_is_recorded_and_not_asked_again(
    talk: Any, archive: Archive, Scripted: Any, asking: Any, failure: Any
) -> None:
    backend = Scripted(script=[failure("invalid", status=400)])
    chat = talk(backend)
    for _ in range(2):
        with pytest.raises(ChatFailure, match="scripted invalid"):
            chat.ask(asking())
    assert len(backend.asked) == 1
    with pytest.raises(ChatFailure, match="scripted invalid"):
        talk(backend).ask(asking())
    assert len(backend.asked) == 1, "nor after the run is resumed"


def test_another_run_asks_again_where_one_gave_up(
    talk: Any, archive: Archive, begin: Any, Scripted: Any, asking: Any, failure: Any
) -> None:
    with pytest.raises(ChatFailure):
        talk(Scripted(script=[failure("invalid")])).ask(asking())
    begin(archive, "other")
    ledger = Ledger(archive.chats(), "other", Budget(), Prices(table={}))
    chat = LiveChat([Scripted()], ledger, Policy())
    assert chat.ask(asking()).answer.text == "ok"
    stored = archive.chats().call(chat.ask(asking()).key)
    assert stored is not None
    assert stored.error is None


def test_a_provider_that_is_down_is_not_a_failed_request(
    talk: Any, archive: Archive, Scripted: Any, asking: Any, failure: Any
) -> None:
    backend = Scripted(script=[failure("connection", sent=False) for _ in range(5)])
    chat = talk(backend)
    with pytest.raises(ProviderDown, match="local:scripted is down: 5 failures in a row"):
        chat.ask(asking())
    assert chat.ledger.charged.calls == 0, "nothing was sent"
    [call] = {a.chat_call for a in archive.chats().attempts("r")}
    stored = archive.chats().call(call)
    assert stored is not None
    assert (stored.error, stored.response) == (None, None)
    assert talk(backend).ask(asking()).answer.text == "ok", "a resumed run goes on"


@pytest.mark.parametrize("kind", ["auth", "missing", "quota"])
def test_a_wrong_key_or_name_is_told_at_once_and_not_recorded(
    talk: Any, archive: Archive, Scripted: Any, asking: Any, failure: Any, kind: str
) -> None:
    backend = Scripted(script=[failure(kind)])
    with pytest.raises(ChatFailure) as caught:
        talk(backend).ask(asking())
    assert caught.value.every_call
    assert talk(backend).ask(asking()).answer.text == "ok", "once it is put right"


def test_fallbacks_are_announced(talk: Any, Scripted: Any, asking: Any, failure: Any) -> None:
    first, second = Scripted("openai:one", [failure("auth")]), Scripted("local:two")
    chat = talk(first, second)
    reply = chat.ask(asking())
    assert reply.identity == "local:two"
    assert [n.message for n in chat.notices] == ["asking local:two instead, because scripted auth"]
    assert chat.ask(asking()).recorded, "the fallback's answer is the answer"
    assert len(first.asked) == 1


def test_when_all_are_down(talk: Any, Scripted: Any, asking: Any, failure: Any) -> None:
    chat = talk(
        Scripted("openai:one", [failure("server") for _ in range(9)]), Scripted("local:two", [failure("rate")] * 9),
        policy=Policy(attempts=2, breaker_failures=9),
    )  # fmt: skip
    with pytest.raises(ProviderDown, match="scripted server; scripted rate"):
        chat.ask(asking())


def test_a_bad_request_is_not_sent_to_the_fallback(talk: Any, Scripted: Any, asking: Any, failure: Any) -> None:
    second = Scripted("local:two")
    with pytest.raises(ChatFailure):
        talk(Scripted("openai:one", [failure("invalid")]), second).ask(asking())
    assert second.asked == []


def test_a_dollar_budget_needs_prices_of_all_models(talk: Any, Scripted: Any) -> None:
    prices = Prices({"openai:one": Price(1e-6, 1e-6)}, table={})
    with pytest.raises(ConfigError, match=r"price of local:two is unknown.*local:two=INPUT/OUTPUT"):
        talk(Scripted("openai:one"), Scripted("local:two"), budget=Budget(usd=1.0), prices=prices)
    talk(Scripted("openai:one"), Scripted("local:two"), budget=Budget(calls=1), prices=prices)


def test_interrupted_is_charged(talk: Any, archive: Archive, Scripted: Any, asking: Any) -> None:
    chat = talk(Scripted(script=[KeyboardInterrupt()]))
    with pytest.raises(KeyboardInterrupt):
        chat.ask(asking())
    [attempt] = archive.chats().attempts("r")
    assert (attempt.state, attempt.tokens) == ("unclear", attempt.reserved_tokens)


def test_an_answer_that_cannot_be_written_is_charged_at_its_worst(
    talk: Any, Scripted: Any, asking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = talk(Scripted(), budget=Budget(calls=1))

    def full(*args: Any) -> None:
        raise ArchiveError("no space left")

    monkeypatch.setattr(chat.ledger.store, "answer", full)
    with pytest.raises(ArchiveError):
        chat.ask(asking())
    monkeypatch.undo()
    with pytest.raises(BudgetExhausted):
        chat.ask(asking(draw=1))


def test_cost_is_recorded(talk: Any, archive: Archive, Scripted: Any, asking: Any) -> None:
    prices = Prices({"local:scripted": Price(1e-6, 2e-6, 1e-7)}, table={})
    answer = ChatAnswer("x", "stop", "m", Usage(100, 10, 50))
    chat = talk(Scripted(script=[answer]), prices=prices, budget=Budget(usd=1.0))
    stored = archive.chats().call(chat.ask(asking()).key)
    assert stored is not None
    assert stored.cost == pytest.approx(50e-6 + 5e-6 + 20e-6, abs=1e-12)
    assert chat.ledger.charged.nano == 75_000


def test_nothing_secret_in_the_archive(
    backend: Any, provider: Any, server: Any, talk: Any, archive: Archive, asking: Callable[..., Any]
) -> None:
    """Each adapter behind the policy: the archive's bytes hold the request and the answer, never the key."""
    server.script = [{"status": 500}, {"status": 400, "message": "Incorrect API key provided: sk-test-" + "0" * 20}]
    chat = talk(backend)
    with pytest.raises(ChatFailure):
        chat.ask(asking())
    server.script = [{"text": "the answer"}]
    chat.ask(asking(draw=1))
    archive.query("SELECT 1")
    place = archive.place
    archive.close()
    content = Path(place).read_bytes()
    assert b"the answer" in content
    assert b"You find laws." in content
    assert b"sk-test-" not in content


@pytest.mark.skipif(find_spec("openai") is None, reason="the package openai is not installed (extra 'llm')")
def test_a_server_that_drips_is_cut_off(server: Any, archive: Archive, asking: Any) -> None:
    """The package's own time-out would start anew with every byte."""
    server.script = [{"text": "x" * 100, "drip": 0.05}]
    ledger = Ledger(archive.chats(), "r", Budget(), Prices(table={}))
    backend = make_backend(parse_spec(f"local:tiny@{server.url}/v1"), {})
    chat = LiveChat([backend], ledger, Policy(attempts=1, attempt_timeout=0.5), Surroundings())
    begun = time.monotonic()
    with pytest.raises(ChatFailure, match="did not finish its answer within"):
        chat.ask(asking())
    assert time.monotonic() - begun < 4
    assert archive.chats().attempts("r")[0].state == "unclear"
