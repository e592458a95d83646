"""One small discovery that the tests of the verbs share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_tools import Found, discover_once


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return discover_once(tmp_path_factory.mktemp("discovery"))
