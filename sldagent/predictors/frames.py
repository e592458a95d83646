"""Table files as data frames whose index says where each row stands, so that messages can name it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sldagent.errors import PredictorError
from sldagent.tasks.read import read_table


def read_frame(path: Path, rows: str | None = None) -> pd.DataFrame:
    """The table in a file.

    Args:
        path: CSV or Parquet file.
        rows: ``COLUMN=VALUE`` to keep only the rows with this value; None for all.

    Raises:
        TableError: the file cannot be read or has no such column.
        PredictorError: `rows` is malformed or leaves none.
    """
    table = read_table(path)
    frame = pd.DataFrame(dict(table.columns), index=pd.Index(table.labels, name=table.word))
    frame.attrs["source"] = table.source
    if rows is None:
        return frame
    column, equals, value = rows.partition("=")
    if not equals:
        raise PredictorError(f"--rows takes COLUMN=VALUE, such as split=fit, not '{rows}'")
    kept = [k for k, label in enumerate(_texts(table.column(column))) if label == value]
    if not kept:
        values = sorted(set(_texts(table.column(column))))
        shown = ", ".join(values[:8]) + (", ..." if len(values) > 8 else "")
        raise PredictorError(f"{path}: no row has {column}={value}; the column holds: {shown}")
    return frame.iloc[kept]


def _texts(values: object) -> list[str]:
    """Cells as written: whole numbers lose their ``.0``."""
    out = []
    for value in list(values):  # type: ignore[call-overload]
        whole = isinstance(value, float) and value.is_integer()
        out.append(str(int(value)) if whole else str(value))
    return out
