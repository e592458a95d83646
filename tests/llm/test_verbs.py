"""The verbs about language models, and how `discover` refuses, pauses and spends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_run
from cli_tools import Ended, sldagent
from laws_told import told
from talk_server import TalkServer

from sldagent import estimate as estimating
from sldagent.archive.store import Archive
from sldagent.chat.prices import parse_price
from sldagent.workers.environment import worker_environment

KEY = "sk-test-" + "1" * 20 + "never-to-be-seen"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.session.GrammarProposer", small_run.FewSeeds)
    monkeypatch.setattr("sldagent.session.make_pool", small_run.here)
    monkeypatch.setattr(estimating, "GrammarProposer", small_run.FewSeeds)
    monkeypatch.setattr("sldagent.llm.LOCAL", small_run.QUICK)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run.write_table(tmp_path_factory.mktemp("table") / "runs.csv")


@pytest.fixture(scope="module")
def server() -> Iterator[TalkServer]:
    with TalkServer(told) as running:
        yield running


def discover(table: Path, place: Path, *words: Any) -> Ended:
    return sldagent("discover", table, "--candidates", 14, "--workers", 1, "--archive", f"sqlite:///{place}", *words)


def test_a_budget_in_dollars_needs_a_price(table: Path, server: TalkServer, tmp_path: Path) -> None:
    before = len(server.asked)
    ended = discover(table, tmp_path / "a.db", "--llm", server.spec, "--budget-usd", "1")
    assert ended.code == 2
    assert "the price of local:scripted is unknown, so a budget in dollars cannot be kept" in ended.err
    assert len(server.asked) == before
    assert not (tmp_path / "a.db").exists(), "nothing is half-written"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--max-calls", "3"], "no model: name one with --llm"),
        (["--llm", "opnai:m"], "did you mean openai:MODEL"),
        (["--llm", "openai:m"], "needs a key in the environment variable OPENAI_API_KEY"),
        (["--llm", "local:m@http://127.0.0.1:1/v1", "--llm", "local:m@http://127.0.0.1:2/v1"], "named twice"),
        (["--llm", "local:m@http://127.0.0.1:1/v1", "--llm-extra", "[1]"], "must be one JSON object"),
        (["--llm", "local:m@http://127.0.0.1:1/v1", "--llm-extra", '{"messages": 1}'], "must not hold 'messages'"),
        (["--llm", "local:m@http://127.0.0.1:1/v1", "--price", "local:m"], "is no price"),
        (["--llm-fallback", "local:m@http://127.0.0.1:1/v1"], "no model: name one with --llm"),
    ],
)
def test_refusals_before_anything_is_written(table: Path, tmp_path: Path, words: list[str], says: str) -> None:
    ended = discover(table, tmp_path / "a.db", *words)
    assert ended.code == 2
    assert says in ended.err
    assert not (tmp_path / "a.db").exists()


def test_spending_is_bounded_and_shown(table: Path, server: TalkServer, tmp_path: Path) -> None:
    price = ["--price", "local:scripted=2/10", "--budget-usd", "1", "--llm-extra", '{"top_k": 3}']
    ended = discover(table, tmp_path / "a.db", "--llm", server.spec, "--llm-share", "1", *price, "--json")
    assert ended.code == 0, ended.err
    with Archive.open(str(tmp_path / "a.db"), read_only=True) as archive:
        _, booked = archive.query("SELECT SUM(amount) FROM ledger WHERE unit = 'usd'")
        _, asked = archive.query("SELECT SUM(usd) FROM proposal")
    cost = parse_price("local:scripted=2/10")[1]
    assert 0 < booked[0][0] == pytest.approx(asked[0][0])
    assert cost.input == 2e-6
    assert server.asked[-1]["top_k"] == 3


def test_a_provider_that_is_down_is_exit_code_3_with_the_way_on(table: Path, tmp_path: Path) -> None:
    with TalkServer(told) as own:
        own.refuse = 503
        ended = discover(table, tmp_path / "a.db", "--llm", own.spec, "--llm-share", "1")
        assert ended.code == 3
        assert "no language model can be asked" in ended.out
        assert "sldagent resume" in ended.out
        own.refuse = 0
        with Archive.open(str(tmp_path / "a.db"), read_only=True) as archive:
            run = archive.runs()[0].run
        assert sldagent("resume", run, "--archive", f"sqlite:///{tmp_path / 'a.db'}").code == 0


def test_no_key_reaches_a_worker_or_the_archive(
    table: Path, server: TalkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLDAGENT_LOCAL_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    assert KEY not in json.dumps(worker_environment(os.environ))
    ended = discover(table, tmp_path / "a.db", "--llm", server.spec, "--max-calls", "2")
    assert ended.code == 0
    assert KEY not in ended.out + ended.err
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_estimate(table: Path, server: TalkServer) -> None:
    before = len(server.asked)
    words = ["--candidates", 108, "--llm", server.spec, "--price", "local:scripted=1/4/0.1", "--llm-share", "0.5"]
    ended = sldagent("estimate", table, *words, "--json")
    assert ended.code == 0, ended.err
    found = ended.json
    (model,) = found["models"]
    assert 35 < found["slots"] < 65
    assert model["calls"] >= found["slots"]
    assert 1000 < found["prefix_tokens"] < found["prompt_tokens"] < 6000
    assert 0 < model["usd"] < model["usd_most"]
    plain = sldagent("estimate", table, *words[:4])
    assert "unknown" in plain.out
    assert len(server.asked) == before, "an estimate asks nobody"
    assert "nothing to estimate" in sldagent("estimate", table, "--candidates", 9).err


def test_ablate(table: Path, server: TalkServer, tmp_path: Path) -> None:
    before = len(server.asked)
    ended = sldagent(
        "ablate", table, "--candidates", 14, "--workers", 1, "--llm", server.spec, "--max-calls", 4, "--llm-share", 1,
        "--archive", f"sqlite:///{tmp_path / 'a.db'}", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    results = {r["arm"]: r for r in ended.json["results"]}
    assert list(results) == ["evolution", "best of N", "grammar"]
    assert {r["candidates"] for r in results.values()} == {14}
    calls = {arm: result["calls"] for arm, result in results.items()}
    assert calls["evolution"] == 4 and calls["grammar"] == 0
    assert 1 <= calls["best of N"] <= 4  # an answer to a prompt that stood in the first arm too is not asked for again
    assert sum(calls.values()) == len(server.asked) - before
    with Archive.open(str(tmp_path / "a.db"), read_only=True) as archive:
        apart = [r for r in archive.candidates(results["best of N"]["run"]) if r.operator != "emphasise"]
    assert all(r.parents == () for r in apart)
    assert {r.asked.operator for r in apart if r.asked} == {"rethink"}
    alone = sldagent("ablate", table, "--candidates", 14, "--archive", f"sqlite:///{tmp_path / 'b.db'}")
    assert alone.code == 2
    assert "name one with --llm" in alone.err
