"""The built wheel works outside the repository, and the lock file and Makefile keep their promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import sldagent

INSTALLED = "import sys; from sldagent.cli.main import main; sys.exit(main())"


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(repository)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files, as an installation has them."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_installed(site: Path, where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "HOME": str(where)}
    command = [sys.executable, "-P", "-c", INSTALLED, *words]
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_ships_what_stands_beside_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    shipped = {n.removeprefix("sldagent/_shipped/") for n in names if n.startswith("sldagent/_shipped/")}
    assert "archive/queries/front.sql" in shipped
    assert "archive/env.py" in shipped
    assert "experiments/tiny_lm/tiny_lm.csv" in shipped
    assert "experiments/sldbench/cards/moe.toml" in shipped
    assert "sandbox/tape.py" in shipped
    assert {"ui/templates/base.html", "ui/static/ui.css", "ui/static/ui.js"} <= shipped
    assert "sldagent/laws/catalogue.toml" in names
    assert not [n for n in names if n.endswith((".pyc", ".db", ".nbi", ".nbc"))]


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "import sldagent, pathlib; print(pathlib.Path(sldagent.__file__).resolve())"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(ran.stdout.strip()).is_relative_to(installed.resolve())


def test_the_wheel_works_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    version = run_installed(installed, tmp_path, "--version")
    assert version.stdout.strip() == f"sldagent {sldagent.__version__}"
    assert "discover" in run_installed(installed, tmp_path, "--help").stdout
    assert "tiny_lm" in run_installed(installed, tmp_path, "tasks").stdout
    assert "chinchilla" in run_installed(installed, tmp_path, "laws").stdout
    found = run_installed(installed, tmp_path, "discover", "tiny_lm", "--candidates", "12", "--workers", "1")
    assert found.returncode == 0, found.stderr
    assert "Choice: tiny-lm-" in found.stdout
    assert (tmp_path / "sldagent.db").exists()
    assert run_installed(installed, tmp_path, "runs").stdout.count("tiny-lm-") >= 1


def test_the_lock_pins_every_package_with_hashes_and_names_no_place(repository: Path) -> None:
    text = (repository / "requirements.lock").read_text()
    assert not re.search(r"https?:|file:|--index-url|--find-links|^/|@ ", text, re.MULTILINE)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert len(blocks) > 40
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_lock_covers_the_declared_dependencies(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    base, extras = (repository / "requirements.lock").read_text().split("# Extras")
    names = lambda text: {n.lower() for n in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}  # noqa: E731
    wanted = lambda items: {re.split(r"[\[<>=!~]", i)[0].lower() for i in items}  # noqa: E731
    optional = project["optional-dependencies"]
    assert wanted(project["dependencies"] + optional["dev"]) <= names(base)
    for extra in ("llm", "ray", "postgres", "jax", "ui"):
        assert wanted(optional[extra]) - {"psycopg"} <= names(base) | names(extras), extra
    backend = tomllib.loads((repository / "pyproject.toml").read_text())["build-system"]["requires"]
    assert wanted(backend) <= names(base), "the lock holds the build backend, so that nothing is resolved at install"


def test_make_offers_what_the_readme_says(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    for target in ("discover", "test", "lint", "types", "bench", "clean", "lock"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
