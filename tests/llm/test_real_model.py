"""A real model end to end: prompt, tokens, answer, fit, archive, replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import real_server
import small_run

from sldagent import replay as replaying
from sldagent.archive.store import Archive
from sldagent.replay import replay


@pytest.fixture
def served() -> Any:
    if why := real_server.missing():
        pytest.skip(why)
    pytest.importorskip("openai", reason="the package openai is not installed (extra 'llm')")
    return real_server.serve(["N", "D"])


@pytest.mark.slow
def test_a_real_model_proposes(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (small_run.session, replaying):
        monkeypatch.setattr(module, "GrammarProposer", small_run.FewSeeds)
        monkeypatch.setattr(module, "make_pool", small_run.here)
    spec = f"local:{real_server.MODEL}@{served.listening_address}/v1"
    short = {"prompt_tokens": 500, "answer_tokens": 120, "llm_share": 1.0, "candidates": 12, "max_calls": 2}
    place = tmp_path / "a.db"
    patient = small_run.Policy(concurrency=1, attempt_timeout=900.0, total_timeout=1800.0)
    table = small_run.write_table(tmp_path / "runs.csv")
    outcome = small_run.begin(table, place, small_run.config(spec, **short), patient)
    assert outcome.summary.status == "complete"
    with Archive.open(str(place), read_only=True) as archive:
        asked = {r.k: r for r in archive.candidates(small_run.RUN) if r.asked is not None}
        made = [r for r in asked.values() if r.asked is not None and r.asked.outcome == "program"]
        _, booked = archive.query("SELECT k, SUM(amount) FROM ledger WHERE unit = 'tokens' GROUP BY k")
        with Archive.open(str(tmp_path / "b.db")) as target:
            assert replay(small_run.RUN, archive, target).differing == ()
    assert len(made) == 2, "the grammar lets it say nothing that cannot be read"
    assert all(r.operator.startswith("llm:") and r.note for r in made)
    assert {k for k, _ in booked} == {r.k for r in made}
    assert all(tokens > 500 for _, tokens in booked)
