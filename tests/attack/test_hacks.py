"""Reward hacking: every hack works on an evaluator without a guard, and is given away by the lint or the guard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sldagent.errors import JailUnavailable
from sldagent.foreign.guard import Guarded, guard
from sldagent.foreign.lint import lint_program
from sldagent.foreign.program import ForeignProgram, Runner
from sldagent.sandbox import Jail
from sldagent.tasks.task import Target, Task, Variable
from tests.attack.hacks import DIGIT_PACKING, HACKS, ROWS, Hack, X, Y, naive_calls, seen_at_work

CHECKS = ("parameters", "repeat", "rounding", "permutation", "decoys", "single rows")


@pytest.fixture(scope="module")
def jail() -> Iterator[Jail]:
    try:
        made = Jail(parallel=1)
    except JailUnavailable as error:
        pytest.skip(f"no jail on this host: {error}")
    with made:
        yield made


def verdict(hack: Hack, jail: Jail) -> Guarded:
    group = np.zeros(ROWS, dtype=np.int64)
    names = (Variable("x", "x", "scale"),), (Target("y"),)
    task = Task("noise", *names, X, Y[:, None], group, ("all",), np.array(["train"] * ROWS))
    runner = Runner(ForeignProgram(hack.name, hack.source, lint_program(hack.source)), jail, 1)
    fit = runner.fit(X, Y[:, None], group, 1)
    assert fit.parameters is not None, fit.failure
    return guard(runner, task, X, group, fit.parameters, np.random.default_rng(3))


@pytest.mark.parametrize("hack", HACKS, ids=lambda hack: hack.name)
def test_it_works_where_nobody_looks(hack: Hack) -> None:
    """The positive control."""
    assert seen_at_work(hack) == hack.works


@pytest.mark.parametrize("hack", HACKS, ids=lambda hack: hack.name)
def test_the_lint_says_what_the_source_gives_away(hack: Hack) -> None:
    found = lint_program(hack.source)
    assert not found.refusal
    rules = {finding.rule for finding in found.findings}
    assert hack.lint in rules if hack.lint else found.clean


@pytest.mark.parametrize("hack", HACKS, ids=lambda hack: hack.name)
def test_the_guard_refuses_what_is_no_function_of_a_row(hack: Hack, jail: Jail) -> None:
    found = verdict(hack, jail)
    if hack.guard:
        assert not found.passed
        assert found.reason.startswith(hack.guard), found.reason
        assert found.predictions is None
        return
    assert found.passed, found.reason
    assert found.checks == CHECKS
    assert found.predictions is not None
    score = 1.0 - np.mean((Y - found.predictions[:, 0]) ** 2) / np.var(Y)
    assert (score > 0.999) == (hack.lint in ("literals", "string"))  # a table in the source: the lint's part


def test_state_is_that_of_a_first_call(jail: Jail) -> None:
    stateful = next(hack for hack in HACKS if hack.name == "stateful_predict")
    found = verdict(stateful, jail)
    assert found.predictions is not None
    np.testing.assert_allclose(found.predictions[:, 0], naive_calls(stateful.source)(X), rtol=1e-6)


def test_what_is_packed_into_digits_is_worth_nothing_on_other_rows(jail: Jail) -> None:
    """The known limit of both: it passes, and shows nothing but rows that it was given."""
    assert seen_at_work(DIGIT_PACKING) == "score"
    assert lint_program(DIGIT_PACKING.source).clean
    assert verdict(DIGIT_PACKING, jail).passed
    beyond = np.random.default_rng(8).normal(size=ROWS)
    predicted = naive_calls(DIGIT_PACKING.source)(X * 1.3**ROWS)
    assert 1.0 - np.mean((beyond - predicted) ** 2) / np.var(beyond) < 0.5


def test_every_hack_is_given_away() -> None:
    """Only a hidden state is caught by neither: it is gone, as every call is a first one."""
    assert [hack.name for hack in HACKS if not hack.lint and not hack.guard] == ["stateful_predict", "honest_law"]
    assert len(HACKS) >= 14
