"""The contenders are all that the choice may need, and no more than a bounded number."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.evaluation.choice import choose
from sldagent.evaluation.result import Evaluation, Failure
from sldagent.evolution.contenders import BAND, Contenders

EVERY = 10**6


def law(x: float, mdl: float = 0.0, **changes: Any) -> Evaluation:
    return Evaluation(**{"x": x, "mdl": mdl, "complexity": 10.0, "valid": True, **changes})


def gathered(laws: list[Evaluation], limit: int = EVERY) -> Contenders:
    contenders = Contenders(limit)
    for k, evaluation in enumerate(laws):
        contenders.add(k, evaluation, front=())
    return contenders


LAWS = st.lists(
    st.builds(
        law,
        x=st.floats(-6.0, 0.0),
        mdl=st.floats(-200.0, 0.0),
        train_r2=st.floats(0.5, 0.999),
        valid=st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=60,
)


@given(laws=LAWS)
@settings(deadline=None, max_examples=200)
def test_the_choice_among_the_contenders_is_that_among_all(laws: list[Evaluation]) -> None:
    every, kept = list(enumerate(laws)), gathered(laws).kept
    among_all, among_kept = choose(every), choose([(k, e) for k, e in every if k in kept])
    assert (among_all is None) == (among_kept is None)
    if among_all is not None and among_kept is not None:
        assert among_kept.index == among_all.index
        assert among_kept.reason == among_all.reason


@given(laws=LAWS)
@settings(deadline=None)
def test_restored_contenders_go_on_as_the_first_would_have(laws: list[Evaluation]) -> None:
    half = len(laws) // 2
    first = gathered(laws[:half])
    second = Contenders(EVERY)
    second.restore(first.kept, first.always)
    for k in range(half, len(laws)):
        for contenders in (first, second):
            contenders.add(k, laws[k], front=())
    assert first.kept == second.kept


def test_they_stay_bounded() -> None:
    contenders = Contenders(limit=10)
    contenders.add(0, law(90.0, 90.0), front=(0,), always=True)
    contenders.add(1, law(80.0, 80.0), front=(0, 1))
    contenders.add(2, law(0.0, failure=Failure("time")), front=(0, 1))
    for k in range(3, 200):
        x = 0.0 if k % 2 == 0 else BAND + 0.1
        contenders.add(k, law(x, float(1000 - k), train_r2=0.9), front=(0, 1, 3))
    kept = contenders.kept
    assert {0, 1, 3, 198} <= kept.keys()  # the front and the lowest MDL near the best
    assert 2 not in kept
    assert len(kept) <= 3 + 2 * 10


def test_a_law_beaten_in_everything_goes_but_one_that_explains_more_stays() -> None:
    lucky, plain = law(-5.0, -30.0, train_r2=0.9), law(-3.0, -100.0, train_r2=0.99)
    beaten = law(-5.0 + BAND + 0.1, -20.0, train_r2=0.8)
    assert tuple(gathered([lucky, plain, beaten]).kept) == (0, 1)


def test_a_failed_catalogue_law_is_kept_for_the_report() -> None:
    contenders = Contenders()
    contenders.add(0, law(math.inf, failure=Failure("non-finite")), front=(), always=True)
    assert tuple(contenders.kept) == contenders.always == (0,)
