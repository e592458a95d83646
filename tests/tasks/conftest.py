"""Shared fixtures: writing small tables, and the folder of development data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data_folder() -> Path:
    """Folder of real tables, skipped where it is absent."""
    folder = Path(os.environ.get("SLDAGENT_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "sldbench").is_dir():
        pytest.skip(f"no development data at {folder} (set SLDAGENT_DATA)")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write("a.csv", text)`` -> path."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write
