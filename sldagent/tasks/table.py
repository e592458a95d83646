"""Tables whose columns know where each cell came from.

A column is either float64 (every cell a number; empty cells are NaN) or text (an object array of str; empty
cells are ''). Whether a text column should have been numeric is decided where it is used, so that the
message can name the cell.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import TableError
from sldagent.tasks.numerals import number, parse_numbers, written_number
from sldagent.tasks.task import FloatArray

EMPTY = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "<na>"})
"""Texts, in lower case, that stand for a missing cell in a numeric column."""


@dataclass(frozen=True)
class Table:
    """Columns in file order; `labels` says where each row stands (line of the file, or row of the frame)."""

    source: str
    columns: Mapping[str, NDArray[Any]]
    labels: NDArray[Any]
    word: str = "row"
    """``line`` for text files (the header is line 1), else ``row``."""
    written: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """The texts of columns that were read as numbers although not written plainly, such as ``350M``."""

    @property
    def notes(self) -> list[str]:
        """What was read otherwise than it is written, one sentence or none."""
        if not self.written:
            return []
        shown = [f"'{name}' ('{texts[0]}' as {self.columns[name][0]:g})" for name, texts in self.written.items()]
        return [f"read as numbers: {', '.join(shown)}"]

    @property
    def n(self) -> int:
        return len(self.labels)

    def where(self, row: int) -> str:
        """``runs.csv, line 7``."""
        return f"{self.source}, {self.word} {self.labels[row]}"

    def column(self, name: str) -> NDArray[Any]:
        """The column as stored.  Raises TableError with close names where the table has no such column."""
        if name not in self.columns:
            raise TableError(f"{self.source}: no column '{name}'; {suggest(name, self.columns)}")
        return self.columns[name]

    def joined(self, name: str) -> Table:
        """With one more column of texts where `name` is no column but names several, joined by commas.

        ``Task,Model`` holds ``vision, ViT`` where ``Task`` holds ``vision`` and ``Model`` holds ``ViT``.  Raises
        TableError where one of several is missing or has an empty cell.
        """
        parts = parts_of(name)
        if name in self.columns or len(parts) < 2:
            return self
        texts = np.empty(self.n, dtype=object)
        texts[:] = [", ".join(row) for row in zip(*(self.text(part) for part in parts), strict=True)]
        return replace(self, columns={**self.columns, name: texts})

    def numeric(self, name: str) -> FloatArray:
        """(n,) finite numbers.  Raises TableError naming the first cell that is empty, not finite or not a
        number.
        """
        values = self.column(name)
        if values.dtype != np.float64:
            numbers = parse_numbers(values)
            for row, (text, number) in enumerate(zip(values, numbers, strict=True)):
                if np.isnan(number) and str(text).strip().lower() not in EMPTY:
                    raise TableError(
                        f"{self.where(row)}: column '{name}' holds '{_short(text)}' where a number is "
                        "needed; correct the cell or remove the row"
                    )
            values = numbers
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            value = values[bad[0]]
            what = "is empty" if np.isnan(value) else f"is {value}"
            raise TableError(
                f"{self.where(int(bad[0]))}: column '{name}' {what} where a finite number is needed; "
                "fill the cell, remove the row or leave the column out"
            )
        return np.ascontiguousarray(values, dtype=np.float64)

    def text(self, name: str) -> list[str]:
        """Cells as labels: whole numbers lose their ``.0``.  Raises TableError where one is empty."""
        values = self.written.get(name, self.column(name))
        out = [_label(v) for v in values]
        for row, label in enumerate(out):
            if not label:
                raise TableError(f"{self.where(row)}: column '{name}' is empty; fill the cell or remove the row")
        return out


def parts_of(name: str) -> list[str]:
    """The columns that a name joined by commas stands for."""
    return [part.strip() for part in name.split(",")]


def suggest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'loss'?`` or, failing that, what there is to choose from."""
    names = [str(k) for k in known]
    lower = {k.lower(): k for k in reversed(names)}
    close = [lower[k] for k in difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.6)]
    if close:
        return "did you mean " + " or ".join(f"'{c}'" for c in close) + "?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"it has: {shown}" if names else "it has none"


def table_from_frame(frame: Any, source: str) -> Table:
    """A table over the columns of a pandas data frame; rows are named by the frame's index."""
    names = [str(c) for c in frame.columns]
    check_header(names, source)
    if len(frame) == 0:
        raise TableError(f"{source}: the table has no rows")
    cells = {n: frame.iloc[:, k].to_numpy().tolist() for k, n in enumerate(names)}
    return table_of(source, cells, np.asarray(frame.index.to_numpy(), dtype=object))


def table_of(source: str, cells: Mapping[str, Sequence[Any]], labels: NDArray[Any], word: str = "row") -> Table:
    """A table from the cells of its columns, whose names `check_header` has passed."""
    columns: dict[str, NDArray[Any]] = {}
    written: dict[str, NDArray[Any]] = {}
    for name, values in cells.items():
        columns[name] = _column(values)
        if columns[name].dtype != np.float64 and (numbers := _written_numbers(values)) is not None:
            columns[name], written[name] = numbers, columns[name]
    return Table(source, columns, labels, word, written)


def check_header(names: Sequence[str], source: str) -> None:
    twice = [n for n, k in Counter(n for n in names if n).items() if k > 1]
    if twice:
        raise TableError(f"{source}: column '{twice[0]}' appears more than once in the header; rename one of them")
    if list(names).count("") > 1:
        raise TableError(f"{source}: several columns have no name in the header; name them")
    if not names:
        raise TableError(f"{source}: the table has no columns")


def _column(cells: Sequence[Any]) -> NDArray[Any]:
    """float64 where every cell is a number or empty (and at least one is a number), else text."""
    try:
        numbers = np.asarray([np.nan if _is_empty(c) else number(c) for c in cells], dtype=np.float64)
    except ValueError:
        numbers = None
    if numbers is not None and not np.all(np.isnan(numbers)):
        return numbers
    texts = np.empty(len(cells), dtype=object)
    texts[:] = ["" if c is None or c != c else str(c).strip() for c in cells]
    return texts


def _written_numbers(cells: Sequence[Any]) -> FloatArray | None:
    """The numbers of a column in which every cell that is not empty is one, however written; None for text."""
    try:
        numbers = np.asarray([np.nan if _is_empty(c) else written_number(c) for c in cells], dtype=np.float64)
    except ValueError:
        return None
    return None if np.all(np.isnan(numbers)) else numbers


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip() == "")


def _label(value: Any) -> str:
    if isinstance(value, float):
        if np.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
