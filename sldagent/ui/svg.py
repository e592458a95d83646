"""SVG elements as safe markup: every attribute and text is escaped here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """``<name attributes>children</name>``.

    ``class_`` stands for ``class``, ``stroke_width`` for ``stroke-width``; attributes that are None are left out, numbers
    are rounded to a tenth.
    """
    parts = [Markup(f"<{name}")]
    for key, value in attributes.items():
        if value is not None:
            shown = f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            parts.append(Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), shown))
    inside = Markup("").join(escape(child) for child in children)
    return Markup("").join([*parts, Markup(">"), inside, Markup(f"</{name}>")])


def group(children: Iterable[Markup], **attributes: object) -> Markup:
    """A ``<g>`` of elements."""
    return element("g", *children, **attributes)


def path(points: Iterable[tuple[float, float]], **attributes: object) -> Markup:
    """A line through the points."""
    return element("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), **attributes)


def steps(points: Iterable[tuple[float, float]], end: float, **attributes: object) -> Markup:
    """A staircase: each point's height holds until the next one, the last one's until `end`."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    if corners:
        corners.append((max(end, corners[-1][0]), corners[-1][1]))
    return path(corners, **attributes)


@dataclass(frozen=True)
class Axis:
    """A linear axis: values from `low` to `high` at places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values on the axis, at most so many."""
        step = round_step((self.high - self.low) / max(1, most - 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1 - 1e-9))


def padded(values: Iterable[float], share: float = 0.06) -> tuple[float, float]:
    """Smallest and largest value, with some room around; (0, 1) for none."""
    found = list(values)
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    room = share * (high - low) or max(0.5, 0.1 * abs(high))
    return low - room, high + room
