"""What every proposer promises.  A new proposer joins by adding a factory to `PROPOSERS`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sldagent.laws.canonical import simplify_program, structure_hash
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Program
from sldagent.laws.render import render_program
from sldagent.proposers.base import Context, Parent, Proposer
from sldagent.proposers.grammar import GrammarProposer
from sldagent.tasks.task import Task

PROPOSERS: dict[str, Callable[[Task], Proposer]] = {"grammar": GrammarProposer}


@pytest.fixture(params=list(PROPOSERS))
def proposer(request: pytest.FixtureRequest, task: Task) -> Proposer:
    return PROPOSERS[request.param](task)


def context(programs: list[Program], seen: set[str], k: int = 100, temperature: float = 0.5, bias: str = "") -> Context:
    parents = [Parent(j, p, 0.0, 10.0, 0.0) for j, p in enumerate(programs)]
    return Context(k, 0, temperature, bias, parents, seen, {"add_term": (10, 2)})


def assert_well_formed(program: Program, task: Task) -> None:
    """Only the task's symbols; every parameter declared once, used, and named unlike a variable; readable as text."""
    law = program.law
    assert set(law.variables) <= {*task.symbols, *task.vectors}
    names = [p.name for p in law.parameters]
    assert len(set(names)) == len(names)
    assert set(parameter_axes(law)) == set(names)
    assert not set(names) & {*task.symbols, *task.vectors}
    back = parse_program(render_program(program), variables={*task.symbols, *task.vectors})
    assert structure_hash(back.law) == structure_hash(law)


def test_seeds_are_distinct_and_well_formed(proposer: Proposer, task: Task) -> None:
    seeds = proposer.seeds()
    assert seeds
    for seed in seeds:
        assert_well_formed(seed.program, task)
        assert seed.operator
        assert not seed.parents
    assert len({structure_hash(s.program.law) for s in seeds}) == len(seeds)


def test_children_are_well_formed_and_name_their_parents(proposer: Proposer, task: Task) -> None:
    seeds = [s.program for s in proposer.seeds()]
    seen = {structure_hash(p.law) for p in seeds}
    for k in range(25):
        parents = [seeds[(7 * k) % len(seeds)], seeds[(11 * k + 3) % len(seeds)]][: 1 + k % 2]
        child = proposer.propose(context(parents, seen, k), np.random.default_rng(k))
        assert_well_formed(child.program, task)
        assert child.operator
        assert set(child.parents) <= set(range(len(parents)))


def test_the_same_context_and_generator_give_the_same_child(task: Task, request: pytest.FixtureRequest) -> None:
    for make in PROPOSERS.values():
        one, two = make(task), make(task)
        assert [s.program for s in one.seeds()] == [s.program for s in two.seeds()]
        parents = [s.program for s in one.seeds()][:2]
        for k in range(8):
            c = context(parents, set(), k)
            first = one.propose(c, np.random.default_rng([5, k]))
            one.propose(c, np.random.default_rng([6, k]))  # what was proposed before does not matter
            assert first == two.propose(c, np.random.default_rng([5, k]))


def test_children_avoid_what_has_been_seen(proposer: Proposer) -> None:
    seeds = [s.program for s in proposer.seeds()]
    seen = {structure_hash(p.law) for p in seeds}
    new = 0
    for k in range(20):
        child = proposer.propose(context(seeds[k % len(seeds) :][:2], seen, k), np.random.default_rng(k))
        new += structure_hash(child.program.law) not in seen
        seen.add(structure_hash(child.program.law))
    assert new >= 10, "even where two parameters are allowed"


def test_an_empty_island_gets_fresh_laws(proposer: Proposer, task: Task) -> None:
    for k in range(5):
        child = proposer.propose(context([], set(), k), np.random.default_rng(k))
        assert_well_formed(child.program, task)
        assert child.parents == ()


def test_any_law_of_the_language_may_be_a_parent(proposer: Proposer, task: Task) -> None:
    symbol = task.symbols[0]
    texts = [
        "def law(X, c):\n    return c\nparameters = {'c': real()}",
        "def law(X, c):\n    return c * tanh(X) + smoothmax(c, 1.5, 3)\nparameters = {'c': real(scope='shared')}",
        "def law(X, p, q):\n    z = [X, X**2 + 1]\n    return p + sum(q[j] * z[j] for j in z)\n"
        "parameters = {'p': interval(0, 4), 'q': real()}\nrecipe = fit(loss='absolute', ridge={'q': 0.5})",
        "def law(X):\n    return 0.5 * X + 1\nparameters = {}",
    ]
    for k, text in enumerate(texts):
        parent = simplify_program(parse_program(text.replace("X", symbol), variables=task.symbols))
        for seed in range(6):
            child = proposer.propose(context([parent, parent], set(), k), np.random.default_rng([k, seed]))
            assert_well_formed(child.program, task)
