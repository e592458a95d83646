"""The one decision about weights on larger scale: voters, verdict, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pool_fakes import program
from search_rig import config
from test_state import record

from sldagent.evaluation.result import Failure
from sldagent.evolution.emphasis import EMPHASIS, OPERATOR, REPEATED, VOTERS, best_without, emphasised, repeats
from sldagent.evolution.island import Member
from sldagent.evolution.state import SearchState


def voted(changes: list[float | None]) -> SearchState:
    """A state after a plain law with X = -5 and one emphasised twin per change (None: it failed)."""
    state = SearchState(config(migration_every=0, reset_every=0))
    state.apply(record(0, -5.0), program(1.0))
    for k, change in enumerate(changes, 1):
        failure = Failure("non-finite") if change is None else None
        twin = record(k, -5.0 + (change or 0.0), operator=OPERATOR, parents=(0,), failure=failure)
        state.apply(twin, program(k + 1.0))
    return state


def test_adopted_when_most_good_laws_gain() -> None:
    state = voted([-0.5] * 5 + [0.3] * 3)
    assert state.trial.emphasis == EMPHASIS
    assert state.trial.ratio == pytest.approx(2.718281828459045**-0.5)


def test_not_adopted_for_a_small_gain_or_too_few_results_or_before_all_have_voted() -> None:
    assert voted([-0.1] * VOTERS).trial.emphasis == 0.0
    assert voted([-0.9] * (VOTERS // 2 - 1) + [None] * (VOTERS // 2 + 1)).trial.emphasis == 0.0
    assert voted([-0.9] * (VOTERS - 1)).trial.emphasis == 0.0


def test_later_twins_do_not_vote() -> None:
    state = voted([-0.5] * VOTERS + [9.0] * 20)
    assert state.trial.emphasis == EMPHASIS


def test_the_commit_that_decides_says_so() -> None:
    state = SearchState(config(migration_every=0, reset_every=0))
    state.apply(record(0, -5.0), program(1.0))
    said = [
        state.apply(record(k, -6.0, operator=OPERATOR, parents=(0,)), program(k + 1.0)).decided for k in range(1, VOTERS + 3)
    ]
    assert said == [k == VOTERS for k in range(1, VOTERS + 3)]


def test_turns_of_voters_and_of_further_laws() -> None:
    assert [k for k in range(200) if repeats(k, 40, 16, 0.0)] == list(range(40, 40 + VOTERS))
    adopted = [k for k in range(200) if repeats(k, 40, 16, EMPHASIS)]
    first = 40 + VOTERS + 16
    assert adopted == [*range(40, 40 + VOTERS), *range(first, first + REPEATED)]
    assert not any(repeats(k, 0, 16, EMPHASIS) for k in range(200))


def test_the_best_plain_law_whose_twin_is_new() -> None:
    laws = [program(float(k)) for k in range(4)]
    figures = ((-3.0, True), (-9.0, False), (-5.0, True), (-4.0, True))
    members = [Member(k, laws[k], x, 10.0, 0.0, valid) for k, (x, valid) in enumerate(figures)]
    members[2] = replace(members[2], program=emphasised(members[2].program, EMPHASIS))
    found = best_without(members, lambda _: False)
    assert found is not None and found[0].k == 3
    assert found[1].recipe.emphasis == EMPHASIS
    known = found[1]
    second = best_without(members, lambda p: p == known)
    assert second is not None and second[0].k == 0
    assert best_without([], lambda _: False) is None
