"""A discovered law as something else: a JSON document, a Python file, SymPy source, LaTeX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sldagent.errors import ExportError
from sldagent.export.document import check_document, document_parameters, law_document, read_law_document

__all__ = [
    "FORMATS",
    "check_document",
    "document_parameters",
    "export_law",
    "law_document",
    "read_law_document",
]

FORMATS = ("python", "json", "latex", "sympy")


def export_law(document: Mapping[str, Any], format: str) -> str:
    """The text of a law document (see `sldagent.export.document`) in one of `FORMATS`.

    Raises ExportError for an unknown format or a document that is not complete.
    """
    if format == "python":
        from sldagent.export.python import python_source

        return python_source(document)
    if format == "json":
        check_document(document, "the law")
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if format in ("latex", "sympy"):
        from sldagent.export.symbolic import latex_source, sympy_source

        return latex_source(document) if format == "latex" else sympy_source(document)
    raise ExportError(f"unknown format '{format}'; choose one of {', '.join(FORMATS)}")
