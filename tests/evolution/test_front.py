"""The incremental Pareto front against brute force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sldagent.evolution.front import ParetoFront, Point, dominates

COORDINATES = st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 6)), max_size=40)
"""Few distinct values, so that ties of every kind are common."""


def brute_force(points: list[Point]) -> list[Point]:
    kept = [p for p in points if not any(dominates(q, p) for q in points)]
    return sorted(kept, key=lambda p: p.complexity)


@given(COORDINATES)
def test_equals_brute_force_after_every_insertion(coordinates: list[tuple[int, int]]) -> None:
    front, points = ParetoFront(), []
    for k, (x, c) in enumerate(coordinates):
        before = front.points
        points.append(Point(k, float(x), float(c)))
        changed = front.add(points[-1])
        assert list(front.points) == brute_force(points)
        assert changed == (front.points != before) == (points[-1] in front.points)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1, 200)), max_size=40))
def test_equals_brute_force_on_reals(coordinates: list[tuple[float, float]]) -> None:
    front = ParetoFront()
    points = [Point(k, x, c) for k, (x, c) in enumerate(coordinates)]
    for p in points:
        front.add(p)
    assert list(front) == brute_force(points)
    assert len(front) == len(front.indices)


def test_equal_points_keep_the_earlier() -> None:
    front = ParetoFront()
    assert front.add(Point(0, 1.0, 5.0))
    assert not front.add(Point(1, 1.0, 5.0))
    assert front.indices == (0,)


def test_rises_in_complexity_and_falls_in_x() -> None:
    front = ParetoFront()
    for k, (x, c) in enumerate([(3.0, 1.0), (1.0, 9.0), (2.0, 4.0), (2.0, 3.0), (2.5, 8.0)]):
        front.add(Point(k, x, c))
    assert [(p.x, p.complexity) for p in front] == [(3.0, 1.0), (2.0, 3.0), (1.0, 9.0)]
