"""Replays are exact, offline and free; a killed recorder loses no answer that it had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sldagent.archive.store import Archive
from sldagent.chat.base import ChatAnswer, Usage
from sldagent.chat.failures import ChatFailure, MissingAnswer, ProviderDown
from sldagent.chat.replay import ReplayBackend, ReplayChat
from sldagent.errors import ConfigError

CALLS = (
    "SELECT key, content, draw, backend, model, request, response, error, finish, tokens_in, tokens_out, tokens_cached, "
    "cost FROM chat_call ORDER BY key"
)
LEDGER = "SELECT entry, k, chat_call, kind, amount, unit FROM ledger WHERE run = 'r' ORDER BY entry"


@pytest.fixture
def new(tmp_path: Path, empty_archive: Path, begin: Any) -> Any:
    """Another archive, with a run of the same name."""
    (tmp_path / "new.db").write_bytes(empty_archive.read_bytes())
    with Archive.open(str(tmp_path / "new.db")) as opened:
        begin(opened, "r")
        yield opened


def test_a_replay_gives_the_same_replies_rows_and_ledger(
    talk: Any, archive: Archive, new: Archive, Scripted: Any, asking: Any, failure: Any
) -> None:
    backend = Scripted(script=[ChatAnswer(f"law {n}", "stop", "m", Usage(10 + n, n, 2)) for n in range(9)])
    live, asked = talk(backend), [asking(f"q{n % 3}", draw=n) for n in range(9)]
    first = [live.ask(request) for request in asked]
    backend.script = [failure("invalid", status=400)]
    with pytest.raises(ChatFailure) as recorded:
        live.ask(asking("bad"))
    replay = ReplayChat(["local:scripted"], archive.chats(), new.chats())
    second = [replay.ask(request) for request in asked]
    assert [r.answer for r in second] == [r.answer for r in first]
    assert [r.key for r in second] == [r.key for r in first]
    with pytest.raises(ChatFailure) as told:
        replay.ask(asking("bad"))
    assert str(told.value) == str(recorded.value)
    for store in (archive, new):
        for k, pair in enumerate(zip(first[::2], first[1::2], strict=False)):
            store.chats().book("r", k, [reply.key for reply in pair])
    assert new.query(CALLS) == archive.query(CALLS)
    assert new.query(LEDGER) == archive.query(LEDGER)
    assert new.chats().attempts("r") == [], "a replay sends nothing"


def test_a_missing_answer_is_one_clear_error(talk: Any, archive: Archive, Scripted: Any, asking: Any, failure: Any) -> None:
    chat = talk(Scripted(script=[failure("timeout")] * 9))
    replay = ReplayChat(["local:scripted", "local:other"], archive.chats())
    for _ in range(2):
        with pytest.raises(
            MissingAnswer, match=r"no answer of local:scripted or local:other to request .*, draw 2;"
        ) as caught:
            replay.ask(asking(draw=2))
        assert "\n" not in str(caught.value)
        with pytest.raises(ProviderDown):
            chat.ask(asking(draw=2))  # sent, but never answered: still missing
    with pytest.raises(ConfigError):
        ReplayChat([], archive.chats())


def test_a_replay_finds_the_fallbacks_answer(talk: Any, archive: Archive, Scripted: Any, asking: Any, failure: Any) -> None:
    live = talk(Scripted("openai:one", [failure("auth")]), Scripted("local:two")).ask(asking())
    reply = ReplayChat(["openai:one", "local:two"], archive.chats()).ask(asking())
    assert (reply.identity, reply.key, reply.answer) == ("local:two", live.key, live.answer)


def test_the_backend_alone(talk: Any, archive: Archive, Scripted: Any, asking: Any) -> None:
    """The same mechanism is a cassette: any chat may be built on it."""
    answer = talk(Scripted()).ask(asking()).answer
    backend = ReplayBackend("local:scripted", archive.chats())
    assert backend.complete(asking(), 1.0) == answer
    with pytest.raises(MissingAnswer):
        backend.complete(asking("other"), 1.0)


RECORDER = """
import os, random, signal, sys, time
from sldagent.archive.store import Archive
from sldagent.chat.base import ChatAnswer, ChatRequest, Message, Usage
from sldagent.chat.client import LiveChat
from sldagent.chat.ledger import Budget, Ledger
from sldagent.chat.policy import Policy
from sldagent.chat.prices import Price, Prices

CALLS = 40

class Model:
    identity = "local:m"
    def complete(self, request, timeout):
        time.sleep(0.001)
        return ChatAnswer(f"answer to {request.draw}", "stop", "m", Usage(10, request.draw))
    def close(self):
        pass

def record(place, pipe):
    archive = Archive.open(place)
    prices = Prices({"local:m": Price(1e-6, 1e-6)}, table={})
    chat = LiveChat([Model()], Ledger(archive.chats(), "r", Budget(usd=1), prices), Policy())
    for k in range(CALLS):
        reply = chat.ask(ChatRequest((Message("user", "x"),), 100, draw=k))
        os.write(pipe, bytes([k]))
        archive.chats().book("r", k, [reply.key])
    archive.close()

def life(place, until, delay):
    # One forked recorder, killed `delay` seconds after it told of answer `until`; the last that it told of.
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        record(place, write)
        os._exit(0)
    os.close(write)
    told = -1
    while told < until and (more := os.read(read, 1)):
        told = more[0]
    if until < CALLS:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    while more := os.read(read, 4096):
        told = more[-1]
    os.waitpid(child, 0)
    os.close(read)
    return told

place, kills = sys.argv[1], int(sys.argv[2])
chance = random.Random(5)
for n in range(kills):
    told = life(place, CALLS * n // kills - 1, chance.random() * 0.01)
    with Archive.open(place) as archive:
        rows = archive.query("SELECT COUNT(*) FROM chat_call WHERE response IS NOT NULL")[1][0][0]
    assert rows >= told + 1, f"kill {n}: told of {told + 1} answers, {rows} are there"
assert life(place, CALLS, 0.0) == CALLS - 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_killed_recorder_loses_nothing_and_ends_equal(archive: Archive, new: Archive) -> None:
    kills = 200 if os.environ.get("SLDAGENT_ATTACK") == "all" else 8
    for place, times in ((new.place, 0), (archive.place, kills)):
        subprocess.run([sys.executable, "-c", RECORDER, place, str(times)], check=True, timeout=500)
    assert archive.query(CALLS) == new.query(CALLS)
    assert archive.query(LEDGER) == new.query(LEDGER)
    assert len(archive.query(LEDGER)[1]) == 40 * 4
    states = [a.state for a in archive.chats().attempts("r")]
    assert states.count("answered") == 40
    assert set(states) == {"answered", "lost"}
