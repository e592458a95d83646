"""Read tables from files: delimited text, JSON and Parquet."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sldagent.errors import TableError
from sldagent.tasks.numerals import uses_decimal_commas, with_decimal_point
from sldagent.tasks.table import Table, check_header, table_of

MAX_BYTES = 256 * 2**20
"""Largest text file that is read; a table of experiments is far below this."""
DELIMITERS = ",\t;|"
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", *JSON_SUFFIXES, *PARQUET_SUFFIXES)


def read_table(path: Path) -> Table:
    """Read Parquet, JSON (`read_json`) or delimited text (comma, tab, semicolon, bar or blanks).

    Text with other delimiters than commas may have decimal commas.  Raises TableError naming the file.
    """
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table: name a .csv or .parquet file in it")
    if not path.exists():
        raise TableError(_missing_file(path))
    try:
        if path.suffix.lower() in PARQUET_SUFFIXES:
            return _read_parquet(path)
        return _read_text(path)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error


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
        raise TableError(f"{path} is a binary file, not a CSV table: give a CSV file in UTF-8 or a .parquet file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}, line {line}: not UTF-8 text; save the table as UTF-8") from error
    if path.suffix.lower() in JSON_SUFFIXES:
        return read_json(text, str(path))
    return parse_text(text, str(path))


def parse_text(text: str, source: str) -> Table:
    """A table from delimited text.  Raises TableError naming the line."""
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or " ", skipinitialspace=not delimiter)
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 0
    try:
        for cells in reader:
            line, start = start + 1, reader.line_num
            if not delimiter and cells and not cells[-1]:
                cells.pop()  # blanks at the end of the line
            if not any(c.strip() for c in cells):
                continue
            if not header:
                header = [c.strip() for c in cells]
                check_header(header, source)
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
    if delimiter != "," and uses_decimal_commas([c.strip() for r in rows for c in r]):
        rows = [[with_decimal_point(c.strip()) for c in r] for r in rows]
    return table_of(source, {n: [r[k] for r in rows] for k, n in enumerate(header)}, np.asarray(lines), "line")


def _delimiter(text: str) -> str:
    """The most frequent delimiter of the header, outside quotes; '' where blanks separate words; else a comma."""
    lines = re.sub(r'"[^"]*"', "", text.lstrip()).split("\n", 2)
    best = max(DELIMITERS, key=lines[0].count)
    if lines[0].count(best):
        return best
    words = [len(line.split()) for line in lines[:2]]
    return "" if len(words) == 2 and words[0] == words[1] > 1 else ","


def read_json(text: str, source: str) -> Table:
    """A table from a JSON list of records, an object of columns, or one record per line.

    The keys of nested objects are joined by points (``config.lr``); a record may lack some of the others' keys.
    Raises TableError naming the line or the record.
    """
    word = "record"
    try:
        content: Any = json.loads(text)
    except RecursionError as error:
        raise TableError(f"{source}: nested too deeply to be a table") from error
    except json.JSONDecodeError:
        content, word = list(_json_lines(text, source)), "line"
    if isinstance(content, Mapping) and content and all(isinstance(v, list) for v in content.values()):
        lengths = {k: len(v) for k, v in content.items()}
        if len(set(lengths.values())) > 1:
            raise TableError(f"{source}: its columns have different lengths ({lengths}); make them equal")
        content = [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]
    if isinstance(content, Mapping):
        content = [content]  # one record is one line
    if not isinstance(content, list) or not content:
        raise TableError(f"{source}: a table in JSON is a list of records, an object of columns or one record per line")
    records: list[dict[str, Any]] = []
    for row, record in enumerate(content, start=1):
        if not isinstance(record, Mapping):
            raise TableError(f"{source}, {word} {row}: not a JSON object, so its cells have no names")
        records.append(dict(_flat(record)))
    names = list(dict.fromkeys(name for record in records for name in record))
    check_header(names, source)
    cells = {n: [record.get(n) for record in records] for n in names}
    return table_of(source, cells, np.arange(1, len(records) + 1), word)


def _json_lines(text: str, source: str) -> Iterator[Any]:
    for line, one in enumerate(text.splitlines(), start=1):
        if not one.strip():
            continue
        try:
            yield json.loads(one)
        except json.JSONDecodeError as error:
            raise TableError(f"{source}, line {line}: not JSON ({error.msg}); correct the line") from error


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        content = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, ValueError) as error:
        raise TableError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
    names = [str(n) for n in content.column_names]
    check_header(names, str(path))
    if content.num_rows == 0:
        raise TableError(f"{path} has no rows")
    cells = {n: content.column(k).to_pylist() for k, n in enumerate(names)}
    return table_of(str(path), cells, np.arange(1, content.num_rows + 1))


def _missing_file(path: Path) -> str:
    folder = path.parent if path.parent != Path("") else Path(".")
    if not folder.is_dir():
        return f"{path}: no such file (the folder {folder} does not exist)"
    near = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=3, cutoff=0.6)
    hint = "; did you mean " + " or ".join(near) + "?" if near else ""
    return f"{path}: no such file{hint}"
