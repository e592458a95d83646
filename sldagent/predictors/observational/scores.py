"""Tables of benchmark scores: in [0, 1], possibly with gaps, with errors that name the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sldagent.errors import PredictorError
from sldagent.predictors.tables import inputs, targets

FloatArray = NDArray[np.float64]


def read_scores(X: Any, columns: Sequence[str] | None = None) -> tuple[FloatArray, tuple[str, ...]]:
    """(n, b) benchmark scores, NaN where missing, and the benchmarks' names.

    Args:
        X: frame or (n, b) array.
        columns: benchmarks to read from a frame; None for all of its columns.

    Raises:
        PredictorError, TableError: a cell is no number or outside [0, 1], or a row has no score at all; it is named.
    """
    if isinstance(X, pd.DataFrame):
        frame = X
    else:
        array = np.asarray(X, dtype=object)
        if array.ndim != 2 or (columns is not None and array.shape[1] != len(columns)):
            wanted = "b benchmarks" if columns is None else f"{len(columns)} benchmarks"
            raise PredictorError(f"X has shape {array.shape} where (models, {wanted}) is needed")
        names = [f"benchmark{k + 1}" for k in range(array.shape[1])] if columns is None else list(columns)
        frame = pd.DataFrame(array, columns=names)
    frame = frame if columns is None else _with_source(frame[[c for c in columns if c in frame.columns]], frame)
    given = inputs(frame, columns or [str(c) for c in frame.columns], columns)
    known = targets(_with_source(frame, frame), given.names, missing=True).values
    check_unit(known, given.names, given.table.where)
    empty = np.flatnonzero(np.isnan(known).all(axis=1))
    if empty.size:
        raise PredictorError(
            f"{given.table.where(int(empty[0]))}: no benchmark score at all; remove the row or give one score"
        )
    return known, given.names


def check_unit(values: FloatArray, names: Sequence[str], where: Any) -> None:
    """Raises PredictorError naming the first known score outside [0, 1]; `where` turns a row into words."""
    bad = np.argwhere((values < 0.0) | (values > 1.0))
    if bad.size:
        row, k = bad[0]
        raise PredictorError(
            f"{where(int(row))}: column '{names[k]}' is {values[row, k]:g}, outside [0, 1]; "
            "scores are shares: divide percentages by 100, or rescale the column"
        )


def _with_source(frame: pd.DataFrame, parent: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy(deep=False)
    out.attrs["source"] = parent.attrs.get("source", "X")
    return out
