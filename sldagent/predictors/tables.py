"""Inputs and targets of predictors, from arrays or data frames, with errors that name the row and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.tasks.table import Table, table_from_frame

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """The columns that a predictor reads, in the order of its roles."""

    table: Table
    names: tuple[str, ...]

    @property
    def n(self) -> int:
        return self.table.n

    def numbers(self, k: int) -> FloatArray:
        """(n,) finite numbers of column `k`.  Raises TableError naming the first cell that is not one."""
        return self.table.numeric(self.names[k])

    def positive(self, k: int) -> FloatArray:
        """(n,) numbers above 0 of column `k`.  Raises TableError or PredictorError naming the first other cell."""
        values = self.numbers(k)
        bad = np.flatnonzero(values <= 0.0)
        if bad.size:
            raise PredictorError(
                f"{self.table.where(int(bad[0]))}: column '{self.names[k]}' is {values[bad[0]]:g} where a number above 0 is "
                "needed; correct the cell or remove the row"
            )
        return values

    def labels(self, k: int) -> list[str]:
        """n texts of column `k`.  Raises TableError naming the first empty cell."""
        return self.table.text(self.names[k])


@dataclass(frozen=True)
class Targets:
    """Measured values."""

    values: FloatArray
    """(n, targets); NaN where missing."""
    names: tuple[str, ...]
    flat: bool
    """Whether they came as one column: predictions then have shape (n,)."""
    table: Table
    """Where they came from, to name rows in messages."""


def inputs(X: Any, roles: Sequence[str], columns: Sequence[str] | None = None) -> Inputs:
    """The columns of X that play the given roles.

    Args:
        X: data frame, or array of shape (n, len(roles)) or, for one role, (n,).
        roles: what the columns mean, for messages and as names of an array's columns.
        columns: names of a frame's columns in the order of the roles; default: all its columns, which must be as many.

    Raises:
        PredictorError, TableError: X has other columns or no rows.
    """
    if isinstance(X, pd.Series):
        X = X.to_frame(X.name if X.name is not None else roles[0])
    if isinstance(X, pd.DataFrame):
        table = _table(X, "X")
        names = tuple(str(c) for c in X.columns) if columns is None else tuple(columns)
        if len(names) != len(roles):
            raise PredictorError(
                f"X has the columns {', '.join(names)} where {_count(roles)} needed: {', '.join(roles)} (in this order)"
            )
        for name in names:
            table.column(name)
        return Inputs(table, names)
    array = np.asarray(X, dtype=object)
    if array.ndim == 1 and len(roles) == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != len(roles):
        raise PredictorError(f"X has shape {array.shape} where {_count(roles)} needed: {', '.join(roles)} (in this order)")
    names = tuple(roles) if columns is None else tuple(columns)
    return Inputs(table_from_frame(pd.DataFrame(array, columns=list(names)), "X"), names)


def targets(y: Any, columns: Sequence[str] | None = None, *, missing: bool = False) -> Targets:
    """Measured values of one or several targets.

    Args:
        y: series, frame, or array of shape (n,) or (n, targets).
        columns: names of a frame's columns; default: all of them.
        missing: whether cells may be empty (NaN).

    Raises:
        PredictorError, TableError: a cell is not a number, or is missing where that is not allowed.
    """
    flat = False
    if isinstance(y, pd.DataFrame):
        frame = y
    elif isinstance(y, pd.Series):
        flat = True
        frame = y.to_frame(y.name if y.name is not None else "y")
    else:
        array = np.asarray(y, dtype=object)
        flat = array.ndim == 1
        if array.ndim not in (1, 2):
            raise PredictorError(f"y has shape {array.shape}; it must be (n,) or (n, targets)")
        array = array[:, None] if flat else array
        width = array.shape[1]
        named = columns if columns is not None and len(columns) == width else _names(width)
        frame = pd.DataFrame(array, columns=list(named))
    table = _table(frame, "y")
    names = tuple(str(c) for c in frame.columns) if columns is None else tuple(columns)
    cells = [_cells(table, name, missing) for name in names]
    return Targets(np.stack(cells, axis=1), names, flat, table)


def same_length(given: Inputs, measured: Targets) -> None:
    """Raises PredictorError where X and y have different numbers of rows."""
    if given.n != len(measured.values):
        raise PredictorError(f"X has {given.n} rows and y has {len(measured.values)}: they must be the same runs")


def _table(frame: pd.DataFrame, what: str) -> Table:
    """Columns whose messages name the file and line where the frame was read from one."""
    table = table_from_frame(frame, str(frame.attrs.get("source", what)))
    return replace(table, word="line") if frame.index.name == "line" else table


def _cells(table: Table, name: str, missing: bool) -> FloatArray:
    if not missing:
        return table.numeric(name)
    values = table.column(name)
    empty = values == "" if values.dtype != np.float64 else np.isnan(values)
    if empty.all():
        return np.full(table.n, np.nan)
    kept = Table(table.source, {name: values[~empty]}, table.labels[~empty], table.word)
    out = np.full(table.n, np.nan)
    out[~empty] = kept.numeric(name)
    return out


def _names(width: int) -> tuple[str, ...]:
    return ("y",) if width == 1 else tuple(f"y{k}" for k in range(width))


def _count(roles: Sequence[str]) -> str:
    return "one column is" if len(roles) == 1 else f"{len(roles)} columns are"
