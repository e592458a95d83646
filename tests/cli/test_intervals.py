"""Intervals on the command line: of parameters by ``fit``, of predictions by ``predict``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from cli_tools import Found, sldagent, write_table

LAW = "E + A*N**-a + B*D**-b"
ROLES = ("--target", "loss", "--variables", "N,D", "--group", "family", "--split-column", "split")


def test_fit_prints_and_tells_intervals(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", rows_of_test=False)
    shown = sldagent("fit", table, "--law", LAW, *ROLES[:4], "--bootstrap", "60", "--profile", "a")
    assert shown.code == 0, shown.err
    assert "90% interval" in shown.out and "profile likelihood: a = " in shown.out
    asked = ("--bootstrap", "60", "--profile", "a", "--level", "0.5", "--json")
    told = sldagent("fit", table, "--law", LAW, *ROLES[:4], *asked)
    assert told.json["intervals"]["level"] == 0.5
    inside = told.json["intervals"]["parameters"]["a"]
    assert inside["low"][0] < told.json["parameters"]["a"] < inside["high"][0]
    assert told.json["profile"]["intervals"][0]["low"] < told.json["parameters"]["a"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cluster", "run"), "add --bootstrap N"),
        (("--bootstrap", "5", "--cluster", "run"), "no column says which run"),
        (("--bootstrap", "5", "--cluster", "group"), "whole groups can be resampled"),
        (("--profile", "zeta"), "no parameter 'zeta'"),
        (("--level", "2"), "not a share between 0 and 1"),
    ],
)
def test_fit_refuses(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    ended = sldagent("fit", write_table(tmp_path / "t.csv"), "--law", LAW, *ROLES, *words)
    assert ended.code == 2
    assert message in ended.err


def test_predict_adds_columns_and_files_agree(found: Found, tmp_path: Path) -> None:
    ended = found.call("predict", found.run, found.table, "--interval", "0.9", "-o", tmp_path / "p.csv")
    assert ended.code == 0, ended.err
    frame = pd.read_csv(tmp_path / "p.csv")
    assert (frame["loss_low"] < frame["loss_predicted"]).all() and (frame["loss_predicted"] < frame["loss_high"]).all()
    path = tmp_path / "law.json"
    assert found.call("export", found.run, "--format", "json", "-o", path).code == 0
    document = json.loads(path.read_text())
    assert document["uncertainty"]["cuts"]
    ended = found.call("predict", path, found.table, "--interval", "0.9", "--json")
    assert ended.json["low"]["loss"] == pytest.approx(frame["loss_low"].tolist(), rel=1e-6)
    for key in ("uncertainty", "shortlist"):
        document.pop(key, None)
    document["card"]["source"] = "gone.csv"
    path.write_text(json.dumps(document))
    ended = found.call("predict", path, found.table, "--interval", "0.9")
    assert ended.code == 2
    assert "nothing is stored of its residuals" in ended.err
    assert found.call("predict", path, found.table).code == 0


def test_predict_refuses(found: Found) -> None:
    cases = ((("--interval", "1.5"), "not a share"), (("--interval", "0.9", "--blend"), "leave out --interval"))
    for words, message in cases:
        ended = found.call("predict", found.run, found.table, *words)
        assert ended.code == 2
        assert message in ended.err
