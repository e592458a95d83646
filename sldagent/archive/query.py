"""Questions in SQL, by users: one statement, and nothing it can change.

On SQLite the statement runs on a connection of its own that is opened read-only, told so by ``PRAGMA
query_only``, and watched by an authorizer that allows reading and nothing else.  On PostgreSQL it runs in a
read-only transaction, through the protocol that takes a single statement.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from sldagent.archive.engine import Address, sqlite_uri
from sldagent.archive.models import VIEWS, Base
from sldagent.archive.trouble import explained
from sldagent.errors import ArchiveError
from sldagent.resources import shipped

_READS = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE))
_PRAGMAS = frozenset(("table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"))
_STEPS = 100_000
"""Virtual-machine steps between two chances for Ctrl-C and two looks at the clock."""

_FIRST_WORDS = frozenset(("select", "with", "values", "table", "explain", "show"))

_TOKENS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | :: | :([A-Za-z_]\w*)""", re.DOTALL | re.VERBOSE
)
"""What may hold a colon that is no placeholder, or else a placeholder with its name."""

Answer = tuple[list[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Limits:
    """What one question may take; None: no limit."""

    seconds: float | None = None
    """Of time; a question that takes longer is given up."""
    rows: int | None = None
    """Of rows; further ones are left out."""
    value_bytes: int | None = None
    """Of any one value on the way (SQLite): a bound on the memory that one function can ask for."""


UNLIMITED = Limits()


@dataclass(frozen=True)
class NamedQuery:
    """A question that ships with the archive."""

    name: str
    description: str
    sql: str
    parameters: tuple[str, ...]
    """Names of its bind parameters: ``run``, ``law``."""


def named_queries() -> dict[str, NamedQuery]:
    """The queries in ``archive/queries``, by name."""
    found = {}
    for file in sorted((shipped("archive") / "queries").glob("*.sql")):
        content = file.read_text(encoding="utf-8")
        first = content.split("\n", 1)[0]
        if not first.startswith("-- "):
            raise ArchiveError(f"the named query {file.name} does not begin with a line '-- description'")
        parameters = tuple(dict.fromkeys(_placeholders(content)))
        found[file.stem] = NamedQuery(file.stem, first[3:].strip(), content, parameters)
    return found


def ask(
    address: Address, engine: Engine, sql: str, parameters: Mapping[str, Any], limits: Limits = UNLIMITED
) -> Answer:
    """(column names, rows) of one reading statement; raises ArchiveError for any other, and past a limit in seconds."""
    if not re.sub(r"--[^\n]*|/\*.*?\*/|[\s;]", "", sql, flags=re.DOTALL):
        raise ArchiveError('the query is empty; try "SELECT * FROM pareto_front"')
    if address.file is not None:
        return _ask_sqlite(address.file, sql, parameters, limits)
    return _ask_postgres(engine, address.place, sql, parameters, limits)


def _authorize(action: int, first: str | None, second: str | None, schema: str | None, inner: str | None) -> int:
    if action in _READS or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _ask_sqlite(file: Path, sql: str, parameters: Mapping[str, Any], limits: Limits) -> Answer:
    with explained(str(file), "open it"):
        connection = sqlite3.connect(sqlite_uri(file, "ro"), uri=True, timeout=10.0, isolation_level=None)
    try:
        with explained(str(file), "read it"):
            connection.execute("PRAGMA query_only = ON")
            connection.set_authorizer(_authorize)
            end = None if limits.seconds is None else time.monotonic() + limits.seconds
            connection.set_progress_handler(lambda: int(end is not None and time.monotonic() > end), _STEPS)
            if limits.value_bytes is not None:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.value_bytes)
        try:
            cursor = connection.execute(sql, dict(parameters))
            rows = cursor.fetchall() if limits.rows is None else cursor.fetchmany(limits.rows)
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            raise ArchiveError(_mistake(str(error), str(file), error, limits)) from error
        if cursor.description is None:
            raise ArchiveError("the query gives no rows: only reading is possible here, with SELECT")
        return [column[0] for column in cursor.description], rows
    finally:
        connection.close()


def _ask_postgres(engine: Engine, place: str, sql: str, parameters: Mapping[str, Any], limits: Limits) -> Answer:
    needed = _placeholders(sql)
    missing = [name for name in needed if name not in parameters]
    if missing:
        raise ArchiveError(f"the query needs a value for :{missing[0]}")
    # A read-only transaction allows some statements that do more than read, COPY ... TO PROGRAM among them.
    first = re.sub(r"--[^\n]*|/\*.*?\*/|[\s;(]", " ", sql, flags=re.DOTALL).split()[0].lower()
    if first not in _FIRST_WORDS:
        raise ArchiveError(f"the query begins with {first.upper()!r}; only reading is possible here, with SELECT")
    with explained(place, "read it"):
        pooled = engine.raw_connection()
    try:
        driver: Any = pooled.driver_connection
        driver.read_only = True
        try:
            cursor = driver.cursor()
            if limits.seconds is not None:
                cursor.execute(f"SET LOCAL statement_timeout = {max(1, round(1000 * limits.seconds))}")
            return _answer(cursor, _in_driver_style(sql), {name: parameters[name] for name in needed}, limits)
        except (driver_errors(engine), SQLAlchemyError) as error:
            raise ArchiveError(_mistake(str(error), place, error, limits)) from error
        finally:
            driver.rollback()
            driver.read_only = None
    finally:
        pooled.close()


def _answer(cursor: Any, sql: str, values: Mapping[str, Any], limits: Limits) -> Answer:
    """What PostgreSQL's cursor brings.  Either way sends the text by the extended protocol, which refuses a second
    statement."""
    rows: list[tuple[Any, ...]]
    if limits.rows is None:
        cursor.execute(sql, values, prepare=True)
        rows = cursor.fetchall() if cursor.description is not None else []
    else:  # row by row: a large answer never comes here whole, and the rest of it is cancelled
        stream = cursor.stream(sql, values)
        rows = list(itertools.islice(stream, limits.rows))
        columns = cursor.description
        stream.close()
        if columns is not None:
            return [column.name for column in columns], rows
    if cursor.description is None:
        raise ArchiveError("the query gives no rows: only reading is possible here, with SELECT")
    return [column.name for column in cursor.description], rows


def _placeholders(sql: str) -> list[str]:
    """Names of the ``:name`` placeholders outside quotes and comments, in order."""
    return [found[1] for found in _TOKENS.finditer(sql) if found[1]]


def _in_driver_style(sql: str) -> str:
    """The statement with ``%(name)s`` for ``:name``, and every other per cent sign doubled."""
    return _TOKENS.sub(lambda found: f"%({found[1]})s" if found[1] else found[0], sql.replace("%", "%%"))


def driver_errors(engine: Engine) -> type[Exception]:
    """The root of the driver's own errors."""
    found: type[Exception] = engine.dialect.loaded_dbapi.Error
    return found


def _mistake(message: str, place: str, error: Exception, limits: Limits) -> str:
    """One sentence for a query that did not run."""
    reason = (message.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    lowered = reason.lower()
    if any(mark in lowered for mark in ("not authorized", "authorization denied", "prohibited", "readonly", "read-only")):
        return f"the query does more than read ({reason}); only reading is possible here, with SELECT"
    if limits.seconds is not None and ("interrupted" in lowered or "statement timeout" in lowered):
        return f"the query took longer than {limits.seconds:g} s and was given up; ask for less, or use 'sldagent sql'"
    if limits.value_bytes is not None and "too big" in lowered:
        return f"the query makes a value larger than {limits.value_bytes:,} bytes; ask for less, or use 'sldagent sql'"
    if "one statement at a time" in lowered or "multiple commands" in lowered:
        return "the query holds more than one statement; ask one at a time"
    unbound = re.search(r"did not supply a value for binding (?:parameter )?:?(\w+)", reason)
    if unbound:
        return f"the query needs a value for :{unbound[1]}"
    if "malformed" in lowered or "not a database" in lowered or "disk i/o" in lowered:
        return f"the archive {place} is damaged: the query could not read it ({reason})"
    return f"the query does not work: {reason}{_near(reason)}"


def _near(reason: str) -> str:
    """A hint when a table's name was misspelt."""
    missing = re.search(r"no such table: (?:\w+\.)?(\w+)|relation \"(\w+)\" does not exist", reason)
    if missing is None:
        return ""
    tables = sorted([*Base.metadata.tables, *VIEWS.tables])
    near = get_close_matches(missing[1] or missing[2], tables, n=1)
    return f"; did you mean {near[0]}?" if near else f"; the tables are {', '.join(tables)}"
