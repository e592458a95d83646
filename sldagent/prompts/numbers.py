"""Numbers as a model reads them: few digits, always the same text for the same number."""

from __future__ import annotations

import math


def short(value: float, digits: int = 3) -> str:
    """``2.31``, ``1.2e+09``, ``inf``; NaN as ``?``."""
    if math.isnan(value):
        return "?"
    text = f"{value:.{digits}g}"
    return "0" if text == "-0" else text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def signed(value: float, digits: int = 2) -> str:
    """With its sign: ``+0.38``."""
    text = short(value, digits)
    return text if text.startswith("-") or text in ("?", "0") else f"+{text}"


def percent(share: float) -> str:
    """``3.1 %``; below a hundredth of a percent: ``<0.01 %``."""
    if math.isnan(share):
        return "?"
    return "<0.01 %" if 0 <= share < 1e-4 else f"{short(100.0 * share, 2)} %"


def clipped(lines: list[str], most: int, what: str) -> list[str]:
    """The first `most` lines, and how many more there are."""
    return lines if len(lines) <= most else [*lines[:most], f"- and {len(lines) - most} more {what}"]
