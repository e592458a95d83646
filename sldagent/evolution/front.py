"""The Pareto front of (X, C), kept incrementally."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate in the plane of extrapolation error and complexity; lower is better in both."""

    k: int
    x: float
    complexity: float


def dominates(a: Point, b: Point) -> bool:
    """True when `a` is at least as good as `b` in both and better in one, or equal in both and earlier."""
    if a.x > b.x or a.complexity > b.complexity:
        return False
    return (a.x, a.complexity) != (b.x, b.complexity) or a.k < b.k


class ParetoFront:
    """Non-dominated points by rising complexity, so by falling X; of equal points the first added stays."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._complexities: list[float] = []

    def add(self, point: Point) -> bool:
        """Insert `point` and drop what it dominates; False, without a change, if a present one covers it."""
        at = bisect_right(self._complexities, point.complexity)
        if at and self._points[at - 1].x <= point.x:  # the best X among all that are no more complex
            return False
        start = bisect_left(self._complexities, point.complexity)
        end = start
        while end < len(self._points) and self._points[end].x >= point.x:
            end += 1
        self._points[start:end] = [point]
        self._complexities[start:end] = [point.complexity]
        return True

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(self._points)

    @property
    def indices(self) -> tuple[int, ...]:
        """Candidate indices, by rising complexity."""
        return tuple(p.k for p in self._points)

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points)
