"""Shared fixtures: an archive on every database there is, and candidates to put into it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from postgres_server import PostgresServer

from sldagent.archive.migrate import HEAD
from sldagent.archive.models import Base
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evaluation.result import CutScore, Evaluation, Failure

BACK_ENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.requires("postgres"))]

SOURCE = """def law(N, E, A, a):
    return E + A * N**-a

parameters = {"E": positive(), "A": positive(), "a": interval(0, 2, scope="shared")}
recipe = fit(loss="squared")
"""

CARD = {"name": "toy", "groups": ["code", "web"], "targets": [{"name": "loss"}], "vectors": {}}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new SQLite archive, to be copied."""
    path = tmp_path_factory.mktemp("made") / "archive.db"
    Archive.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=BACK_ENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path, made: Path) -> Iterator[str]:
    """Address of a new, empty archive, on each database in turn."""
    if request.param == "sqlite":
        shutil.copy(made, tmp_path / "archive.db")
        yield f"sqlite:///{tmp_path / 'archive.db'}"
        return
    yield request.getfixturevalue("recycled")


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """Address of a new, empty database on the PostgreSQL server."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def recycled(postgres: PostgresServer) -> Iterator[str]:
    """Address of an empty archive on the PostgreSQL server: one database for all tests, emptied after each.

    A test that left another version there gets it dropped instead: emptying takes a tenth of the time.
    """
    import psycopg

    name = "recycled"
    if not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'recycled'"):
        postgres.execute(f"CREATE DATABASE {name}")
        Archive.open(postgres.url(name)).close()
    yield postgres.url(name)
    try:
        if postgres.execute("SELECT version_num FROM archive_version", name) != [(HEAD,)]:
            raise LookupError
        tables = ", ".join(f'"{table}"' for table in Base.metadata.tables)
        postgres.execute(f"SET session_replication_role = replica; TRUNCATE {tables} RESTART IDENTITY CASCADE", name)
    except (LookupError, psycopg.errors.UndefinedTable):
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def archive(url: str) -> Iterator[Archive]:
    with Archive.open(url) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Path of an SQLite archive that does not exist yet."""
    return tmp_path / "archive.db"


@pytest.fixture
def start() -> Callable[..., str]:
    """``start(archive, "toy-1")`` begins a run with two islands and returns its id."""

    def _start(archive: Archive, run: str = "toy-000001", **changed: Any) -> str:
        given: dict[str, Any] = {
            "task": "toy",
            "seed": 7,
            "config": {"islands": 2, "limit": np.inf},
            "card": CARD,
            "mode": "blind",
            "islands": [{"temperature": 0.1, "bias": ""}, {"temperature": 0.9, "bias": "floor", "note": "bold"}],
        }
        archive.start_run(run=run, **{**given, **changed})
        return run

    return _start


@pytest.fixture
def record() -> Callable[..., CandidateRecord]:
    """``record(k, x=..., complexity=..., ...)``: a candidate whose numbers follow from `k`."""

    def _record(k: int, **changed: Any) -> CandidateRecord:
        outer = {name: changed.pop(name) for name in ("parents", "island", "operator", "source") if name in changed}
        numbers = np.random.default_rng(k)
        values: dict[str, Any] = {
            "x": float(numbers.normal()),
            "x_se": 0.125,
            "mdl": 10.5 + k,
            "complexity": 13.0,
            "tree": 7,
            "scalars": 3,
            "valid": True,
            "train_r2": 0.99,
            "at_bounds": ("a",),
            "parameters": {"E": numbers.normal(size=2), "A": numbers.normal(size=2), "a": numbers.normal(size=1)},
            "cuts": (CutScore("N top 1", "N", "loss", 12, -2.5, -4.0), CutScore("N top 2", "N", "loss", 24, np.inf, -3.5)),
            "x_boot": numbers.normal(size=5),
            "fingerprint": f"f{k}",
            "evaluations": 1000 + k,
            "seconds": 0.25,
        }
        evaluation = Evaluation(**{**values, **changed})
        outer = {"parents": (), "island": 0, "operator": "grow", "source": SOURCE, **outer}
        return CandidateRecord(k=k, formula="E + A*N**-a", structure=f"h{k}", evaluation=evaluation, note="n", **outer)

    return _record


@pytest.fixture
def failed(record: Callable[..., CandidateRecord]) -> Callable[..., CandidateRecord]:
    """``failed(k, reason)``: a candidate without a usable evaluation."""

    def _failed(k: int, reason: str = "non-finite", **changed: Any) -> CandidateRecord:
        empty = {"x": np.inf, "x_se": np.inf, "mdl": np.inf, "complexity": np.inf, "train_r2": -np.inf}
        rest = {"parameters": {}, "cuts": (), "x_boot": np.zeros(0), "valid": False, "at_bounds": ()}
        return record(k, **{**empty, **rest, "failure": Failure(reason, f"detail of {k}"), **changed})

    return _failed


@pytest.fixture
def equal() -> Callable[[CandidateRecord, CandidateRecord], None]:
    """Assert that two records are the same, bit for bit in every array."""

    def _equal(a: CandidateRecord, b: CandidateRecord) -> None:
        for name in CandidateRecord.__dataclass_fields__:
            if name != "evaluation":
                assert getattr(a, name) == getattr(b, name), name
        e, f = a.evaluation, b.evaluation
        for name in Evaluation.__dataclass_fields__:
            mine, theirs = getattr(e, name), getattr(f, name)
            if name == "parameters":
                assert list(mine) == list(theirs)
                for key in mine:
                    assert mine[key].shape == theirs[key].shape
                    assert mine[key].tobytes() == theirs[key].tobytes(), key
            elif name == "x_boot":
                assert mine.tobytes() == theirs.tobytes()
            else:
                assert repr(mine) == repr(theirs), name

    return _equal
