from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sldagent.laws.canonical import structure_hash
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Parameter, Program
from sldagent.laws.render import render_expr
from sldagent.proposers.base import Context, Parent, program_key
from sldagent.proposers.grammar import GrammarProposer
from sldagent.proposers.grammar.build import Builder
from sldagent.proposers.grammar.draft import Draft
from sldagent.proposers.grammar.limits import excess, undefined
from sldagent.proposers.grammar.operators import OPERATORS, Edit
from sldagent.proposers.grammar.operators.parameters import fit_genes, share_over_groups, tie_two
from sldagent.tasks.task import Task

KINDS = (
    "scales", "short curves", "u shape", "settings", "mixture", "mixture and scale", "mixtures and scale", "repeats",
    "accuracy", "awkward",
)


@pytest.fixture(scope="module")
def proposers(tasks: dict[str, Task]) -> dict[str, GrammarProposer]:
    return {name: GrammarProposer(task, catalogue_programs=()) for name, task in tasks.items()}


def edit(proposer: GrammarProposer, program: Program, seed: int = 0, other: Program | None = None) -> Edit:
    draft = Draft.of(program)
    b = Builder(proposer.profile, np.random.default_rng(seed), {*draft.parameters, *draft.vectors})
    return Edit(draft, b, proposer.library, "", None if other is None else Draft.of(other))


def law(text: str, variables: tuple[str, ...] = ("N", "D")) -> Program:
    return Program(parse_formula(text, variables))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 6))
def test_chains_of_operators_stay_legal(
    proposers: dict[str, GrammarProposer], kind: str, seed: int, steps: int
) -> None:
    proposer = proposers[kind]
    rng = np.random.default_rng(seed)
    programs = [proposer.propose(Context(0, 0, 0.5, "", [], set(), {}), rng).program for _ in range(2)]
    for k in range(steps):
        parents = [Parent(j, p, 0.0, 1.0, 0.0) for j, p in enumerate(programs[::-1][:2])]
        child = proposer.propose(Context(k, 0, 1.0, "", parents, set(), {}), rng)
        child_law = child.program.law
        assert excess(child_law, proposer.profile, proposer.limits) == ""
        assert undefined(child_law, proposer.profile) == ""
        assert {name for name, _ in child.program.recipe.ridge} <= {p.name for p in child_law.parameters}
        assert set(child.operator.split("+")) <= {*OPERATORS, "random"}
        programs.append(child.program)


@pytest.mark.parametrize("name", [n for n in OPERATORS if n not in ("edit_vector", "fit_genes", "untie", "outer")])
def test_each_operator_changes_a_law(proposers: dict[str, GrammarProposer], name: str) -> None:
    parent = law("E + (A*N**-a + B*D**-b)**c + C*sigmoid(u + v*log(N))")
    other = law("E + C*(N + s)**-c*exp(-D/S)")
    found = set()
    for seed in range(30):
        e = edit(proposers["scales"], parent, seed, other)
        changed = OPERATORS[name][0](e)
        if changed is not None:
            found.add(structure_hash(changed.program(("N", "D")).law))
    assert found - {structure_hash(parent.law)}, f"{name} never did anything"


def test_tie_joins_exponents_and_untie_parts_them(proposers: dict[str, GrammarProposer]) -> None:
    exponents = tuple(Parameter(n, "interval", 0.0, 3.0) for n in "ab")
    parent = law("E + A*N**-a + B*D**-b")
    parameters = tuple(p for p in parent.law.parameters if p.name not in "ab") + exponents
    parent = replace(parent, law=replace(parent.law, parameters=parameters))
    tied = {render_expr(t.expr) for s in range(20) if (t := tie_two(edit(proposers["scales"], parent, s))) is not None}
    assert "E + A*N**-a + B*D**-a" in tied or "E + A*N**-b + B*D**-b" in tied
    assert not any(t.startswith("A + A*") for t in tied), "a floor is not tied to an amplitude"


def test_sharing_over_groups_needs_groups(proposers: dict[str, GrammarProposer]) -> None:
    program = law("E + A*size**-a", ("size",))
    shared = share_over_groups(edit(proposers["short curves"], program))
    assert shared is not None
    assert sorted(p.scope for p in shared.parameters.values()) == ["group", "group", "shared"]
    assert share_over_groups(edit(proposers["scales"], law("E + A*N**-a"))) is None


def test_fit_genes_keep_the_law_and_respect_signs(proposers: dict[str, GrammarProposer]) -> None:
    for seed in range(20):
        e = edit(proposers["u shape"], law("E + A*exp(-a*log_flops)", ("log_flops",)), seed)
        changed = fit_genes(e)
        assert changed is not None
        assert changed.expr == e.expr
        assert changed.recipe != e.draft.recipe
        assert changed.recipe.space != "log", "scores are negative"


def test_fit_genes_are_offered_only_where_runs_tell_recipes_apart(proposers: dict[str, GrammarProposer]) -> None:
    proposer = proposers["scales"]
    parent = law("E + A*N**-a + B*D**-b")
    structure = structure_hash(parent.law)
    for seen, expected in (({structure}, False), ({structure, program_key(parent)}, True)):
        same = []
        for seed in range(150):
            c = Context(seed, 0, 0.0, "", [Parent(0, parent, 0.0, 1.0, 0.0)], seen, {})
            child = proposer.propose(c, np.random.default_rng(seed)).program
            same.append(structure_hash(child.law) == structure)
            assert program_key(child) not in seen
        assert any(same) == expected


def test_exchange_of_variables_and_effective_data(proposers: dict[str, GrammarProposer]) -> None:
    proposer = proposers["repeats"]
    program = law("E + A*N**-a + B*D**-b", ("U", "D", "N"))
    texts = {
        render_expr(changed.expr)
        for seed in range(60)
        if (changed := OPERATORS["effective_var"][0](edit(proposer, program, seed))) is not None
    }
    assert any("exp(-((D/U - 1)/R))" in t or "exp(-(D/U - 1)/R)" in t for t in texts), texts
