"""The view `pareto_front` against its definition, law by law."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evaluation.result import Evaluation, Failure


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with Archive.open(f"sqlite:///{tmp_path_factory.mktemp('front') / 'a.db'}") as archive:
        yield archive


names = itertools.count()
# Few distinct values, so that ties in x, in complexity and in both are common.
evaluations = st.builds(
    Evaluation,
    x=st.sampled_from([-2.0, -1.0, -0.5, 0.0, 1.0, np.inf, -np.inf, np.nan]),
    complexity=st.sampled_from([3.0, 5.0, 8.0, 13.0, np.inf]),
    valid=st.sampled_from([True, True, True, False]),
    failure=st.sampled_from([None, None, None, Failure("time")]),
)


def expected(evaluations: list[Evaluation]) -> list[int]:
    """Indices that no other usable law dominates; of exact ties, the first."""
    usable = [
        (e.complexity, e.x, k)
        for k, e in enumerate(evaluations)
        if e.valid and e.failure is None and np.isfinite(e.x) and np.isfinite(e.complexity)
    ]
    front = [
        (c, x, k)
        for c, x, k in usable
        if not any(d <= c and y <= x and ((d, y) != (c, x) or j < k) for d, y, j in usable if j != k)
    ]
    return [k for _, _, k in sorted(front)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=st.lists(evaluations, max_size=20))
def test_the_front_is_what_nothing_dominates(opened: Archive, made: list[Evaluation]) -> None:
    run = f"r{next(names)}"
    opened.start_run(run=run, task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
    opened.commit(run, [CandidateRecord(k, 0, "op", (), "s", "f", "h", e) for k, e in enumerate(made)])
    assert [record.k for record in opened.front(run)] == expected(made)


def test_fronts_of_runs_do_not_mix(
    archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord]
) -> None:
    good, poor = start(archive, "good"), start(archive, "poor")
    archive.commit(good, [record(0, x=-5.0, complexity=3.0)])
    archive.commit(poor, [record(0, x=1.0, complexity=9.0), record(1, x=0.0, complexity=9.0)])
    assert [r.k for r in archive.front(poor)] == [1]
    columns, rows = archive.query("SELECT law FROM pareto_front ORDER BY law")
    assert columns == ["law"]
    assert rows == [("good-0",), ("poor-1",)]


def test_the_law_view(
    archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord],
    failed: Callable[..., CandidateRecord],
) -> None:  # fmt: skip
    run = start(archive)
    archive.commit(run, [record(0, x=-1.0), failed(1, "limits"), record(2, x=-2.0)])
    archive.finish_run(run, status="complete", choice=2, shortlist=[2], reason="", candidates=3, failures=1, seconds=1.0)
    _, rows = archive.query("SELECT law, x, failure, chosen FROM law WHERE run = :run ORDER BY k", {"run": run})
    assert [tuple(row) for row in rows] == [
        (f"{run}-0", -1.0, None, False), (f"{run}-1", None, "limits", False), (f"{run}-2", -2.0, None, True),
    ]  # fmt: skip
