"""Figures as text and files: SVG to put into a page, and PNG, SVG and PDF to keep."""

from __future__ import annotations

import io
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sldagent.export.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["svg", "png", "pdf"]
FORMATS: tuple[str, ...] = get_args(Format)
DPI = 160
"""Dots per inch of PNG files."""
_NAMESPACE = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_turn = threading.Lock()
"""matplotlib's settings belong to the whole process."""


def svg(figure: Figure, *, prefix: str = "", alt: str = "") -> str:
    """An ``<svg>`` element to put into a page: it scales with its place, and names nothing outside of itself.

    Args:
        prefix: begins every id in it, so that several figures can stand in one page.
        alt: what there is to see, in words, for screen readers.

    Every text in it is escaped, so a hostile name in the data is no more than text.
    """
    root = ET.fromstring(encoded(figure, "svg", salt=prefix, transparent=True))
    for metadata in root.findall(f"{{{_NAMESPACE}}}metadata"):
        root.remove(metadata)
    for place in root.findall(f"{{{_NAMESPACE}}}defs"):
        for style in place.findall(f"{{{_NAMESPACE}}}style"):
            place.remove(style)  # it would hold for the whole page
    root.set("stroke-linejoin", "round")
    _own_ids(root, prefix)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    if alt:
        title = ET.Element(f"{{{_NAMESPACE}}}title")
        title.text = "".join(c for c in alt if c.isprintable())
        root.insert(0, title)
    ET.register_namespace("", _NAMESPACE)
    return ET.tostring(root, encoding="unicode")


def _own_ids(root: ET.Element, prefix: str) -> None:
    """Keep the ids that something refers to, and those given to groups by name, with the prefix; drop the others."""
    text = "".join(f"{value} " for e in root.iter() for name, value in e.attrib.items() if name != "id")
    for e in root.iter():
        link = e.attrib.pop(_LINK, None)
        if link is not None:
            e.set("href", f"#{prefix}{link[1:]}" if link.startswith("#") else link)
        own = e.attrib.pop("id", None)
        if own is not None and f"#{own}" in text:
            e.set("id", prefix + own)
        elif own is not None and own.startswith(("law-", "interval-", "training-rows")):
            e.set("class", own)
        for name, value in list(e.attrib.items()):
            if "url(#" in value:
                e.set(name, value.replace("url(#", f"url(#{prefix}"))


def save(figure: Figure, path: Path, form: str | None = None) -> Path:
    """Write the figure; its format is `form`, else what the path's ending says.

    Raises ExportError where the file cannot be written, or the format is none of `FORMATS`; nothing is left half written.
    """
    from sldagent.errors import ExportError

    kind = form or path.suffix.lstrip(".").lower()
    if kind not in FORMATS:
        raise ExportError(f"'{path}': figures are written as {', '.join(FORMATS)}; end the file's name in one of these")
    data = encoded(figure, kind)
    write_whole(path, lambda place: place.write_bytes(data))
    return path


def encoded(figure: Figure, form: str, dpi: int = DPI, *, salt: str = "", transparent: bool = False) -> bytes:
    """The figure as a file's contents, the same bytes for the same figure.

    Text stays text: it can be searched, selected and read aloud, in SVG and PDF alike.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
    with _turn, rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": salt or "sldagent"}):
        figure.savefig(buffer, format=form, dpi=dpi, metadata=dates, transparent=transparent)
    return buffer.getvalue() if form != "png" else _without_transparency(buffer)


def _without_transparency(png: io.BytesIO) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.open(png).convert("RGB").save(out, format="png", optimize=True)
    return out.getvalue()
