"""Whole runs against a server that answers by content: the same archive whatever happens on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import small_run
from laws_told import told
from rows import attempts, rows
from small_run import QUICK, RUN, begin, config, go_on
from talk_server import TalkServer, content_number

from sldagent import replay as replaying
from sldagent.archive.store import Archive
from sldagent.cli.main import main
from sldagent.evolution import loop
from sldagent.evolution.plan import BUDGET_NOTE
from sldagent.replay import replay


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few seeds, and evaluation in this process."""
    monkeypatch.setattr("sldagent.session.GrammarProposer", small_run.FewSeeds)
    monkeypatch.setattr("sldagent.session.make_pool", small_run.here)
    monkeypatch.setattr("sldagent.session.discover", partial(loop.discover, checkpoint_every=small_run.EVERY))
    monkeypatch.setattr(loop, "resume", partial(loop.resume, checkpoint_every=small_run.EVERY))
    monkeypatch.setattr(replaying, "GrammarProposer", small_run.FewSeeds)
    monkeypatch.setattr(replaying, "make_pool", small_run.here)


@pytest.fixture(scope="module")
def server() -> Iterator[TalkServer]:
    with TalkServer(told) as running:
        yield running


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run.write_table(tmp_path_factory.mktemp("table") / "runs.csv")


@pytest.fixture(scope="module")
def whole(server: TalkServer, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of an undisturbed run."""
    place = tmp_path_factory.mktemp("whole") / "a.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sldagent.session.GrammarProposer", small_run.FewSeeds)
        patch.setattr("sldagent.session.make_pool", small_run.here)
        outcome = begin(table, place, config(server.spec))
    assert outcome.summary.status == "complete"
    return place


def same(place: Path, whole: Path) -> None:
    found, expected = rows(place), rows(whole)
    for name, wanted in expected.items():
        assert found[name] == wanted, name


def test_the_report_says_what_models_did_and_cost(whole: Path, server: TalkServer, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main(["report", RUN, "--archive", str(whole), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    calls = len(attempts(whole))
    assert "By language model:" in text
    assert f"<dt>Language models</dt><dd>{calls} calls, " in text
    assert f"sldagent replay {RUN} --from sqlite:///{whole} --archive sqlite:///again.db" in text
    assert f"--llm {server.spec}" in text


def test_what_models_wrote_is_in_the_archive_with_its_ledger(whole: Path, server: TalkServer) -> None:
    with Archive.open(str(whole), read_only=True) as archive:
        records = list(archive.candidates(RUN))
        _, booked = archive.query("SELECT k, SUM(amount) FROM ledger WHERE unit = 'calls' GROUP BY k")
    asked = [r for r in records if r.asked is not None]
    assert 12 <= len(asked) <= 26
    assert {r.asked.outcome for r in asked if r.asked} == {"program", "unusable"}
    for r in asked:
        assert r.asked is not None
        assert r.operator == f"llm:{r.asked.operator}"
        assert len(r.asked.calls) in (1, 2)
        assert r.asked.state == max(0, r.k - 11)
        unusable = r.asked.outcome == "unusable"
        assert (r.evaluation.failure is not None and r.evaluation.failure.reason == "parse") == unusable
        assert (r.source == "") == unusable
    assert dict(booked) == {r.k: len(r.asked.calls) for r in asked if r.asked}
    promised = [r.asked for r in asked if r.asked and r.asked.kept is not None]
    assert promised
    assert all(a.before is not None and a.hypothesis and a.promise for a in promised)


def test_neither_delays_nor_concurrency_change_anything(table: Path, whole: Path, tmp_path: Path) -> None:
    def late(messages: list[dict[str, str]]) -> str:
        time.sleep(content_number(messages) % 7 * 0.02)
        return told(messages)

    with TalkServer(late) as slow:
        begin(table, tmp_path / "a.db", config(slow.spec))
    found, expected = rows(tmp_path / "a.db"), rows(whole)
    del found["run"], expected["run"]  # the server's address is another one
    assert found == expected


def test_a_replay_is_identical_and_asks_nobody(whole: Path, server: TalkServer, table: Path, tmp_path: Path) -> None:
    before = len(server.asked)
    for name, reuse in (("fitted.db", False), ("reused.db", True)):
        place = tmp_path / name
        with Archive.open(str(whole), read_only=True) as source, Archive.open(str(place)) as target:
            found = replay(RUN, source, target, reuse=reuse)
        assert (found.candidates, found.differing) == (44, ())
        same(place, whole)
        assert attempts(place) == []
    assert len(server.asked) == before


def test_the_budget_ends_the_models_and_not_the_run(table: Path, tmp_path: Path) -> None:
    with TalkServer(told) as own:
        begin(table, tmp_path / "a.db", config(own.spec, max_calls=7))
        assert len(own.asked) == 7
    with Archive.open(str(tmp_path / "a.db"), read_only=True) as source:
        records = list(source.candidates(RUN))
        spent = [r for r in records if r.asked is not None and r.asked.outcome == "budget"]
        assert len(records) == 44
        assert spent
        assert all(r.note.startswith(BUDGET_NOTE) and r.source and not r.operator.startswith("llm:") for r in spent)
        last = max(r.k for r in records if r.asked is not None)
        assert last < spent[0].k + 12, "once it is known, no further slot is dealt to a model"
        with Archive.open(str(tmp_path / "b.db")) as target:
            assert replay(RUN, source, target).differing == ()
    same(tmp_path / "b.db", tmp_path / "a.db")


def test_a_provider_that_is_down_pauses_the_run(table: Path, tmp_path: Path) -> None:
    with TalkServer(told) as own:
        begin(table, tmp_path / "whole.db", config(own.spec))
        own.asked.clear()

        def breaks(messages: list[dict[str, str]]) -> str:
            own.refuse = 500 if len(own.asked) >= 6 else 0
            return told(messages)

        own.answer = breaks
        outcome = begin(table, tmp_path / "a.db", config(own.spec))
        assert (outcome.summary.status, outcome.summary.stopped_by) == ("stopped", "provider")
        assert "out of order (500)" in outcome.summary.trouble
        assert 8 <= outcome.summary.candidates < 44
        own.answer, own.refuse = told, 0
        assert go_on(tmp_path / "a.db").summary.status == "complete"
    same(tmp_path / "a.db", tmp_path / "whole.db")


def test_a_key_that_is_refused_pauses_at_once(table: Path, tmp_path: Path) -> None:
    with TalkServer(told) as own:
        own.refuse = 401
        outcome = begin(table, tmp_path / "a.db", config(own.spec, llm_concurrency=1))
        assert outcome.summary.stopped_by == "provider"
        assert "refused the key (401)" in outcome.summary.trouble
        assert len(own.asked) <= QUICK.breaker_failures, "no retries"


KILLS = 200 if os.environ.get("SLDAGENT_ATTACK") == "all" else 2


def test_killed_and_resumed_equals_undisturbed(whole: Path, server: TalkServer, table: Path, tmp_path: Path) -> None:
    """SIGKILL at random points (200 with SLDAGENT_ATTACK=all)."""
    chance = random.Random(11)
    for n in range(KILLS):
        place = tmp_path / f"{n}.db"
        server.asked.clear()
        server.delay = chance.choice([0.0, 0.03])
        code = killed("begin", table, place, server, chance)
        if code == -signal.SIGKILL and not place.exists():
            continue
        tries = 0
        while code == -signal.SIGKILL and tries < 2 and chance.random() < 0.3:
            code, tries = killed("resume", table, place, server, chance), tries + 1
        if code == -signal.SIGKILL:
            code = run("resume", table, place, server).wait(300)
        assert code == 0
        same(place, whole)
        nothing_lost(place, server)
    server.delay = 0.0


def run(verb: str, table: Path, place: Path, server: TalkServer) -> subprocess.Popen[bytes]:
    words = [sys.executable, small_run.__file__, verb, str(table), str(place), server.spec]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)


def killed(verb: str, table: Path, place: Path, server: TalkServer, chance: random.Random) -> int:
    """Start, kill after some number of requests and a little longer, and say how it ended."""
    process, seen = run(verb, table, place, server), len(server.asked)
    after, pause = chance.randint(1, 14), chance.random() * 0.15
    while process.poll() is None and len(server.asked) < seen + after:
        time.sleep(0.002)
    time.sleep(pause)
    process.kill()
    return process.wait(60)


def nothing_lost(place: Path, server: TalkServer) -> None:
    """Every answer that was recorded is the only one to its request; what was asked again had been under way."""
    states: dict[str, Counter[str]] = {}
    for call, state, _ in attempts(place):
        states.setdefault(call, Counter())[state] += 1
    assert all(count["answered"] == 1 and set(count) <= {"answered", "lost"} for count in states.values())
    sent = sum(sum(count.values()) for count in states.values())
    assert len(server.asked) <= sent, "every request was written down before it was sent"


def test_other_models_and_a_fallback(table: Path, tmp_path: Path) -> None:
    """Two models share the slots; where one is down, its fallback answers, and that is announced."""
    heard: list[str] = []

    class Watcher:
        def on_commit(self, *_: Any) -> None: ...
        def on_wait(self, *_: Any) -> None: ...
        def on_event(self, event: Any) -> None:
            if event.kind == "model":
                heard.append(event.message)

    with TalkServer(told) as one, TalkServer(told) as two, TalkServer(told) as spare:
        specs = (one.spec.replace("scripted", "one"), two.spec.replace("scripted", "two"))
        two.refuse = 401
        cfg = config("", llm=specs, llm_fallbacks=(spare.spec.replace("scripted", "spare"),))
        with Archive.open(str(tmp_path / "a.db")) as archive:
            archive.new_run_id = lambda *_: RUN  # type: ignore[method-assign]
            grounds = small_run.session.prepare(small_run.load_task(str(table)))
            models = small_run.LiveModels(cfg, {}, policy=QUICK)
            small_run.session.run(grounds, cfg, archive, Watcher(), models=models)
            asked = [r.asked for r in archive.candidates(RUN) if r.asked]
    assert {a.model for a in asked} == {"local:one", "local:two"}
    assert {a.answered_by for a in asked if a.model == "local:two"} == {"local:spare"}
    assert any("asking local:spare instead" in message for message in heard)
