"""Shared by all tests: hypothesis without deadlines (the machine may be busy), and the folder of development tables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "sldagent", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sldagent")

REPOSITORY = Path(__file__).resolve().parent.parent


def _data() -> Path:
    given = os.environ.get("SLDAGENT_DATA")
    return Path(given) if given else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of development tables (SLDAGENT_DATA, else ../shared/data); the test is skipped without it."""
    folder = _data()
    if not folder.is_dir():
        pytest.skip(f"no folder of development tables: set SLDAGENT_DATA ({folder} does not exist)")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY
