"""The law document: what it holds, what is refused, and the other formats."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.errors import ExportError
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.export import FORMATS, document_parameters, export_law, law_document, read_law_document
from sldagent.laws.parse import parse_program

MIXTURE = """
def law(r, N, c, k, t, alpha_1):
    z = [log(N), 1 / N]
    size = sum(z[m] for m in z) * smoothmax(N, 2, 3)**-alpha_1
    return c[i] + k[i] * exp(sum(t[i, j] * r[j] for j in r)) + size

parameters = {"c": positive(), "k": positive(), "t": real(), "alpha_1": positive(scope="shared")}
"""


@pytest.fixture
def document(exports: SimpleNamespace) -> dict[str, Any]:
    return exports.make(
        parse_program(MIXTURE),
        symbols=("r1", "r2", "N"),
        vectors={"r": ("r1", "r2")},
        targets=("web", "code"),
        groups=("S_1", "M"),
    )


def test_document_holds_what_was_fitted(document: dict[str, Any]) -> None:
    assert document["law"] == "r1-4"
    assert document["version"] == 1
    assert document["parameters"]["t"]["axes"] == ["group", "target", "r"]
    assert document["parameters"]["alpha_1"]["axes"] == ["group"]
    assert document["parameters"]["alpha_1"]["scope"] == "shared"
    assert document_parameters(document)["t"].shape == (2, 2, 2)
    assert document_parameters(document)["alpha_1"].shape == (1,)
    assert document["variables"][2] | {"min": 0.5, "max": 20.0} == document["variables"][2]
    assert document["evaluation"]["mdl"] is None
    assert document["evaluation"]["x"] == -3.25
    assert document["provenance"]["seed"] == 7
    assert document["provenance"]["date"] == "2030-01-03"


def test_json_round_trip_is_exact(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text(export_law(document, "json"), encoding="utf-8")
    again = read_law_document(path)
    assert again == document
    for name, values in document_parameters(document).items():
        assert np.array_equal(values, document_parameters(again)[name])
    assert export_law(again, "python") == export_law(document, "python")


def damage(document: dict[str, Any], change: str) -> Any:
    broken = copy.deepcopy(document)
    match change:
        case "format":
            return {"law": "x"}
        case "version":
            broken["version"] = 2
        case "missing":
            del broken["groups"]
        case "program":
            broken["program"] = "import os"
        case "shape":
            broken["parameters"]["t"]["values"] = [[1.0]]
        case "text":
            broken["parameters"]["c"]["values"] = [["a", "b"], ["c", "d"]]
        case "nan":
            broken["parameters"]["c"]["values"][0][0] = None
        case "lost":
            del broken["parameters"]["k"]
        case "symbol":
            broken["variables"][2]["symbol"] = "N=1); import os; ("
        case "vector":
            broken["vectors"]["r"] = ["r1", "r9"]
        case "range":
            broken["variables"][0]["min"] = "0); import os"
        case "group":
            broken["groups"] = ["S", "S"]
        case "unknown":
            broken["variables"][2]["symbol"] = "other"
    return broken


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("format", "not a law written by sldagent"),
        ("version", "version 2"),
        ("missing", "'groups' is missing"),
        ("program", "not in the law language"),
        ("shape", "'t' has values of shape"),
        ("text", "not an array of numbers"),
        ("nan", "not finite"),
        ("lost", "'k' are missing"),
        ("symbol", "not a plain name"),
        ("vector", "must list symbols"),
        ("range", "must be a number"),
        ("group", "each once"),
        ("unknown", "'N' are missing"),
    ],
)
def test_damaged_documents_are_refused(
    document: dict[str, Any], tmp_path: Path, change: str, message: str
) -> None:
    broken = damage(document, change)
    path = tmp_path / "law.json"
    path.write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(ExportError, match=message) as caught:
        read_law_document(path)
    assert str(path) in str(caught.value)
    for format in FORMATS:
        with pytest.raises(ExportError, match=message):
            export_law(broken, format)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no such file"):
        read_law_document(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("N**-a")
    with pytest.raises(ExportError, match="not JSON"):
        read_law_document(tmp_path / "text.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ExportError, match="cannot be read"):
        read_law_document(tmp_path / "bytes.json")
    with pytest.raises(ExportError, match="cannot be read"):
        read_law_document(tmp_path)


def test_unknown_format_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="choose one of python, jax, torch, json, sympy, latex, typst"):
        export_law(document, "fortran")


def test_failed_candidates_have_no_document() -> None:
    run = RunRecord("r", "t", "complete", 0, datetime(2030, 1, 1), None, {}, {}, "blind")
    candidate = CandidateRecord(
        1,
        0,
        "x",
        (),
        "def law(N, E):\n    return E * N\n",
        "E*N",
        "",
        Evaluation(failure=Failure("non-finite")),
    )
    with pytest.raises(ExportError, match="law r-1 has no fitted parameters"):
        law_document(run, candidate, "2030-01-01")


def test_sympy_expressions_equal_the_law(document: dict[str, Any], exports: SimpleNamespace) -> None:
    space: dict[str, Any] = {}
    exec(compile(export_law(document, "sympy"), "law_sympy.py", "exec"), space)
    law = parse_program(document["program"]).law
    row = {"r1": 0.3, "r2": 0.7, "N": 5.5}
    for g, group in enumerate(document["groups"]):
        for i, target in enumerate(("web", "code")):
            expression = space["LAWS"][group][target]
            value = float(expression.subs({space[s]: v for s, v in row.items()}))
            assert value == pytest.approx(exports.reference(law, document, row, g, i), rel=1e-12)


def test_latex_has_formula_and_every_value(document: dict[str, Any]) -> None:
    text = export_law(document, "latex")
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 1
    assert r"S\_1 & web" in text
    assert r"t_{2}" in text
    assert r"\alpha_{1}" in text
    rows = [line for line in text.splitlines() if line.startswith(("  S", "  M"))]
    assert len(rows) == 4
    assert {line.count("&") for line in rows} == {6}
    assert f"{document['parameters']['k']['values'][1][0]:.6g}" in text
