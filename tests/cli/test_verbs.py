"""Every verb on one small discovery: shapes of the JSON, agreement between verbs, and files written."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import sqlite3
from pathlib import Path

import numpy as np
import pandas
import pytest
from cli_tools import Found, sldagent, write_table

from sldagent.cli.main import VERBS

FIGURES = {"law", "formula", "parameters", "x", "x_se", "complexity", "mdl"}


def test_discover_prints_one_document_and_progress_goes_elsewhere(found: Found) -> None:
    document = found.document
    assert document.keys() >= {"run", "task", "choice", "shortlist", "front", "candidates", "failures", "seconds"}
    assert document["task"] == "runs"
    assert document["candidates"] == 40
    assert document["choice"].keys() >= FIGURES
    assert document["shortlist"][0] == document["choice"]
    assert all(law.keys() >= FIGURES for law in document["front"])
    assert document["run"] in found.err


def test_the_front_is_a_front(found: Found) -> None:
    front = found.call("front", found.run, "--json").json
    assert front["run"] == found.run
    laws = front["front"]
    assert [law["law"] for law in laws] == [law["law"] for law in found.document["front"]]
    complexities, errors = [law["complexity"] for law in laws], [law["x"] for law in laws]
    assert complexities == sorted(complexities)
    assert errors == sorted(errors, reverse=True)


def test_per_group_parameters_are_named_by_group(found: Found) -> None:
    parameters = found.document["choice"]["parameters"]
    assert parameters
    for value in parameters.values():
        assert not isinstance(value, dict) or value.keys() == {"g0", "g1"}


def test_runs_are_listed_newest_first(found: Found, tmp_path: Path) -> None:
    runs = found.call("runs", "--json").json["runs"]
    assert [r["run"] for r in runs] == [found.run]
    assert runs[0]["choice"] == found.document["choice"]["law"]
    assert runs[0]["status"] == "complete"


def test_score_matches_a_computation_by_hand_and_is_logged(found: Found) -> None:
    score = found.call("score", found.run, found.table, "--json").json
    table = pandas.read_csv(found.table)
    test = table[table["split"] == "test"]
    assert (score["split"], score["rows"]) == ("test", len(test))
    predicted = predictions(found, found.run)[(table["split"] == "test").to_numpy()]
    observed = test["loss"].to_numpy()
    nmse = np.mean((predicted - observed) ** 2) / np.var(observed)
    nmae = np.mean(np.abs(predicted - observed)) / np.mean(np.abs(observed - observed.mean()))
    assert score["nmse"] == pytest.approx(nmse, rel=1e-9)
    assert score["r2"] == pytest.approx(1 - nmse, rel=1e-9)
    assert score["nmae"] == pytest.approx(nmae, rel=1e-9)
    assert score["per_target"]["loss"]["r2"] == pytest.approx(score["r2"])
    logged = found.call("sql", "SELECT law, split, rows, r2 FROM scoring ORDER BY id DESC LIMIT 1", "--format", "json").json
    assert logged == [{"law": score["law"], "split": "test", "rows": score["rows"], "r2": score["r2"]}]


def predictions(found: Found, law: str) -> np.ndarray:
    ended = found.call("predict", law, found.table)
    assert ended.code == 0, ended.err
    return pandas.read_csv(io.StringIO(ended.out))["loss_predicted"].to_numpy()


def test_predict_keeps_the_table_and_notes_what_lies_beyond(found: Found, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    ended = found.call("predict", found.run, found.table, "-o", target)
    assert (ended.code, ended.out) == (0, "")
    assert "outside" in ended.err
    given, written = found.table.read_text().splitlines(), target.read_text().splitlines()
    assert [line.rsplit(",", 1)[0] for line in written] == given
    parquet = tmp_path / "out.parquet"
    assert found.call("predict", found.run, found.table, "-o", parquet).code == 0
    assert np.allclose(pandas.read_parquet(parquet)["loss_predicted"], predictions(found, found.run), rtol=1e-12)


def test_an_exported_file_is_a_law_like_the_archived_one(found: Found, tmp_path: Path) -> None:
    file = tmp_path / "law.json"
    assert found.call("export", found.run, "--format", "json", "-o", file).code == 0
    a = found.call("score", found.run, found.table, "--json").json
    b = sldagent("score", file, found.table, "--json", "--archive", "sqlite:///nowhere.db").json
    assert a["r2"] == b["r2"]
    assert sldagent("show", file, "--json").json["law"] == a["law"]


def test_the_exported_function_predicts_what_predict_does(found: Found, tmp_path: Path) -> None:
    file = tmp_path / "law.py"
    assert found.call("export", found.run, "-o", file).code == 0
    spec = importlib.util.spec_from_file_location("exported_law", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = pandas.read_csv(found.table)
    ours = module.predict(table["N"].to_numpy(float), table["D"].to_numpy(float), group=table["family"].tolist())
    assert np.allclose(ours, predictions(found, found.run), rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", ["python", "json", "latex", "sympy"])
def test_export_prints_the_text(found: Found, form: str) -> None:
    plain = found.call("export", found.run, "--format", form)
    assert plain.code == 0
    assert plain.out.strip() == found.call("export", found.run, "--format", form, "--json").json["text"].strip()


def test_show_has_the_errors_per_cut_and_the_ancestry(found: Found) -> None:
    shown = found.call("show", found.document["front"][-1]["law"], "--json").json
    assert shown["cuts"]
    assert {c["variable"] for c in shown["cuts"]} <= {"N", "D", "joint"}
    assert shown["ancestry"][0]["law"] == shown["law"]
    assert "law(" in shown["program"]


def test_show_of_a_candidate_that_failed_says_why(found: Found) -> None:
    failed = found.call("sql", f"SELECT k FROM failure WHERE run = '{found.run}' LIMIT 1", "--format", "json").json
    if not failed:
        pytest.skip("no candidate of this run failed")
    ended = found.call("show", f"{found.run}-{failed[0]['k']}")
    assert ended.code == 0
    assert "not used" in ended.out


def test_compare_of_two_laws_is_antisymmetric(found: Found) -> None:
    a, b = found.document["front"][0]["law"], found.document["front"][-1]["law"]
    one, two = (found.call("compare", *pair, "--json").json for pair in ((a, b), (b, a)))
    assert one["x_difference"]["value"] == pytest.approx(-two["x_difference"]["value"])
    assert one["x_difference"]["se"] == pytest.approx(two["x_difference"]["se"])
    assert [entry["factor"] for entry in one["beyond"]] == [1, 3, 10]


def test_sql_formats_agree(found: Found) -> None:
    query = "SELECT k, formula FROM candidate ORDER BY k LIMIT 3"
    as_json = found.call("sql", query, "--format", "json").json
    as_csv = list(csv.DictReader(io.StringIO(found.call("sql", query, "--format", "csv").out)))
    assert [{**row, "k": int(row["k"])} for row in as_csv] == as_json
    assert found.call("sql", query, "--json").json == as_json
    assert as_json[0]["formula"][:8] in found.call("sql", query).out


def test_sql_cannot_write(found: Found) -> None:
    ended = found.call("sql", "DELETE FROM candidate")
    assert ended.code == 2
    assert found.call("sql", "SELECT count(*) AS n FROM candidate", "--json").json == [{"n": 40}]


def test_fit_finds_the_constants_that_made_the_table(tmp_path: Path) -> None:
    table = write_table(tmp_path / "one.csv")
    columns = ["--target", "loss", "--variables", "N,D", "--split-column", "split"]
    fit = sldagent("fit", table, "--law", "chinchilla", *columns, "--json").json
    assert fit.keys() >= {"law", "formula", "parameters", "objective", "r2"}
    assert fit["parameters"]["E"] == pytest.approx(1.7, abs=0.05)
    assert fit["parameters"]["alpha"] == pytest.approx(0.35, abs=0.03)
    own = sldagent("fit", table, "--law", "E + A*N**-a + B*D**-b", *columns, "--json").json
    assert own["parameters"]["E"] == pytest.approx(1.7, abs=0.05)
    assert own["formula"] == "E + A*N**-a + B*D**-b"
    other = sldagent("fit", table, "--law", "E + A*N**-a", *columns, "--loss", "huber:0.01", "--json").json
    assert other["r2"] < own["r2"]


def test_fit_can_export(tmp_path: Path) -> None:
    table, file = write_table(tmp_path / "one.csv"), tmp_path / "law.json"
    columns = ["--target", "loss", "--variables", "N,D", "--split-column", "split"]
    assert sldagent("fit", table, "--law", "chinchilla", *columns, "-o", file).code == 0
    score = sldagent("score", file, table, "--json").json
    assert score["r2"] > 0.99


def test_text_output_of_every_verb_is_not_empty(found: Found) -> None:
    law = found.document["choice"]["law"]
    for words in (
        ["runs"], ["front", found.run], ["show", law], ["compare", law, found.document["front"][0]["law"]],
        ["score", law, found.table], ["tasks"], ["laws"], ["predict", law, found.table],
    ):
        ended = found.call(*words)
        assert ended.code == 0, (words, ended.err)
        assert ended.out.strip(), words


def test_json_of_lists() -> None:
    assert {"chinchilla", "kaplan"} <= {law["law"] for law in sldagent("laws", "--json").json["laws"]}
    assert {"tiny_lm", "moe"} <= {task["name"] for task in sldagent("tasks", "--json").json["tasks"]}


def test_the_archive_keeps_every_candidate(found: Found) -> None:
    with sqlite3.connect(found.archive.removeprefix("sqlite:///")) as connection:
        rows = connection.execute("SELECT x FROM evaluation WHERE x IS NOT NULL").fetchall()
        total = connection.execute("SELECT count(*) FROM candidate").fetchone()[0]
    assert total == 40
    assert rows
    assert all(math.isfinite(x) for (x,) in rows)


INNER = {"archive": ("check",), "predictor": ("bnsl", "fit")}
"""Words after verbs whose options belong to what comes next."""
WITHOUT_ARCHIVE = ("doctor", "estimate", "predictor")
WITHOUT_JSON = ("ui",)


def test_every_verb_has_help_and_json() -> None:
    for verb in VERBS:
        ended = sldagent(verb, *INNER.get(verb, ()), "--help")
        assert ended.code == 0
        assert ("--json" in ended.out) == (verb not in WITHOUT_JSON), verb
        assert ("--archive" in ended.out) == (verb not in WITHOUT_ARCHIVE), verb


def test_same_seed_same_candidates_whatever_the_workers(found: Found, tmp_path: Path) -> None:
    archive = f"sqlite:///{tmp_path / 'again.db'}"
    columns = ["--target", "loss", "--variables", "N,D", "--group", "family", "--split-column", "split"]
    bounds = ["--candidates", "40", "--workers", "2", "--seed", "5"]
    assert sldagent("discover", found.table, *columns, *bounds, "--archive", archive, "--json").code == 0
    query = "SELECT k, island, operator, formula, structure, source, note FROM candidate ORDER BY k"
    again = sldagent("sql", query, "--archive", archive, "--json").json
    assert again == found.call("sql", query, "--json").json
    figures = "SELECT k, x, mdl, complexity, valid, fingerprint FROM evaluation ORDER BY k"
    again = sldagent("sql", figures, "--archive", archive, "--json").json
    assert json.dumps(again) == json.dumps(found.call("sql", figures, "--json").json)
