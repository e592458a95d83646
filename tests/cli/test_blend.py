"""``predict --blend`` and ``score --blend``."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas
import pytest
from cli_tools import Found, sldagent


def each_law(found: Found) -> np.ndarray:
    """(laws, rows): what `predict` says for every law of the short list."""
    laws = [law["law"] for law in found.document["shortlist"]]
    assert len(laws) > 1
    return np.array([found.call("predict", law, found.table, "--json").json["predictions"]["loss"] for law in laws])


def test_predict_adds_the_mean_and_the_spread_of_the_short_list(found: Found, tmp_path: Path) -> None:
    laws = each_law(found)
    assert np.ptp(laws, axis=0).max() > 0
    ended = found.call("predict", found.run, found.table, "--blend")
    assert ended.code == 0, ended.err
    assert "outside" in ended.err
    table, given = pandas.read_csv(io.StringIO(ended.out)), pandas.read_csv(found.table)
    assert list(table) == [*given, "loss_predicted", "loss_spread"]
    assert table[list(given)].equals(given)
    assert np.allclose(table["loss_predicted"], laws.mean(axis=0), rtol=1e-12)
    assert np.allclose(table["loss_spread"], laws.max(axis=0) - laws.min(axis=0), rtol=1e-9)
    file = tmp_path / "out.csv"
    assert found.call("predict", found.run, found.table, "--blend", "-o", file).out == ""
    assert file.read_text() == ended.out


def test_predict_as_json_names_the_run_and_its_laws(found: Found) -> None:
    document = found.call("predict", found.run, found.table, "--blend", "--json").json
    assert document["run"] == found.run
    assert document["blend"] == [law["law"] for law in found.document["shortlist"]]
    assert "law" not in document
    assert document["rows"] == len(document["predictions"]["loss"]) == len(document["spread"]["loss"])
    assert np.allclose(document["predictions"]["loss"], each_law(found).mean(axis=0), rtol=1e-12)
    plain = found.call("predict", found.run, found.table, "--json").json
    assert plain.keys() == {"law", "rows", "predictions", "file"}


def test_score_matches_a_computation_by_hand_and_is_logged_beside_no_law(found: Found) -> None:
    table = pandas.read_csv(found.table)
    test = (table["split"] == "test").to_numpy()
    observed = table["loss"].to_numpy()[test]
    r2 = 1 - np.mean((each_law(found).mean(axis=0)[test] - observed) ** 2) / np.var(observed)
    score = found.call("score", found.run, found.table, "--blend", "--json").json
    assert (score["run"], score["split"], score["rows"]) == (found.run, "test", test.sum())
    assert score["blend"] == [law["law"] for law in found.document["shortlist"]]
    assert score["r2"] == pytest.approx(r2, abs=1e-9)
    assert score["per_target"]["loss"]["r2"] == score["r2"]
    query = "SELECT law, run, k, split, rows, r2 FROM scoring ORDER BY id DESC LIMIT 1"
    (logged,) = found.call("sql", query, "--format", "json").json
    name = f"{found.run}-blend"
    assert logged == {"law": name, "run": None, "k": None, "split": "test", "rows": test.sum(), "r2": score["r2"]}
    assert found.call("show", name).code == 2


def test_score_prints_which_laws_were_averaged(found: Found) -> None:
    ended = found.call("score", found.run, found.table, "--blend")
    assert ended.code == 0, ended.err
    first, *rest = ended.out.splitlines()
    laws = ", ".join(law["law"] for law in found.document["shortlist"])
    assert first.startswith(f"{found.run}-blend (mean of {laws}) on ")
    assert any(line.split()[0] == "loss" for line in rest if line.split())


@pytest.mark.parametrize("verb", ["predict", "score"])
def test_what_is_no_run_is_one_sentence(found: Found, tmp_path: Path, verb: str) -> None:
    law = found.document["choice"]["law"]
    file = tmp_path / "law.json"
    assert found.call("export", law, "--format", "json", "-o", file).code == 0
    nowhere = ("--archive", f"sqlite:///{tmp_path / 'none.db'}")
    for ended, words in (
        (found.call(verb, law, found.table, "--blend"), (f"'{law}' is one law", f"the run's id {found.run} ")),
        (sldagent(verb, file, found.table, "--blend", *nowhere), ("law.json' is a file", "a run's id")),
        (sldagent(verb, "program.py", found.table, "--blend", *nowhere), ("'program.py' is a file", "a run's id")),
        (found.call(verb, "nope", found.table, "--blend"), ("no run 'nope'", found.run)),
    ):
        assert (ended.code, ended.out) == (2, "")
        assert len(ended.err.splitlines()) == 1
        assert all(word in ended.err for word in words), ended.err
    assert not (tmp_path / "none.db").exists()
