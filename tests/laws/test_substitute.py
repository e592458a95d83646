"""Renaming, replacing, and what a law's parts are."""

from __future__ import annotations

from itertools import islice

import pytest

from sldagent.errors import LawError
from sldagent.laws.expr import add, call, num, par, var
from sldagent.laws.inspect import (
    free_indices,
    fresh_parameter_names,
    law_names,
    node_count,
    parameter_axes,
    parameter_index,
    tree_depth,
    uses_targets,
    vector_lengths,
)
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Law, Parameter
from sldagent.laws.render import render_expr, render_law
from sldagent.laws.substitute import rename_parameters, rename_variables

MIXTURE = parse_formula("c[i] + k[i]*exp(sum(t[i, m]*r[m] for m in r))*N", ["N"], ["r"])
NAMED = parse_program(
    "def law(N, D, a):\n    z = [log(N), log(D)]\n    return sum(a[j]*z[j] for j in z)\nparameters = {'a': real()}"
).law


def test_axes_and_indices() -> None:
    assert parameter_axes(MIXTURE) == {"c": ("i",), "k": ("i",), "t": ("i", "r")}
    assert parameter_index(MIXTURE) == {"c": ("i",), "k": ("i",), "t": ("i", "m")}
    assert free_indices(MIXTURE.expr) == {"i"}
    assert free_indices(par("t", "i", "j")) == {"i", "j"}
    assert uses_targets(MIXTURE)
    assert not uses_targets(NAMED)
    assert vector_lengths(NAMED, {"r": 4}) == {"r": 4, "z": 2}
    assert law_names(MIXTURE) == {"N", "r", "c", "k", "t", "m"}


def test_axes_of_a_broken_law() -> None:
    with pytest.raises(LawError, match="no sum binds"):
        parameter_axes(Law((), par("a", "j"), (Parameter("a"),)))
    with pytest.raises(LawError, match="not declared"):
        parameter_axes(Law((), par("a"), ()))
    with pytest.raises(LawError, match="axes"):
        parameter_axes(Law((), add(par("a"), par("a", "i")), (Parameter("a"),)))


def test_tree_measures() -> None:
    assert node_count(parse_formula("E + A*N**-a", ["N"]).expr) == 8
    assert tree_depth(parse_formula("E + A*N**-a", ["N"]).expr) == 5


def test_fresh_names() -> None:
    assert list(islice(fresh_parameter_names(["a", "a3"], "a"), 2)) == ["a2", "a4"]
    assert next(fresh_parameter_names([], "exp")) == "exp2"


def test_variables_are_swapped_at_once() -> None:
    law = parse_formula("N**a + D", ["N", "D"])
    assert render_expr(rename_variables(law, {"N": "D", "D": "N"}).expr) == "D**a + N"


def test_variables_become_expressions() -> None:
    law = parse_formula("N**a + D", ["N", "D"])
    changed = rename_variables(law, {"N": call("exp", add(var("x"), num(1.0))), "D": var("x")})
    assert render_expr(changed.expr) == "exp(x + 1)**a + x"
    assert changed.variables == ("x",)
    with pytest.raises(LawError, match="not declared"):
        rename_variables(law, {"N": par("q")})
    with pytest.raises(LawError, match="also a parameter"):
        rename_variables(law, {"N": "a"})


def test_vectors_are_renamed_with_their_sums() -> None:
    changed = rename_variables(MIXTURE, {"r": "w"})
    assert render_expr(changed.expr) == "c[i] + k[i]*exp(sum(t[i, m]*w[m] for m in w))*N"
    assert changed.variables == ("N", "w")
    with pytest.raises(LawError, match="vector"):
        rename_variables(MIXTURE, {"r": num(1.0)})
    with pytest.raises(LawError, match="index"):
        rename_variables(MIXTURE, {"r": "m"})


def test_named_vectors_follow() -> None:
    assert render_law(rename_variables(NAMED, {"N": "P"})) == "z = [log(P), log(D)]; sum(a[j]*z[j] for j in z)"
    with pytest.raises(LawError, match="also"):
        rename_variables(NAMED, {"N": "z"})


def test_parameters_are_renamed() -> None:
    law = parse_formula("a*N**b", ["N"])
    swapped = rename_parameters(law, {"a": "b", "b": "a"})
    assert render_expr(swapped.expr) == "b*N**a"
    assert [p.name for p in swapped.parameters] == ["b", "a"]
    for taken in ("b", "N"):
        with pytest.raises(LawError, match="two things"):
            rename_parameters(law, {"a": taken})
