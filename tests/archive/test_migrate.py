"""The schema: what the migrations make is what the models say, and upgrading goes through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from sldagent.archive import migrate
from sldagent.archive.engine import make_engine, parse_address, reading, writing
from sldagent.archive.models import VIEWS, Base
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
from sldagent.resources import shipped


def test_the_newest_version_is_this_releases() -> None:
    assert migrate.known_versions()[-1] == migrate.HEAD
    assert len(set(migrate.known_versions())) == len(migrate.known_versions())


def test_models_and_migrations_agree(url: str, archive: Archive) -> None:
    engine = make_engine(parse_address(url), read_only=False)
    with reading(engine) as connection:
        options = {"version_table": migrate.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        found = inspect(connection)
        assert set(found.get_view_names()) >= set(VIEWS.tables)
        for name, table in VIEWS.tables.items():
            assert [column["name"] for column in found.get_columns(name)] == [column.name for column in table.columns]
        for name, table in Base.metadata.tables.items():
            assert found.get_pk_constraint(name)["constrained_columns"] == [c.name for c in table.primary_key]
    engine.dispose()


def test_upgrading_a_current_archive_changes_nothing(url: str, archive: Archive) -> None:
    assert migrate.upgrade(url) == (migrate.HEAD, migrate.HEAD)


def test_upgrading_nothing(file: Path) -> None:
    with pytest.raises(ArchiveError, match="no archive at"):
        migrate.upgrade(f"sqlite:///{file}")
    file.touch()
    with pytest.raises(ArchiveError, match="is empty"):
        migrate.upgrade(f"sqlite:///{file}")


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release with one more migration, which adds a column or fails on request."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for path in (shipped("archive") / "env.py", *(shipped("archive") / "versions").glob("*.py")):
        (folder / path.relative_to(shipped("archive"))).write_text(path.read_text())
    (folder / "versions" / "9999_more.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9999'\ndown_revision = '{migrate.HEAD}'\nbranch_labels = None\ndepends_on = None\n"
        "def upgrade():\n    op.add_column('run', sa.Column('place', sa.Text()))\n    op.execute('SELECT 1')\n"
    )
    monkeypatch.setattr(migrate, "shipped", lambda name: folder)
    return folder


def columns(file: Path) -> list[str]:
    engine = make_engine(parse_address(str(file)), read_only=True)
    with reading(engine) as connection:
        names = [str(column["name"]) for column in inspect(connection).get_columns("run")]
    engine.dispose()
    return names


def test_an_older_archive_is_upgraded_on_request_only(
    file: Path, newer: Path, monkeypatch: pytest.MonkeyPatch, start: Any
) -> None:
    before = migrate.HEAD
    with monkeypatch.context() as today:
        today.setattr(migrate, "shipped", shipped)
        with Archive.open(str(file)) as archive:
            start(archive, "old-1")
    monkeypatch.setattr(migrate, "HEAD", "9999")
    with pytest.raises(ArchiveError, match=f"version {before} and this release uses 9999"):
        Archive.open(str(file))
    assert "place" not in columns(file)
    assert migrate.upgrade(str(file)) == (before, "9999")
    assert "place" in columns(file)
    with Archive.open(str(file)) as archive:
        assert archive.query("SELECT run, place FROM run")[1] == [("old-1", None)]


def test_an_upgrade_that_fails_changes_nothing(file: Path, newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = migrate.HEAD
    with monkeypatch.context() as today:
        today.setattr(migrate, "shipped", shipped)
        Archive.open(str(file)).close()
    script = newer / "versions" / "9999_more.py"
    script.write_text(script.read_text().replace("SELECT 1", "SELECT broken FROM nowhere"))
    monkeypatch.setattr(migrate, "HEAD", "9999")
    with pytest.raises(ArchiveError, match="nowhere"):
        migrate.upgrade(str(file))
    assert "place" not in columns(file)
    monkeypatch.setattr(migrate, "HEAD", before)
    Archive.open(str(file), create=False).close()


def test_a_creation_that_fails_leaves_an_empty_database(file: Path, newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = newer / "versions" / "9999_more.py"
    script.write_text(script.read_text().replace("SELECT 1", "SELECT broken FROM nowhere"))
    with pytest.raises(ArchiveError, match="nowhere"):
        Archive.open(str(file))
    monkeypatch.setattr(migrate, "shipped", shipped)
    with Archive.open(str(file)) as archive:
        assert archive.runs() == []


def test_two_makers_of_one_archive(url: str) -> None:
    """The second finds the tables made when its turn comes."""
    with Archive.open(url), Archive.open(url) as second:
        assert second.runs() == []


def test_downgrade_removes_everything(url: str, archive: Archive) -> None:
    engine = make_engine(parse_address(url), read_only=False)
    with writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(shipped("archive")))
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, version_table=migrate.VERSION_TABLE)
        command.downgrade(config, "base")
        assert set(inspect(connection).get_table_names()) == {migrate.VERSION_TABLE}
        assert connection.execute(text(f"SELECT COUNT(*) FROM {migrate.VERSION_TABLE}")).scalar_one() == 0
    engine.dispose()
