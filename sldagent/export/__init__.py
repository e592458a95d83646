"""A discovered law as something else: a JSON document, a file for numpy, JAX or PyTorch, SymPy, LaTeX, Typst, a package."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sldagent.errors import ExportError
from sldagent.export.document import check_document, document_parameters, law_document, read_law_document

__all__ = [
    "ENDINGS",
    "FORMATS",
    "check_document",
    "document_parameters",
    "export_law",
    "law_document",
    "read_law_document",
]

ENDINGS = {".py": "python", ".json": "json", ".tex": "latex", ".typ": "typst"}
"""The format that a file's ending names."""


def export_law(document: Mapping[str, Any], format: str) -> str:
    """The text of a law document (see `sldagent.export.document`) in one of `FORMATS`.

    Raises ExportError for an unknown format or a document that is not complete.
    """
    if format not in _WRITERS:
        raise ExportError(f"unknown format '{format}'; choose one of {', '.join(FORMATS)}")
    return _WRITERS[format](document)


def _python(document: Mapping[str, Any]) -> str:
    from sldagent.export.python import python_source

    return python_source(document)


def _jax(document: Mapping[str, Any]) -> str:
    from sldagent.export.flavours import JAX
    from sldagent.export.python import python_source

    return python_source(document, JAX)


def _torch(document: Mapping[str, Any]) -> str:
    from sldagent.export.flavours import TORCH
    from sldagent.export.python import python_source

    return python_source(document, TORCH)


def _json(document: Mapping[str, Any]) -> str:
    check_document(document, "the law")
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _sympy(document: Mapping[str, Any]) -> str:
    from sldagent.export.symbolic import sympy_source

    return sympy_source(document)


def _latex(document: Mapping[str, Any]) -> str:
    from sldagent.export.typeset import latex_source

    return latex_source(document)


def _typst(document: Mapping[str, Any]) -> str:
    from sldagent.export.typeset import typst_source

    return typst_source(document)


_WRITERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "python": _python,
    "jax": _jax,
    "torch": _torch,
    "json": _json,
    "sympy": _sympy,
    "latex": _latex,
    "typst": _typst,
}
FORMATS = tuple(_WRITERS)
"""Formats of one file; a package (`sldagent.export.package`) is a folder."""
