"""The runs that several tests report on."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer

sys.path.insert(0, str(Path(__file__).parent))

from page_tools import Reported, hostile_table, plain_table, reported, small_run


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Two groups, one target, test rows."""
    folder = tmp_path_factory.mktemp("plain")
    table = plain_table(folder / "runs.csv")
    roles = {"targets": "loss", "variables": "N:scale,D:scale", "group": "family", "split_column": "split"}
    run = small_run(table, folder / "a.db", **roles)
    return reported(folder, run, folder / "a.db", table)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Two groups, two targets, and names that try to be markup."""
    folder = tmp_path_factory.mktemp("hostile")
    card = hostile_table(folder / "h.csv")
    run = small_run(card, folder / "a.db", candidates=12)
    return reported(folder, run, folder / "a.db", card)


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """Address of a new, empty database on the PostgreSQL server."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
