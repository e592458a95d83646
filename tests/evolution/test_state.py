"""The state as a fold over records: front, credit, twins, migration around the ring, reset of the weakest."""

from __future__ import annotations

from typing import Any

import pytest
from pool_fakes import program
from search_rig import config

from sldagent.archive.records import CandidateRecord
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.evolution.front import Point
from sldagent.evolution.state import Change, SearchState


def record(k: int, x: float = 0.0, complexity: float = 10.0, **changes: Any) -> CandidateRecord:
    """A candidate of island k mod 3."""
    values: dict[str, Any] = {"x": x, "complexity": complexity, "valid": True, "mdl": x}
    values["fingerprint"] = f"f{k}"
    own = {"operator": "op", "parents": (), "island": k % 3}
    own.update({key: changes.pop(key) for key in list(changes) if key in own})
    return CandidateRecord(
        k=k, source="", formula="", structure=f"s{k}", evaluation=Evaluation(**{**values, **changes}), **own
    )


def fold(*records: CandidateRecord, **settings: Any) -> tuple[SearchState, list[Change]]:
    state = SearchState(config(**{"migration_every": 0, "reset_every": 0, **settings}))
    return state, [state.apply(r, program(r.k + 1.0)) for r in records]


def test_records_must_come_in_order() -> None:
    state, _ = fold(record(0))
    with pytest.raises(ValueError, match="candidate 2 cannot be committed before candidate 1"):
        state.apply(record(2), program(1.0))


def test_front_takes_valid_successes_only() -> None:
    state, changes = fold(
        record(0, 1.0), record(1, -9.0, valid=False), record(2, -9.0, failure=Failure("time")),
        record(3, float("inf")), record(4, 0.5), record(5, 0.7),
    )
    assert state.front.points == (Point(4, 0.5, 10.0),)
    assert [c.front for c in changes] == [True, False, False, False, True, False]
    assert state.last_change == 4
    assert state.best == Point(4, 0.5, 10.0)
    assert dict(state.failures) == {"time": 1}
    assert [m.k for m in state.front_members] == [4]
    assert [[m.k for m in island.members] for island in state.islands] == [[0], [1, 4], [5]]


def test_twins_of_no_higher_complexity_block_later_ones() -> None:
    state, _ = fold(record(0, 1.0, 10.0, fingerprint="same"))
    for complexity, blocked in ((12.0, True), (10.0, True), (8.0, False)):
        settled = state.settle(Evaluation(x=1.0, complexity=complexity, fingerprint="same"))
        assert (settled.failure is not None) == blocked
        assert settled.x == 1.0
    state.apply(record(1, 1.0, 8.0, fingerprint="same"), program(2.0))
    settled = state.settle(Evaluation(x=1.0, complexity=9.0, fingerprint="same"))
    assert settled.failure is not None
    assert "candidate 1" in settled.failure.detail


def test_settle_leaves_failures_and_new_predictions_alone() -> None:
    state, _ = fold(record(0, fingerprint="same"))
    failed = Evaluation(failure=Failure("time"), fingerprint="same")
    for evaluation in (failed, Evaluation(fingerprint="other")):
        assert state.settle(evaluation) is evaluation


def test_credit_counts_children_and_improvements() -> None:
    state, changes = fold(
        record(0, 1.0, 10.0, operator="a"),
        record(1, 5.0, 40.0, operator="b"),
        record(2, 0.0, 9.0, operator="c", failure=Failure("duplicate")),
        record(3, 2.0, 11.0, operator="a"),  # covered by 0 in its island
        record(4, 6.0, 44.0, operator="b", parents=(1,)),  # worse than its parent and covered
        record(5, 9.0, 44.0, operator="b", parents=(0, 1)),  # an empty island: improves
    )
    assert [c.improved for c in changes] == [True, True, False, False, False, True]
    assert state.credit == {"a": (2, 1), "b": (3, 2), "c": (1, 0)}


@pytest.mark.parametrize(("complexity", "improved"), [(12.0, True), (15.0, False)])
def test_beating_all_parents_at_little_more_complexity_improves(complexity: float, improved: bool) -> None:
    _, changes = fold(
        record(0, -9.0, 1.0), record(1, 2.0, 10.0), record(2, 2.0, 10.0),
        record(3, 1.0, complexity, parents=(1, 2)),  # its island's member 0 covers it, its parents do not
    )
    assert changes[3].improved is improved


def test_migration_copies_one_member_to_the_next_island() -> None:
    records = [record(k, 10.0 - k, 10.0) for k in range(6)]
    state, changes = fold(*records, migration_every=6)
    assert [c.migrated for c in changes] == [False] * 5 + [True]
    homes = [{m.k for m in island.members} for island in state.islands]
    # Equal complexities rank by age, so the more accurate (younger) or the older one travels, by weight.
    travellers = [homes[(i + 1) % 3] - {(i + 1) % 3, (i + 1) % 3 + 3} for i in range(3)]
    assert all(len(t) == 1 and t <= {i, i + 3} for i, t in enumerate(travellers))
    assert state.committed == 6


def test_a_single_island_neither_migrates_nor_resets() -> None:
    _, changes = fold(*(record(k, island=0) for k in range(4)), islands=1, migration_every=2, reset_every=2)
    assert not any(c.migrated or c.reset is not None for c in changes)


def test_reset_empties_the_weakest_island_and_founds_it_from_the_front() -> None:
    xs = [0.0, 50.0, 1.0, -1.0, 40.0, 2.0]  # island 1 is the weakest
    state, changes = fold(*(record(k, x, 10.0 + k) for k, x in enumerate(xs)), reset_every=6, founders=5)
    assert changes[-1].reset == 1
    assert {m.k for m in state.islands[1].members} == set(state.front.indices) == {0, 3}
    assert state.reset_at == [None, 5, None]
    # Children without parents: of island 1, once they can know of the reset, for fresh_after_reset rounds.
    first = 5 + state.config.look_back
    assert not state.wants_fresh(1, first - 1)
    assert state.wants_fresh(1, first)
    assert state.wants_fresh(1, first + 3 * state.config.fresh_after_reset - 1)
    assert not state.wants_fresh(1, first + 3 * state.config.fresh_after_reset)
    assert not state.wants_fresh(0, first)


def test_an_empty_island_is_the_weakest() -> None:
    records = [record(0, 1.0), record(1, 1.0, failure=Failure("time")), record(2, 99.0)]
    _, changes = fold(*records, reset_every=3)
    assert changes[-1].reset == 1
