"""Anonymised names and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_tables import chinchilla, program, table

from sldagent.laws.canonical import structure_hash
from sldagent.laws.catalogue import catalogue
from sldagent.laws.expr import Expr, add, call, div, mul, neg, num, par, power, sum_over, var
from sldagent.laws.inspect import law_names
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.laws.render import render_program
from sldagent.prompts.names import blind_names, plain_names

R = np.full((4, 3), 1 / 3)
TASK = table(
    np.column_stack([np.logspace(1, 4, 4), np.logspace(2, 5, 4), R]), np.ones((4, 2)),
    {"tokens": "scale", "x1": "scale", "w1": "proportion", "w2": "proportion", "w3": "proportion"},
    vectors={"w": ("w1", "w2", "w3")}, groups=2,
)  # fmt: skip
NAMES = blind_names(TASK)
PARAMETERS = ("A", "x2", "v1", "y1", "alpha", "N")

leaves = st.one_of(
    st.sampled_from(["tokens", "x1", "w1"]).map(var),
    st.sampled_from(PARAMETERS).map(par),
    st.sampled_from([1.0, 2.0, 0.5]).map(num),
)


def _larger(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda a: add(*a)),
        st.lists(inner, min_size=2, max_size=3).map(lambda a: mul(*a)),
        st.tuples(inner, inner).map(lambda p: div(*p)),
        st.tuples(inner, inner).map(lambda p: power(*p)),
        inner.map(neg),
        inner.map(lambda a: call("exp", a)),
        st.sampled_from(["j", "x3", "v2"]).map(lambda k: sum_over(mul(par("t", k), var("w", k)), k, "w")),
    )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    expr = draw(st.recursive(leaves, _larger, max_leaves=10))
    expr = add(expr, mul(par("b", "i"), var("tokens")))
    used = law_names(Law((), expr, ()))
    from sldagent.laws.expr import names

    parameters = names(expr, "par")
    variables = [v for v in ("tokens", "x1", "w1") if v in names(expr, "var")] + (
        ["w"] if "w" in {*names(expr, "var"), *used} else []
    )
    if "w" not in variables and "sum" in {e.op for e in _nodes(expr)}:
        variables.append("w")
    law = Law(tuple(dict.fromkeys(variables)), expr, tuple(Parameter(p) for p in parameters))
    text = render_program(Program(law, Recipe(ridge=(("t", 0.1),) if "t" in parameters else ())))
    return parse_program(text, variables=[*TASK.symbols, "w"], vectors=["w"])


def _nodes(e):
    from sldagent.laws.expr import walk

    return walk(e)


@given(programs())
def test_blinding_and_back(p):
    shown = NAMES.program(p)
    assert not {"tokens", "w", "w1"} & law_names(shown.law)
    text = render_program(shown)
    again = parse_program(text, variables=NAMES.shown, vectors=NAMES.shown_vectors)
    assert again == shown
    back = NAMES.reveal(again)
    assert structure_hash(back.law) == structure_hash(p.law) and back.law.variables == p.law.variables
    assert len(back.recipe.ridge) == len(p.recipe.ridge)
    clear = not {q.name for q in p.law.parameters} & {"x2", "v1"} and not {"x3", "v2"} & law_names(p.law)
    assert not clear or back == p


def test_names_that_collide_with_the_task_s_are_moved_aside():
    answer = parse_program(
        "def law(x1, x2, tokens, w):\n    return tokens*x1 + w*x2\n", variables=NAMES.shown, vectors=["v1"]
    )
    back = NAMES.reveal(answer)
    assert back.law.variables == ("tokens", "x1") and not {p.name for p in back.law.parameters} & {*TASK.symbols, "w"}
    assert len(back.law.parameters) == 2


def test_every_published_law_goes_there_and_back():
    names = blind_names(chinchilla())
    for entry in catalogue():
        p = entry.program
        back = names.reveal(names.program(p))
        assert structure_hash(back.law) == structure_hash(p.law), entry.name


def test_fitting_code_is_renamed_but_not_its_attributes_and_keywords():
    task = table(np.column_stack([np.logspace(1, 3, 6)] * 2), np.ones(6), {"size": "scale", "loss_scale": "scale"})
    names = blind_names(task)
    text = """def law(size, A, a):
    return A*size**-a

def custom_fit(rows, targets, law):
    size = rows["size"]  # the size column
    x2 = size.size
    return fit(law, size=3, start=[x2, f(size)])
"""
    p = program(text, task)
    shown = names.program(p).custom_fit
    assert 'x1 = rows["x1"]  # the x1 column' in shown and "x1.size" in shown and "size=3" in shown and "f(x1)" in shown
    assert names.reveal(names.program(p)).custom_fit.replace("x2_", "x2") == p.custom_fit


def test_messages():
    said = NAMES.text("predicts loss_1 = 3 beyond tokens in corpus1, tokens_seen stays")
    assert said == "predicts y2 = 3 beyond x1 in g2, tokens_seen stays"
    assert NAMES.reveal_text("bias at large x1 and x2") == "bias at large tokens and x1"
    assert plain_names(TASK).text("loss_1") == "loss_1" and plain_names(TASK).reveal_text("x1") == "x1"


@pytest.mark.parametrize("direction", ["joint", "mixture"])
def test_directions_keep_their_names(direction):
    assert NAMES.symbol(direction) == direction
