"""Makes the helpers importable, also for processes that tests start, and lets no test leave this machine."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "cli")]


@pytest.fixture(autouse=True)
def offline(no_way_out: None) -> None:
    """Every test here."""
