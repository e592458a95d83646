"""Program files that a run was given: what goes in comes out, and an archive from before them can be upgraded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config

from sldagent.archive import migrate
from sldagent.archive.engine import make_engine, parse_address, writing
from sldagent.archive.records import ReferenceRecord
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
from sldagent.evaluation.result import CutScore, Failure
from sldagent.resources import shipped

GIVEN = (
    ReferenceRecord(
        name="given.py", source="def scaling_law_func(x, p): ...", x=-3.25, x_se=0.5, train_r2=0.75, scalars=4,
        cuts=(CutScore("N top", "N", "loss", 3, -1.5, -2.5), CutScore("D top", "D", "loss", 4, np.inf, -2.0)),
        translation="it sorts its rows", checks=("parameters", "repeat"), findings=("line 1: imports time",),
        layers={"safe": True, "active": ["seccomp"]}, feedback="[untrusted] 7", seconds=1.5,
    ),
    ReferenceRecord(name="broken.py", source="def", failure=Failure("parse", "line 1: not valid Python")),
)  # fmt: skip


def test_round_trip(archive: Archive, start: Any) -> None:
    run = start(archive, reference_programs=GIVEN)
    assert archive.references(run) == list(GIVEN)
    assert archive.query("SELECT name FROM reference WHERE x < 0")[1] == [("given.py",)]
    assert archive.front(run) == []


def test_nobody_changes_them(archive: Archive, url: str, start: Any) -> None:
    start(archive, reference_programs=GIVEN)
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    engine = make_engine(parse_address(url), read_only=False)
    for sql in ("UPDATE reference SET x = 0", "DELETE FROM reference_cut"):
        with pytest.raises(DBAPIError, match="immutable"), writing(engine) as connection:
            connection.execute(text(sql))
    engine.dispose()


def test_an_archive_from_before_is_upgraded(url: str, archive: Archive, start: Any, record: Any, equal: Any) -> None:
    run = start(archive)
    archive.commit(run, [record(0)])
    archive.finish_run(
        run, status="complete", choice=0, shortlist=(0,), reason="", candidates=1, failures=0, seconds=1.0
    )
    archive.close()
    engine = make_engine(parse_address(url), read_only=False)
    with writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(shipped("archive")))
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, version_table=migrate.VERSION_TABLE)
        command.downgrade(config, "0001")
    engine.dispose()
    with pytest.raises(ArchiveError, match="version 0001"):
        Archive.open(url)
    assert migrate.upgrade(url) == ("0001", migrate.HEAD)
    with Archive.open(url) as again:
        (found,) = again.candidates(run)
        equal(found, record(0))
        assert found.evaluation.fitted_by == "engine"
        assert again.references(run) == []
        assert [law.k for law in again.front(run)] == [0]


def test_who_fitted_a_candidate_is_kept(archive: Archive, start: Any, record: Any, equal: Any) -> None:
    run = start(archive)
    given = record(0, fitted_by="custom+polish", feedback="[untrusted output of the program]\nhello")
    archive.commit(run, [given])
    (found,) = archive.candidates(run)
    equal(found, given)
