"""What can go wrong with a database, as one clear sentence each."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from sldagent.errors import ArchiveError, ArchiveUnavailable

_SENTENCES = (
    (
        "not a database",
        "{place} is not an SQLite database, so it is no archive; name another file with --archive",
    ),
    (
        "malformed",
        "the archive {place} is damaged; salvage what is readable with the sqlite3 command `.recover`, "
        "or restore a copy, or start a new archive with --archive",
    ),
    (
        "locked",
        "the archive {place} is locked by another process; wait until that has finished and try again",
    ),
    ("busy", "the archive {place} is locked by another process; wait until that has finished and try again"),
    (
        "disk is full",
        "no space left to {action} in the archive {place}; everything committed before is safe: "
        "free some space or name an archive on another disk with --archive",
    ),
    (
        "disk i/o error",
        "the disk refused to {action} in the archive {place}; everything committed before is safe: "
        "check the disk's space, quota and health",
    ),
    (
        "readonly database",
        "the archive {place} cannot be written; check the permissions of the file and its folder",
    ),
    (
        "unable to open database file",
        "the archive {place} cannot be opened; check that its folder exists and is writable",
    ),
    (
        "password authentication failed",
        "the server of the archive {place} refuses the user or the password; correct them in --archive, "
        "or put the password into PGPASSWORD or a .pgpass file",
    ),
    ("no password supplied", "the server of the archive {place} wants a password; put it into PGPASSWORD or a .pgpass file"),
    ("no pg_hba.conf entry", "the server of the archive {place} lets nobody in from here ({reason}); ask its administrator"),
    (
        "permission denied for",
        "the database user of the archive {place} may not {action} ({reason}); ask the archive's owner for the right, "
        "or only read",
    ),
    (
        "nul (0x00) bytes",
        "a text holds a NUL character, which PostgreSQL cannot store, so nothing could {action} in the archive {place}",
    ),
    ("are immutable", "finished candidates cannot be changed: the archive {place} refused to {action}"),
    (
        "no such table",
        "the archive {place} lacks a table ({reason}); it is damaged or was not made by sldagent",
    ),
    (
        "no such column",
        "the archive {place} lacks a column ({reason}); it is damaged or was not made by sldagent",
    ),
)


_UNKNOWN = re.compile(r'(database|role) "([^"]*)" does not exist')
_LOST = ("08", "57P01", "57P02", "57P03", "53300")
"""SQLSTATEs, or their beginnings, of a server that is away, ending, starting or full."""
_REFUSALS = (
    "password", "pg_hba.conf", "does not exist", "permission denied", "invalid connection option", "not permitted to log in",
)  # fmt: skip


def unreachable(error: BaseException) -> bool:
    """Whether the server could not be reached or went away; False where it answered and refused."""
    cause = _cause(error)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_LOST)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    told = str(cause).lower()
    if isinstance(cause, sqlite3.Error) or any(word in told for word in _REFUSALS):
        return False
    return type(cause).__name__ in ("OperationalError", "ConnectionTimeout") and "connection" in told


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def sentence(place: str, action: str, error: BaseException) -> str:
    """One sentence for a database error met while trying to `action` in the archive at `place`."""
    cause = _cause(error)
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")
    lowered = reason.lower()
    if unreachable(error):
        return (
            f"the archive {place} cannot be reached ({reason}); check that its server runs and that the address is right"
        )
    if unknown := _UNKNOWN.search(reason):
        return (
            f"the server of the archive {place} has no {unknown[1]} {unknown[2]!r}; create it (createdb, createuser) or "
            "correct the address in --archive"
        )
    for mark, text in _SENTENCES:
        if mark in lowered:
            return text.format(place=place, action=action, reason=reason)
    if isinstance(error, (IntegrityError, sqlite3.IntegrityError)):
        return f"the archive {place} refused to {action}, because a key is missing or already there ({reason})"
    return f"the archive {place} failed to {action} ({reason})"


@contextmanager
def explained(place: str, action: str) -> Iterator[None]:
    """Turn database errors inside the block into ArchiveError."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, sqlite3.Warning, OSError) as error:
        kind = ArchiveUnavailable if unreachable(error) else ArchiveError
        raise kind(sentence(place, action, error)) from error
    except UnicodeError as error:
        raise ArchiveError(f"a text holds characters that cannot be stored in the archive {place} ({error})") from error
    except OverflowError as error:
        raise ArchiveError(f"a number is too large for the archive {place} to {action} ({error})") from error
