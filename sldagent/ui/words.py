"""Values as the page's text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sldagent.report.tables import number

LONGEST = 2000
"""Characters shown of one value of a query's answer."""


def moment(value: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "–" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(value: datetime) -> str:
    """A time in UTC, to the minute."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float | None) -> str:
    """``8 ms``, ``41 s``, ``12 min 5 s``, ``3 h 20 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{1000 * seconds:.0f} ms" if seconds < 0.0995 else f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(value: float | None) -> str:
    """A number of things, with commas."""
    return "–" if value is None else f"{value:,.0f}"


def dollars(value: float | None) -> str:
    """US dollars: cents from ten cents up, more digits below."""
    if value is None:
        return "–"
    return f"${value:,.2f}" if value == 0 or value >= 0.1 else f"${value:.2g}"


def percent(part: float, whole: float) -> str:
    """``12 %``; a dash of nothing."""
    return "–" if not whole else f"{100 * part / whole:.3g} %"


def figure(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits, a true minus sign, and a dash for none."""
    shown = number(value, digits)
    return "–" if shown == "-" else shown.replace("-", "−") if not shown.startswith("inf") else "∞"


def cell(value: Any) -> str:
    """One value of a query's answer, cut where it is long."""
    if value is None:
        return ""
    if isinstance(value, (bytes, memoryview)):
        return f"{len(bytes(value)):,} bytes"
    shown = repr(value) if isinstance(value, float) else str(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} … ({len(shown):,} characters)"


FILTERS: Mapping[str, Any] = {
    "moment": moment, "day": day, "duration": duration, "count": count, "dollars": dollars, "figure": figure, "cell": cell,
}  # fmt: skip
