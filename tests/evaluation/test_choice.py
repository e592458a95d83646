"""The choice rule on constructed evaluations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sldagent.evaluation.choice import by_variable, choose
from sldagent.evaluation.result import CutScore, Evaluation, Failure

RNG = np.random.default_rng(0)
COMMON = 0.05 * RNG.normal(size=64)


def law(x, mdl, *, valid=True, noise=0.0, seed=0, failure=None):
    """An evaluation whose bootstrap is shared with the others, plus `noise` of its own."""
    boot = x + COMMON + noise * np.random.default_rng(seed).normal(size=64)
    return Evaluation(x=x, x_se=0.05, mdl=mdl, complexity=10, valid=valid, x_boot=boot, failure=failure)


def test_lowest_mdl_among_the_indistinguishable():
    choice = choose([(0, law(-5.0, 10)), (1, law(-4.9, -20)), (2, law(-4.0, -90))])
    assert choice.index == 1
    assert choice.shortlist[:2] == (1, 0)


def test_error_decides_between_nearly_equal_description_lengths():
    assert choose([(0, law(-5.0, 10)), (1, law(-4.8, -20)), (2, law(-4.9, -18.5))]).index == 2
    assert choose([(0, law(-5.0, 10)), (1, law(-4.8, -20)), (2, law(-4.9, -17))]).index == 1


def test_wide_paired_error_admits_more_laws_but_never_beyond_ln_two():
    wide = law(-4.5, -50, noise=1.0)
    assert choose([(0, law(-5.0, 10)), (1, wide)]).index == 1
    narrow = law(-4.5, -50)
    assert choose([(0, law(-5.0, 10)), (1, narrow)]).index == 0
    assert choose([(0, law(-5.0, 10)), (1, law(-5.0 + math.log(2) + 0.01, -50, noise=5.0))]).index == 0


def along(x, mdl, **errors):
    """An evaluation with one cut per variable."""
    cuts = tuple(CutScore(f"{v}: top level", v, "loss", 5, error, -9.0) for v, error in errors.items())
    return replace(law(x, mdl), cuts=cuts)


def test_a_law_that_gives_way_along_one_variable_is_not_near():
    best = along(-5.0, 10, N=-5.0, D=-5.0)
    weak = along(-5.0, -90, N=-8.0, D=-5.0 + math.log(3) + 0.01)
    even = along(-4.8, -20, N=-4.8, D=-4.8)
    assert choose([(0, best), (1, weak), (2, even)]).index == 2
    assert choose([(0, best), (1, along(-5.0, -90, N=-8.0, D=-5.0 + math.log(3) - 0.01)), (2, even)]).index == 1


def test_a_law_that_misses_what_another_explains_is_not_believed():
    plain = replace(law(-3.0, -100.0), train_r2=0.99)
    lucky = replace(law(-5.0, -30.0), train_r2=0.97)
    assert choose([(0, plain), (1, lucky)]).index == 0
    assert choose([(0, plain), (1, replace(lucky, mdl=-50.0))]).index == 1
    assert choose([(0, plain), (1, replace(lucky, train_r2=0.985))]).index == 1


def test_perfect_fits_are_alike():
    perfect = replace(law(-3.0, -900.0), train_r2=1.0)
    rounded = replace(law(-5.0, -700.0), train_r2=1.0 - 1e-13)
    assert choose([(0, perfect), (1, rounded)]).index == 1


def test_errors_along_a_variable_are_means_over_its_cuts():
    cuts = (CutScore("N: top level", "N", "loss", 5, -1.0, 0.0), CutScore("N: top 2 levels", "N", "loss", 9, -3.0, 0.0))
    assert by_variable(replace(law(-2.0, 0), cuts=cuts)) == {"N": -2.0}


def test_invalid_failed_and_infinite_laws_are_never_chosen():
    entries = [
        (0, law(-9, -99, valid=False)),
        (1, law(-9, -99, failure=Failure("time"))),
        (2, law(math.inf, -99)),
        (3, law(1, 5)),
    ]
    assert choose(entries).index == 3
    assert choose(entries[:3]) is None
    assert choose([]) is None


def test_published_law_is_recommended_unless_beaten_by_one_standard_error():
    chosen = choose([(0, law(-5.0, 0)), (1, law(-5.05, -30, noise=0.2, seed=1))], catalogue={0})
    assert chosen.index == 0 and "published" in chosen.reason
    assert 1 in chosen.shortlist
    assert choose([(0, law(-5.0, 0)), (1, law(-5.6, -30, noise=0.2, seed=1))], catalogue={0}).index == 1


def test_short_list_holds_the_lowest_error_and_no_repeats():
    entries = [(k, law(-5.0 + 0.04 * k, -10 * k)) for k in range(6)]
    choice = choose(entries)
    assert choice.index == 5
    assert choice.shortlist == (5, 4, 0)


def test_order_of_entries_does_not_matter():
    entries = [(k, law(-5.0 + 0.01 * (k % 3), -(k % 2))) for k in range(8)]
    assert choose(entries) == choose(entries[::-1])
