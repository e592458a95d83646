"""Connections: addresses, SQLite's settings and real transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from sldagent.errors import ArchiveError

LOCK_SECONDS = 10.0
"""How long a writer waits for another one before it gives up."""


_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""PostgreSQL: a server that vanished without a word is noticed within half a minute (seconds; milliseconds)."""

_SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@dataclass(frozen=True)
class Address:
    """Where an archive is."""

    url: URL
    file: Path | None
    """The SQLite file; None for PostgreSQL."""

    @property
    def place(self) -> str:
        """How messages name it; never shows a password."""
        return str(self.file) if self.file is not None else self.url.render_as_string(hide_password=True)


def parse_address(text: str) -> Address:
    """An address from ``sqlite:///FILE``, ``postgresql://...`` or a plain file name.  Raises ArchiveError."""
    if not text.strip():
        raise ArchiveError("the archive's address is empty; write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    if "://" not in text:
        return Address(URL.create("sqlite", database=text), Path(text))
    try:
        url = make_url(text)
        kind = url.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise ArchiveError(f"{text!r} is not an archive's address; write sqlite:///FILE or postgresql://...") from error
    if kind == "sqlite":
        name = url.database or ""
        if name in ("", ":memory:") or name.startswith("file:"):
            raise ArchiveError(f"an archive needs a file, and {text!r} names none; write sqlite:///FILE")
        if url.query:
            raise ArchiveError(f"an SQLite archive's address takes no options; leave out everything after '?' in {text!r}")
        return Address(url, Path(name))
    if kind in ("postgresql", "postgres"):
        return Address(url.set(drivername="postgresql+psycopg"), None)
    raise ArchiveError(f"an archive cannot live in {kind!r}; write sqlite:///FILE or postgresql://USER@HOST/DATABASE")


def check_file(address: Address, *, read_only: bool, create: bool) -> None:
    """Refuse a file that cannot be used, before SQLite says so in fewer words.  Raises ArchiveError."""
    file = address.file
    if file is None:
        return
    try:
        folder = file.is_dir()
    except PermissionError:
        raise ArchiveError(f"the archive {file} cannot be reached; check its folders' permissions") from None
    if folder:
        raise ArchiveError(f"{file} is a folder; an archive is a file, such as sqlite:///{file / 'sldagent.db'}")
    if not file.exists():
        if read_only or not create:
            raise ArchiveError(f"there is no archive at {file}; a discovery makes one, or name another with --archive")
        if not file.parent.is_dir():
            raise ArchiveError(
                f"the archive {file} cannot be made: its folder {file.parent} does not exist; create it first"
            )
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise ArchiveError(f"the archive {file} cannot be made: its folder {file.parent} is not writable; name another")
        return
    if not os.access(file, os.R_OK):
        raise ArchiveError(f"the archive {file} cannot be read; check the file's permissions")
    if not read_only and not os.access(file, os.W_OK):
        raise ArchiveError(f"the archive {file} cannot be written; check the file's permissions, or name another archive")


def sqlite_uri(file: Path, mode: str) -> str:
    """URI of a file for `sqlite3.connect`, whatever characters its path has."""
    uri = f"{file.resolve().as_uri()}?mode={mode}"
    if mode == "ro" and not os.access(file.parent, os.W_OK) and not Path(f"{file}-wal").exists():
        # Reading a WAL database makes a shared-memory file beside it; where that is impossible, and no log
        # waits to be replayed, the file cannot be changing either.
        uri += "&immutable=1"
    return uri


def make_engine(address: Address, *, read_only: bool, timeout: float = LOCK_SECONDS) -> Engine:
    """An engine whose ``begin()`` takes the write lock at once, or a read snapshot when `read_only`.

    `timeout`, in seconds, bounds the wait for a lock (SQLite) or for an answer to a try to connect (PostgreSQL).
    Raises ArchiveError when the driver is not installed.
    """
    if address.file is None:
        try:
            engine = create_engine(
                address.url, connect_args={"connect_timeout": max(2, int(timeout)), **_ALIVE}, pool_pre_ping=True
            )
        except ModuleNotFoundError as error:
            raise ArchiveError(
                f"archives on PostgreSQL need the package {error.name}; install sldagent with its 'postgres' extra"
            ) from error
        return engine.execution_options(postgresql_readonly=True) if read_only else engine
    return _sqlite_engine(address.file, read_only=read_only, timeout=timeout)


def _sqlite_engine(file: Path, *, read_only: bool, timeout: float) -> Engine:
    uri = sqlite_uri(file, "ro" if read_only else "rwc")

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver opens no transaction of its own; `begin` below opens every one.
        connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if read_only:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that first reads and then writes fails at once when another writer came
        # between, without waiting; an immediate one waits for its turn.
        options: dict[str, Any] = dict(connection.get_execution_options())
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed when the block ends, rolled back when it raises."""
    with engine.execution_options(write=True).begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent snapshot."""
    options = _SNAPSHOT if engine.dialect.name == "postgresql" else {}
    with engine.execution_options(**options).begin() as connection:
        yield connection
