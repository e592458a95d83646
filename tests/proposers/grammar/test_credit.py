from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.proposers.grammar.credit import FLOOR, adapted
from sldagent.proposers.grammar.operators import OPERATORS

WEIGHTS = {name: weight for name, (_, weight) in OPERATORS.items()}


def test_without_credit_the_start_weights_rule() -> None:
    shares = adapted({"a": 3.0, "b": 1.0}, {})
    assert shares["a"] == pytest.approx(0.75, abs=0.02)


def test_success_raises_an_operators_share_and_failure_lowers_it() -> None:
    before = adapted(WEIGHTS, {})
    after = adapted(WEIGHTS, {"wrap": (100, 40), "add_term": (100, 1), "tie": (100, 10)})
    assert after["wrap"] > 1.5 * before["wrap"]
    assert after["add_term"] < before["add_term"]


def test_a_child_of_two_operators_credits_both_and_unknown_names_are_ignored() -> None:
    shares = adapted(WEIGHTS, {"wrap+hoist": (100, 50), "tie": (100, 2), "llm": (9, 9)})
    assert shares["wrap"] > shares["tie"]
    assert shares["hoist"] > 0.5 * shares["tie"]


@given(st.dictionaries(st.sampled_from(sorted(OPERATORS)), st.tuples(st.integers(0, 500), st.integers(0, 500))))
def test_shares_add_up_and_keep_the_floor(credit: dict[str, tuple[int, int]]) -> None:
    shares = adapted(WEIGHTS, {k: (n, min(n, m)) for k, (n, m) in credit.items()})
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= FLOOR - 1e-12
