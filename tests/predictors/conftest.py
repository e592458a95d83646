"""Puts this folder's tools on the path; tests marked ``slow`` run with SLDAGENT_SLOW set (``make slow``)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("slow") and "SLDAGENT_SLOW" not in os.environ:
        pytest.skip("takes up to a minute: 'make slow' runs it")
