"""The notebook: stored with its outputs, and it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOK = REPOSITORY / "experiments" / "tour.ipynb"
CELL_SECONDS = 900


def test_it_is_small_and_stored_as_it_ran() -> None:
    assert NOTEBOOK.stat().st_size < 300_000
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, 11))
    assert all(cell.outputs for cell in cells)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    assert str(REPOSITORY) not in NOTEBOOK.read_text()


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    cells = executed()
    assert [cell.execution_count for cell in cells] == list(range(1, 11))
    assert all(cell.outputs for cell in cells)
    assert "cost of a run" in cells[-1].outputs[0].text


def executed() -> list[Any]:
    """The code cells of the notebook after a run of all of it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(
        notebook, kernel_name="python3", timeout=CELL_SECONDS, startup_timeout=CELL_SECONDS, resources=folder
    ).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
