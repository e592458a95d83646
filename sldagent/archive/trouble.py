"""What can go wrong with a database, as one clear sentence each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from sldagent.errors import ArchiveError

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
        "connection",
        "the archive {place} cannot be reached ({reason}); check that its server runs and that the address is right",
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


def sentence(place: str, action: str, error: BaseException) -> str:
    """One sentence for a database error met while trying to `action` in the archive at `place`."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")
    lowered = reason.lower()
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
        raise ArchiveError(sentence(place, action, error)) from error
    except UnicodeError as error:
        raise ArchiveError(f"a text holds characters that cannot be stored in the archive {place} ({error})") from error
    except OverflowError as error:
        raise ArchiveError(f"a number is too large for the archive {place} to {action} ({error})") from error
