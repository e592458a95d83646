"""The package for pip, the way back into an archive, and Typst."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sldagent.archive.store import Archive
from sldagent.cli.export import FORMATS as OFFERED
from sldagent.errors import ExportError
from sldagent.export import FORMATS, export_law
from sldagent.export.imports import import_law
from sldagent.export.package import package_name, write_package
from sldagent.fitted import from_candidate, from_document
from sldagent.laws.parse import parse_program
from tests.export.test_python import MIXTURE, TWO_GROUPS


@pytest.fixture
def document(exports: SimpleNamespace) -> dict[str, Any]:
    made: dict[str, Any] = exports.make(parse_program(TWO_GROUPS), symbols=("N", "D"), groups=("st_1", 'a "b" \\c'))
    return made


def test_package_installs_and_predicts_without_sldagent(document: dict[str, Any], tmp_path: Path) -> None:
    files = write_package(document, tmp_path / "law")
    assert all(path.is_file() for path in files)
    site = tmp_path / "site"
    install = ["install", "-q", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", *install, "--target", str(site), str(tmp_path / "law")]
    subprocess.run(command, check=True, capture_output=True)
    module = package_name(document).replace("-", "_")
    code = f"import {module} as m, sys; print(float(m.predict(3.0, 2.0, group='st_1')), 'sldagent' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONPATH": str(site)}, cwd=site
    )
    value, loaded = ran.stdout.split()
    space: dict[str, Any] = {}
    exec(compile(export_law(document, "python"), "law.py", "exec"), space)
    assert float(value) == float(space["predict"](3.0, 2.0, group="st_1"))
    assert loaded == "False"
    assert json.loads((site / module / "law.json").read_text())["law"] == document["law"]


def test_package_overwrites_nothing(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ExportError, match="not an empty folder"):
        write_package(document, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_names_of_packages_are_plain() -> None:
    assert package_name({"law": "Tiny_LM-ff494c-12"}) == "tiny-lm-ff494c-12"
    assert package_name({"law": "4-7"}) == "law-4-7"
    assert package_name({"law": "ü"}) == "law"


def test_a_law_comes_back(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text(export_law(document, "json"))
    with Archive.open(f"sqlite:///{tmp_path / 'other.db'}", read_only=False) as archive:
        law = import_law(path, archive)
        run, candidate = archive.law(law)
        back = from_candidate(run, candidate)
    assert candidate.operator == "import"
    assert run.choice == 0
    for name, values in from_document(document).parameters.items():
        np.testing.assert_array_equal(back.parameters[name], values)
    again = json.loads(export_law(back.document, "json"))
    kept = ("program", "formula", "variables", "targets", "groups", "parameters", "evaluation", "mode")
    assert {key: again[key] for key in kept} == {key: document[key] for key in kept}


def test_a_file_that_is_no_law_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text("{}")
    with Archive.open(f"sqlite:///{tmp_path / 'other.db'}", read_only=False) as archive:
        with pytest.raises(ExportError, match="not a law written by sldagent"):
            import_law(path, archive)
        assert not archive.runs()


def test_the_command_line_offers_every_format() -> None:
    assert OFFERED == FORMATS


def test_typst_has_formula_and_every_value(exports: SimpleNamespace) -> None:
    document = exports.make(
        parse_program(MIXTURE),
        symbols=("r1", "r2", "N"),
        vectors={"r": ("r1", "r2")},
        targets=("we_b", 'co"de'),
        groups=("S#1", "M"),
    )
    text = export_law(document, "typst")
    assert "sum_(j in r)" in text
    assert '[#"S#1"], [#"we_b"]' in text
    assert '[#"co\\"de"]' in text
    for value in np.ravel(document["parameters"]["k"]["values"]):
        assert f"{value:.6g}" in text
    typst = pytest.importorskip("typst", reason="typst is not installed")
    assert typst.compile(text.encode(), format="pdf").startswith(b"%PDF")
