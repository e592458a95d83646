"""Read CSV and Parquet tables, and data frames, into columns that know where each cell came from.

A column is either float64 (every cell a number; empty cells are NaN) or text (an object array of str; empty
cells are ''). Whether a text column should have been numeric is decided where it is used, so that the
message can name the cell.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import TableError
from sldagent.tasks.task import FloatArray

MAX_BYTES = 256 * 2**20
"""Largest CSV file that is read; a table of experiments is far below this."""
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
        values = self.column(name)
        out = [_label(v) for v in values]
        for row, label in enumerate(out):
            if not label:
                raise TableError(
                    f"{self.where(row)}: column '{name}' is empty; fill the cell or remove the row"
                )
        return out


def suggest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'loss'?`` or, failing that, what there is to choose from."""
    names = [str(k) for k in known]
    lower = {k.lower(): k for k in reversed(names)}
    close = [lower[k] for k in difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.6)]
    if close:
        return "did you mean " + " or ".join(f"'{c}'" for c in close) + "?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"it has: {shown}" if names else "it has none"


def parse_numbers(values: NDArray[Any]) -> FloatArray:
    """(n,) numbers; NaN where a cell is not one."""
    out = np.full(len(values), np.nan)
    for row, text in enumerate(values):
        try:
            out[row] = _number(text)
        except ValueError:
            continue
    return out


def read_table(path: Path) -> Table:
    """Read ``.parquet`` or delimited text (comma, tab or semicolon).  Raises TableError naming the file."""
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table: name a .csv or .parquet file in it")
    if not path.exists():
        raise TableError(_missing_file(path))
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return _read_parquet(path)
        return _read_text(path)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error


def table_from_frame(frame: Any, source: str) -> Table:
    """A table over the columns of a pandas data frame; rows are named by the frame's index."""
    names = [str(c) for c in frame.columns]
    _check_header(names, source)
    columns = {n: _column(frame.iloc[:, k].to_numpy().tolist()) for k, n in enumerate(names)}
    if len(frame) == 0:
        raise TableError(f"{source}: the table has no rows")
    return Table(source, columns, np.asarray(frame.index.to_numpy(), dtype=object))


def _read_text(path: Path) -> Table:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise TableError(
            f"{path} has {size / 2**20:.0f} MiB, above the limit of {MAX_BYTES // 2**20} MiB for a table of "
            "experiments: keep the rows and columns that matter, or store it as Parquet"
        )
    raw = path.read_bytes()
    if raw[:4] == b"PAR1":
        return _read_parquet(path)
    if b"\0" in raw[:65536]:
        raise TableError(
            f"{path} is a binary file, not a CSV table: give a CSV file in UTF-8 or a .parquet file"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}, line {line}: not UTF-8 text; save the table as UTF-8") from error
    return _parse_text(text, str(path))


def _parse_text(text: str, source: str) -> Table:
    first = text.lstrip().split("\n", 1)[0]
    delimiter = next((d for d in ",\t;" if d in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 0
    try:
        for cells in reader:
            line, start = start + 1, reader.line_num
            if not any(c.strip() for c in cells):
                continue
            if not header:
                header = [c.strip() for c in cells]
                _check_header(header, source)
                continue
            if len(cells) != len(header):
                raise TableError(
                    f"{source}, line {line}: {len(cells)} cells where the header has {len(header)}; "
                    "correct the row (quote cells that hold the delimiter)"
                )
            rows.append(cells)
            lines.append(line)
    except csv.Error as error:
        raise TableError(f"{source}, line {reader.line_num}: not a readable CSV row ({error})") from error
    if not header:
        raise TableError(f"{source} is empty: a table needs a header line and rows")
    if not rows:
        raise TableError(f"{source} has a header but no rows")
    columns = {name: _column([r[k] for r in rows]) for k, name in enumerate(header)}
    return Table(source, columns, np.asarray(lines), "line")


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        content = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, ValueError) as error:
        raise TableError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
    names = [str(n) for n in content.column_names]
    _check_header(names, str(path))
    if content.num_rows == 0:
        raise TableError(f"{path} has no rows")
    columns = {n: _column(content.column(k).to_pylist()) for k, n in enumerate(names)}
    return Table(str(path), columns, np.arange(1, content.num_rows + 1))


def _check_header(names: Sequence[str], source: str) -> None:
    twice = [n for n, k in Counter(n for n in names if n).items() if k > 1]
    if twice:
        raise TableError(
            f"{source}: column '{twice[0]}' appears more than once in the header; rename one of them"
        )
    if list(names).count("") > 1:
        raise TableError(f"{source}: several columns have no name in the header; name them")
    if not names:
        raise TableError(f"{source}: the table has no columns")


def _column(cells: Sequence[Any]) -> NDArray[Any]:
    """float64 where every cell is a number or empty (and at least one is a number), else text."""
    try:
        numbers = np.asarray([np.nan if _is_empty(c) else _number(c) for c in cells], dtype=np.float64)
    except ValueError:
        numbers = None
    if numbers is not None and not np.all(np.isnan(numbers)):
        return numbers
    texts = np.empty(len(cells), dtype=object)
    texts[:] = ["" if c is None or c != c else str(c).strip() for c in cells]
    return texts


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip() == "")


def _number(cell: Any) -> float:
    """The cell as a number; ValueError where it is none (underscores and booleans are text)."""
    if isinstance(cell, str):
        if "_" in cell:
            raise ValueError(cell)
        return float(cell)
    if isinstance(cell, bool | np.bool_):
        raise ValueError(cell)
    try:
        return float(cell)
    except (TypeError, OverflowError) as error:
        raise ValueError(cell) from error


def _label(value: Any) -> str:
    if isinstance(value, float):
        if np.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _missing_file(path: Path) -> str:
    folder = path.parent if path.parent != Path("") else Path(".")
    if not folder.is_dir():
        return f"{path}: no such file (the folder {folder} does not exist)"
    near = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=3, cutoff=0.6)
    hint = "; did you mean " + " or ".join(near) + "?" if near else ""
    return f"{path}: no such file{hint}"
