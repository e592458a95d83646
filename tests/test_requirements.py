"""The switch that turns skips into failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requirements

EXAMPLE = """
import pytest
import requirements
requirements.CHECKS["ray"] = lambda: "no ray here"

@pytest.mark.requires("ray")
def test_marked():
    raise AssertionError("never runs")

def test_plain_skip():
    pytest.skip("for another reason")
"""


def outcomes(folder: Path, required: str) -> subprocess.CompletedProcess[str]:
    """A pytest of its own over EXAMPLE, with this suite's conftest."""
    tests = Path(__file__).parent
    (folder / "conftest.py").write_text((tests / "conftest.py").read_text())
    (folder / "test_example.py").write_text(EXAMPLE)
    environment = {**os.environ, "PYTHONPATH": str(tests), requirements.VARIABLE: required}
    command = [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:xdist", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_what_is_missing_is_skipped_with_its_reason(tmp_path: Path) -> None:
    done = outcomes(tmp_path, "postgres")
    assert done.returncode == 0, done.stdout
    assert "2 skipped" in done.stdout
    assert "no ray here" in done.stdout


def test_what_is_required_fails_instead(tmp_path: Path) -> None:
    done = outcomes(tmp_path, "postgres,ray")
    assert done.returncode == 1, done.stdout
    assert "1 skipped, 1 error" in done.stdout
    assert "the test was skipped: Skipped: no ray here" in done.stdout


def test_an_unknown_requirement_is_a_mistake(tmp_path: Path) -> None:
    done = outcomes(tmp_path, "postgress")
    assert done.returncode == 4
    assert "SLDAGENT_REQUIRE names 'postgress'" in done.stderr
    assert requirements.required("all") == frozenset(requirements.CHECKS)
    with pytest.raises(ValueError, match="it may name"):
        requirements.required("pi")
