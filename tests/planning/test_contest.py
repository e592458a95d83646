"""Groups ranked at a scale beyond their trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sldagent
from sldagent.errors import PlanError
from sldagent.fitted import Fitted
from sldagent.planning.contest import contests, select
from sldagent.planning.draws import Evidence, evidence

TRUTH = {
    "a/x": (1.0, 3.0, 0.5), "b/x": (1.4, 2.0, 0.5), "c/x": (1.2, 9.0, 0.45),
    "a/y": (2.0, 3.0, 0.5), "b/y": (1.9, 6.0, 0.5),
}  # fmt: skip
"""Floor, factor and exponent by group."""


def trials(noise: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = np.geomspace(100, 1e5, 10)
    parts = []
    for group, (E, A, a) in TRUTH.items():
        parts.append(pd.DataFrame({"group": group, "n": n, "loss": (E + A * n**-a) * np.exp(noise * rng.normal(size=10))}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return trials(0.002)


@pytest.fixture(scope="module")
def law(rows: pd.DataFrame) -> Fitted:
    return sldagent.fit(rows, "E + A*n**-a", target="loss", variables=["n"], group="group")


def test_ranking_is_that_of_the_truth(law: Fitted, rows: pd.DataFrame) -> None:
    found = select(law, {"n": 1e7}, evidence(law, rows, 60), pattern="/(.*)")
    for contest in found:
        truth = {g: E + A * 1e7**-a for g, (E, A, a) in TRUTH.items() if g.endswith(contest.name)}
        assert [e.group for e in contest.entrants] == sorted(truth, key=truth.__getitem__)
        assert sum(e.best for e in contest.entrants) == pytest.approx(1.0)
        assert contest.entrants[0].best > 0.9
    assert [c.name for c in found] == ["x", "y"]


def test_probability_falls_with_noise() -> None:
    best = []
    for noise in (0.001, 0.2):
        rows = trials(noise)
        law = sldagent.fit(rows, "E + A*n**-a", target="loss", variables=["n"], group="group")
        (contest,) = select(law, {"n": 1e7}, evidence(law, rows, 60))
        best.append(max(e.best for e in contest.entrants))
    assert best[1] < best[0]


def test_highest_turns_the_order(law: Fitted) -> None:
    (low,) = select(law, {"n": 1e7}, Evidence())
    (high,) = select(law, {"n": 1e7}, Evidence(), highest=True)
    assert [e.group for e in high.entrants] == [e.group for e in low.entrants][::-1]
    assert low.entrants[0].best == high.entrants[0].best == 1.0


@pytest.mark.parametrize(
    ("at", "pattern", "words"),
    [
        ({}, None, "'n' needs a value"),
        ({"n": 1.0, "m": 1.0}, None, "no variable 'm'"),
        ({"n": 1.0}, "(", "not a regular expression"),
        ({"n": 1.0}, "/(z)", "does not match"),
    ],
)
def test_mistakes_are_named(law: Fitted, at: dict[str, float], pattern: str | None, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        select(law, at, Evidence(), pattern=pattern)


def test_contests_are_what_groups_have_in_common() -> None:
    assert contests(("a/x", "b/y"), None) == {"": [0, 1]}
    assert contests(("a/x", "b/x", "b/y"), "[xy]") == {"x": [0, 1], "y": [2]}
