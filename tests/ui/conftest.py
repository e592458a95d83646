"""An archive with a run in which a language model proposed, and the page on it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cli")]


@pytest.fixture(scope="session")
def archive_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of `small_archive`.  Nobody may write to it: take `copied` for that."""
    from small_archive import write_archive

    return write_archive(tmp_path_factory.mktemp("ui"))


@pytest.fixture
def copied(archive_file: Path, tmp_path: Path) -> Path:
    """A copy of the archive, to be written to."""
    return Path(shutil.copy(archive_file, tmp_path / "copy.db"))


@pytest.fixture
def client_of() -> Iterator[Callable[..., Any]]:
    """``client_of(file, local=True, token=None)``: a client of the page on an archive, without a network."""
    from starlette.testclient import TestClient

    from sldagent.ui.app import make_app
    from sldagent.ui.guard import Policy
    from sldagent.ui.source import Source

    sources = []

    def make(file: Path | str, *, local: bool = True, token: str | None = None, host: str = "127.0.0.1:8765") -> TestClient:
        sources.append(Source(str(file)))
        return TestClient(make_app(sources[-1], Policy(local, token, 8765)), base_url=f"http://{host}")

    yield make
    for source in sources:
        source.close()
