"""The archive that is shown: opened once, and again where its file was replaced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from sldagent.archive.engine import parse_address
from sldagent.archive.store import Archive
from sldagent.archive.watch import Watcher
from sldagent.errors import ArchiveError

FileMark = tuple[int, int]


@dataclass(frozen=True)
class Opened:
    """An archive, and what looks at its runs."""

    archive: Archive
    watcher: Watcher
    mark: FileMark | None
    """Tells its file from another one at the same place."""


class Source:
    """Gives the archive to every request.  Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Raises ArchiveError where there is no archive, or none that this release can read."""
        self._url = url
        self._file = parse_address(url).file
        self._lock = Lock()
        self._opened: Opened | None = self._open()

    @property
    def place(self) -> str:
        """Where the archive is, without a password."""
        return parse_address(self._url).place

    def get(self) -> Opened:
        """The archive as it is now.  Raises ArchiveError where it is gone, or another one that cannot be read."""
        with self._lock:
            if self._opened is not None and self._opened.mark != _mark(self._file):
                self._opened.archive.close()
                self._opened = None
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._opened is not None:
                self._opened.archive.close()
                self._opened = None

    def _open(self) -> Opened:
        mark = _mark(self._file)
        archive = Archive.open(self._url, read_only=True)
        return Opened(archive, archive.watcher(), mark)


def _mark(file: Path | None) -> FileMark | None:
    if file is None:
        return None
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArchiveError(f"the archive {file} cannot be read ({error.strerror or error})") from error
    return found.st_dev, found.st_ino
