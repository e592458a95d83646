"""Cells that are numbers, also as people write them: ``1,250,000``, ``350M``, ``12 %``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks.task import FloatArray

THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
SCALED = re.compile(r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)\s*(?P<unit>[kmgbt%])", re.IGNORECASE)
UNITS = {"k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12, "%": 1e-2}
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.IGNORECASE)


def number(cell: Any) -> float:
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


def parse_numbers(values: NDArray[Any]) -> FloatArray:
    """(n,) numbers; NaN where a cell is not one."""
    out = np.full(len(values), np.nan)
    for row, text in enumerate(values):
        try:
            out[row] = number(text)
        except ValueError:
            continue
    return out


def written_number(cell: Any) -> float:
    """A plain number, or one with thousands separated by commas, an SI letter (k, M, G or B, T) or a percent sign.

    Raises ValueError where it is none.
    """
    if not isinstance(cell, str):
        return number(cell)
    text = cell.strip()
    if THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    if scaled := SCALED.fullmatch(text):
        return float(scaled["number"]) * UNITS[scaled["unit"].lower()]
    return number(text)


def uses_decimal_commas(cells: Sequence[str]) -> bool:
    """Whether texts are numbers of a language that writes 2,5 for 2.5: some can be nothing else, and none has a point."""
    return any(DECIMAL_COMMA.fullmatch(c) and not THOUSANDS.fullmatch(c) for c in cells) and not any(
        DECIMAL_POINT.fullmatch(c) for c in cells
    )


def with_decimal_point(cell: str) -> str:
    """``2,5`` as ``2.5``; any other text as it is."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell
