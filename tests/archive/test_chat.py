"""Calls to language models in the archive, on every database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sldagent.archive.chat import CallRecord, Charge, ChatStore
from sldagent.archive.engine import make_engine, parse_address
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError

ASKED = CallRecord("c-0", "c", 0, "openai", "m", {"messages": [{"role": "user", "text": "½ \u2028 ?"}]})
ANSWERED = replace(
    ASKED, response={"text": "law"}, finish="stop", tokens_in=10, tokens_out=4, tokens_cached=3, cost=0.5, seconds=1.5
)


@pytest.fixture
def run(archive: Archive, start: Callable[..., str]) -> str:
    return start(archive)


@pytest.fixture
def chats(archive: Archive, run: str) -> ChatStore:
    return archive.chats()


def test_round_trip(chats: ChatStore, run: str) -> None:
    assert chats.call("c-0") is None
    assert chats.begin(run, ASKED, 100, 0.25) == 0
    assert chats.call("c-0") == ASKED
    [attempt] = chats.attempts(run)
    assert (attempt.state, attempt.tokens, attempt.usd, attempt.reserved_usd) == ("open", 100, 0.25, 0.25)
    stored = chats.answer(run, 0, ANSWERED, Charge("answered", 14, 0.5, 1.5))
    assert stored == ANSWERED == chats.call("c-0")
    assert stored.seconds == 1.5
    [attempt] = chats.attempts(run)
    assert (attempt.state, attempt.tokens, attempt.usd, attempt.reserved_tokens) == ("answered", 14, 0.5, 100)
    assert chats.count() == 1


def test_attempts_of_one_call(chats: ChatStore, run: str) -> None:
    assert [chats.begin(run, ASKED, 100, None) for _ in range(3)] == [0, 1, 2]
    chats.end(run, 1, Charge("refused", 0, 0.0, 0.1, 429, "slow down"))
    states = [(a.state, a.status, a.usd) for a in chats.attempts(run)]
    assert states == [("open", None, None), ("refused", 429, 0.0), ("open", None, None)]
    assert chats.close_open(run) == 2
    assert [a.state for a in chats.attempts(run)] == ["lost", "refused", "lost"]
    assert chats.close_open(run) == 0
    assert chats.count() == 1


def test_runs_are_apart(chats: ChatStore, archive: Archive, run: str, start: Callable[..., str]) -> None:
    other = start(archive, "toy-000002")
    chats.begin(run, ASKED, 1, None)
    assert chats.begin(other, ASKED, 1, None) == 0
    assert chats.close_open(other) == 1
    assert chats.attempts(run)[0].state == "open"


def test_the_first_answer_stays(chats: ChatStore, run: str) -> None:
    for _ in range(2):
        chats.begin(run, ASKED, 100, None)
    chats.answer(run, 0, ANSWERED, Charge("answered", 14, None, 1.0))
    late = replace(ANSWERED, response={"text": "another law"})
    assert chats.answer(run, 1, late, Charge("answered", 14, None, 1.0)) == ANSWERED
    assert [a.state for a in chats.attempts(run)] == ["answered", "answered"], "both were paid"
    chats.give_up("c-0", "too late")
    chats.copy(late)
    assert chats.call("c-0") == ANSWERED


def test_giving_up_and_asking_again(chats: ChatStore, run: str) -> None:
    chats.begin(run, ASKED, 100, None)
    chats.give_up("c-0", "no")
    assert chats.call("c-0") == replace(ASKED, error="no")
    chats.begin(run, ASKED, 100, None)
    assert chats.answer(run, 1, ANSWERED, Charge("answered", 14, None, 1.0)).error is None


@pytest.mark.parametrize("statement", ["UPDATE chat_call SET cost = 0", "DELETE FROM chat_call"])
def test_the_database_guards_answers(url: str, chats: ChatStore, run: str, statement: str) -> None:
    chats.begin(run, ASKED, 100, None)
    chats.answer(run, 0, ANSWERED, Charge("answered", 14, None, 1.0))
    engine = make_engine(parse_address(url), read_only=False)
    with pytest.raises(DBAPIError, match="are immutable"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    assert chats.call("c-0") == ANSWERED


def test_copying(chats: ChatStore) -> None:
    chats.copy(ASKED)
    chats.copy(replace(ASKED, error="no"))
    assert chats.call("c-0") == replace(ASKED, error="no")
    chats.copy(ANSWERED)
    assert chats.call("c-0") == ANSWERED


def test_booking(chats: ChatStore, archive: Archive, run: str) -> None:
    chats.copy(ANSWERED)
    unknown: Any = {"tokens_in": None, "tokens_out": None, "tokens_cached": None, "cost": None}
    chats.copy(replace(ANSWERED, key="c-1", draw=1, **unknown))
    for _ in range(2):
        chats.book(run, 5, ["c-0", "c-1"])
        chats.book(run, 6, [])
        chats.book(run, 7, ["c-1"])
    rows = archive.query("SELECT entry, k, chat_call, kind, amount, unit FROM ledger ORDER BY entry")[1]
    assert [tuple(row) for row in rows] == [
        (0, 5, "c-0", "call", 1.0, "calls"),
        (1, 5, "c-0", "input", 7.0, "tokens"),
        (2, 5, "c-0", "cached input", 3.0, "tokens"),
        (3, 5, "c-0", "output", 4.0, "tokens"),
        (4, 5, "c-0", "cost", 0.5, "usd"),
        (5, 5, "c-1", "call", 1.0, "calls"),
        (6, 7, "c-1", "call", 1.0, "calls"),
    ]
    with pytest.raises(ArchiveError, match=r"candidate 8 .* took an answer that was not recorded"):
        chats.book(run, 8, ["nothing"])


def test_a_run_that_is_not_there(chats: ChatStore) -> None:
    with pytest.raises(ArchiveError):
        chats.begin("nobody", ASKED, 1, None)
    assert chats.count() == 0, "the request is not written either"
