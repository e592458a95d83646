"""The schema's version: making a new archive, checking an old one, upgrading it.

The migrations are in the top-level ``archive/`` folder.  An archive is only ever changed by `upgrade`, on
request.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect, text

from sldagent.archive.engine import Address, check_file, make_engine, parse_address, reading, writing
from sldagent.archive.trouble import explained
from sldagent.errors import ArchiveError
from sldagent.resources import shipped

HEAD = "0007"
"""The version that this release reads and writes (equal to the newest migration; tested)."""

VERSION_TABLE = "archive_version"

_CREATION_LOCK = 0x534C4441
"""PostgreSQL advisory lock that two processes making the same archive queue for."""


def version(connection: Connection) -> str | None:
    """The archive's version; None for an empty database.  Raises ArchiveError for somebody else's
    database."""
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        if tables and connection.dialect.name == "sqlite":
            raise ArchiveError("it is a database of another program, not an archive; name another with --archive")
        if "candidate" in tables or "run" in tables:
            raise ArchiveError("its database holds tables of another program; give the archive a database of its own")
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
    if len(found) != 1:
        raise ArchiveError("its version is not recorded, so it is damaged or its creation was cut off; name another file")
    return str(found[0])


def ensure_current(engine: Engine, address: Address, *, create: bool) -> None:
    """Check that the archive has this release's version; make its tables when it is empty and `create` is
    set.

    Raises ArchiveError for an older, newer or foreign database, naming the version and the way out.
    """
    place = address.place
    with explained(place, "open it"):
        with reading(engine) as connection:
            found = _version_at(connection, place)
        if found is None:
            if not create:
                raise ArchiveError(f"{place} is empty, not an archive; a discovery makes one")
            with writing(engine) as connection:
                _queue_for_creation(connection)
                found = _version_at(connection, place)
                if found is None:
                    _migrate(connection)
                    found = HEAD
    if found != HEAD:
        raise ArchiveError(_other_version(place, found))


def upgrade(url: str) -> tuple[str, str]:
    """Bring an older archive to this release's version, in one transaction; (version before, version after).

    Raises ArchiveError when there is no archive, or it is newer than this release.
    """
    address = parse_address(url)
    check_file(address, read_only=False, create=False)
    engine = make_engine(address, read_only=False)
    try:
        with explained(address.place, "upgrade it"), writing(engine) as connection:
            _queue_for_creation(connection)
            found = _version_at(connection, address.place)
            if found is None:
                raise ArchiveError(f"{address.place} is empty, not an archive; a discovery makes one")
            if found not in known_versions():
                raise ArchiveError(_other_version(address.place, found))
            if found != HEAD:
                _migrate(connection)
            return found, HEAD
    finally:
        engine.dispose()


def known_versions() -> tuple[str, ...]:
    """All versions that this release knows, oldest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(shipped("archive")))
    return tuple(reversed([script.revision for script in scripts.walk_revisions()]))


def _version_at(connection: Connection, place: str) -> str | None:
    try:
        return version(connection)
    except ArchiveError as error:
        raise ArchiveError(f"{place} cannot be used: {error}") from error


def _other_version(place: str, found: str) -> str:
    if found in known_versions():
        return (
            f"the archive {place} has version {found} and this release uses {HEAD}; "
            f"keep a copy of it, then run `sldagent archive upgrade --archive {place}`, or name another with --archive"
        )
    return (
        f"the archive {place} has version {found}, which this release (version {HEAD}) does not know; "
        "use the newer sldagent that made it, or name another with --archive"
    )


def _queue_for_creation(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})


def _migrate(connection: Connection) -> None:
    """Run every migration that is missing, inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(shipped("archive")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    command.upgrade(config, "head")
