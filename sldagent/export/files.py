"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sldagent.errors import ExportError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place; links are followed.

    A device or pipe is written directly: replacing it would destroy it.

    Raises ExportError where the file cannot be written; what stood there before is still there then.
    """
    if path.is_dir():
        raise ExportError(f"cannot write '{path}': it is a folder; name a file in it with -o")
    try:
        if path.exists() and not path.is_file():
            write(path)
            return
        place = Path(os.path.realpath(path))
        partial = place.with_name(place.name + ".part")
        try:
            write(partial)
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"cannot write '{path}': {error.strerror or error}; choose another file with -o") from None


def write_text(text: str, path: Path) -> None:
    """UTF-8 text; see `write_whole`."""
    write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))
