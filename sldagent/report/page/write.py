"""Pages and figures as files, each written whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from sldagent.errors import ExportError
from sldagent.export.files import write_text, write_whole
from sldagent.report.figures.files import FORMATS, encoded
from sldagent.report.page.blocks import Page
from sldagent.report.page.html import page_html
from sldagent.report.page.markdown import page_markdown

Format = Literal["html", "md"]


def write_page(page: Page, path: Path, form: Format) -> list[Path]:
    """Write the page; the files written, the page first.

    Markdown gets its figures as SVG files in the folder ``NAME_figures`` beside it.  Everything is drawn before the first
    file is touched.  Raises ExportError where a file or its folder cannot be written.
    """
    check_place(path)
    if form == "html":
        write_text(page_html(page), path)
        return [path]
    folder = path.with_name(path.stem + "_figures")
    files = {p.name: f"{folder.name}/{p.name}.svg" for p in page.pictures()}
    text = page_markdown(page, files)
    written = write_figures(page, folder, "svg") if files else []
    write_text(text, path)
    return [path, *written]


def write_figures(page: Page, folder: Path, form: str) -> list[Path]:
    """Write every figure of the page into a folder, which is made where it is missing; the files written.

    Raises ExportError where it cannot be, or the format is none of `FORMATS`.
    """
    if form not in FORMATS:
        raise ExportError(f"figures are written as {', '.join(FORMATS)}, not as '{form}'")
    check_folder(folder)
    drawn = {f"{p.name}.{form}": encoded(p.plot.figure(), form) for p in page.pictures()}
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        for name, data in drawn.items():
            write_whole(folder / name, lambda place, data=data: place.write_bytes(data))  # type: ignore[misc]
    except (OSError, ExportError) as error:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, ExportError):
            raise
        raise ExportError(f"cannot write into '{folder}': {error.strerror or error}; choose another folder") from None
    return [folder / name for name in drawn]


def check_place(path: Path) -> None:
    """Raises ExportError where no file can be put at `path`: better before a minute's work than after it."""
    if path.is_dir():
        raise ExportError(f"cannot write '{path}': it is a folder; name a file in it with -o")
    if not path.parent.is_dir():
        raise ExportError(f"cannot write '{path}': there is no folder '{path.parent}'; make it first, or name another")


def check_folder(folder: Path) -> None:
    """The same for a folder of figures."""
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"cannot write figures into '{folder}': it is a file; name a folder")
    if not folder.exists() and not folder.absolute().parent.is_dir():
        raise ExportError(f"cannot make the folder '{folder}': there is no folder '{folder.parent}'; make it first")
