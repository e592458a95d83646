from __future__ import annotations

from dataclasses import replace

import pytest

from sldagent.laws.parse import parse_formula, parse_program
from sldagent.proposers.grammar.limits import Limits, excess, parameter_counts, undefined
from sldagent.proposers.grammar.profile import profile
from sldagent.tasks.task import Task

CASES = [
    ("scales", "E + A*N**-a", ""),
    ("scales", "N**N", "base and exponent"),
    ("scales", "E + N**-(a + b*log(N))", "base and exponent"),
    ("scales", "E + N**-(a + b*log(D))", ""),
    ("settings", "log(dropout)", "log"),
    ("settings", "A*dropout**-a", "pow"),
    ("settings", "A/dropout", "division"),
    ("settings", "A*(dropout - 0.05)**2", ""),
    ("u shape", "log(log_flops)", "log"),
    ("u shape", "exp(-a*log_flops)", ""),
    ("mixture and scale", "log(r1)", "log"),
    ("mixture and scale", "(r1 + D)**-a", ""),
    ("accuracy", "C**-sparsity", ""),
    ("accuracy", "sparsity**-a", "pow"),
]


@pytest.mark.parametrize(("kind", "text", "problem"), CASES)
def test_domains(tasks: dict[str, Task], kind: str, text: str, problem: str) -> None:
    task = tasks[kind]
    found = undefined(parse_formula(text, task.symbols), profile(task))
    assert problem in found
    assert bool(problem) == bool(found)


def test_a_positive_mean_of_proportions_may_be_raised_to_a_power_but_not_a_signed_one(tasks: dict[str, Task]) -> None:
    task = tasks["mixture"]
    text = (
        "def law(r, w, a):\n    return sum(w[i, j]*r[j] for j in r)**-a[i]\n"
        "parameters = {'w': KIND(), 'a': interval(0, 3)}"
    )
    good, bad = (parse_program(text.replace("KIND", kind)).law for kind in ("positive", "real"))
    assert undefined(good, profile(task)) == ""
    assert "pow" in undefined(bad, profile(task))


def test_parameter_counts_by_element_target_and_scope() -> None:
    text = (
        "def law(r, c, w, k):\n    return c[i] + k*exp(sum(w[i, j]*r[j] for j in r))\n"
        "parameters = {'c': real(), 'w': real(), 'k': positive(scope='shared')}"
    )
    assert parameter_counts(parse_program(text).law, {"r": 3}, 2) == (2, 9.0, 8.0)


def test_limits(tasks: dict[str, Task]) -> None:
    view = profile(tasks["scales"])  # 56 rows: 22 parameters
    small = parse_formula("E + A*N**-a + B*D**-b", ("N", "D"))
    assert excess(small, view, Limits()) == ""
    assert "rows" in excess(small, replace(view, rows=12), Limits())
    assert "task" in excess(small, replace(view, max_parameters=4), Limits())
    assert "scalar" in excess(small, view, Limits(scalars=4))
    assert "tree" in excess(small, view, Limits(tree=10))


def test_a_shared_parameter_counts_once_over_the_groups(tasks: dict[str, Task]) -> None:
    view = replace(profile(tasks["short curves"]), rows=8, max_parameters=None)  # 3.2 per group
    law = parse_formula("E + A*size**-a + B*log(size)", ("size",))
    assert "rows" in excess(law, view, Limits())
    parameters = tuple(replace(p, scope="shared" if p.name == "a" else "group") for p in law.parameters)
    assert excess(replace(law, parameters=parameters), view, Limits()) == ""


@pytest.mark.parametrize("text", ["A/exp(-9*D)", "A/(1 + exp(-exp(D)))", "A/(exp(-9*D)*exp(-N))", "log(exp(-9*D))"])
def test_what_underflows_is_positive_still(tasks: dict[str, Task], text: str) -> None:
    task = tasks["scales"]
    assert undefined(parse_formula(text, task.symbols), profile(task)) == ""
