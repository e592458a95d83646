"""Complexity C: the worked examples, and each rule by itself."""

from __future__ import annotations

import pytest

from sldagent.errors import LawError
from sldagent.laws.complexity import Complexity, complexity
from sldagent.laws.parse import parse_formula, parse_program

VARIABLES = ("N", "D", "P")


def of(text: str, **sizes: int) -> Complexity:
    return complexity(parse_formula(text, VARIABLES, ["r"]), sizes)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("E + A/D**a", 13),
        ("E + A*D**-a", 13),
        ("A/(D**a + B) + C", 17),
        ("E + A*N**-alpha + B*D**-beta", 23),
        ("E + A/N**alpha + B/D**beta", 23),
    ],
)
def test_worked_examples(text: str, total: int) -> None:
    assert of(text).total == total


@pytest.mark.parametrize(
    ("text", "tree", "scalars", "literals"),
    [
        ("N", 1, 0, 0),
        ("-N", 1, 0, 0),
        ("N - D", 3, 0, 0),
        ("N + D + P", 5, 0, 0),
        ("N*D*P", 5, 0, 0),
        ("N/D", 3, 0, 0),
        ("N**D", 3, 0, 0),
        ("N**-D", 3, 0, 0),
        ("sqrt(N)", 2, 0, 0),
        ("exp(N)", 3, 0, 0),
        ("log(N)", 3, 0, 0),
        ("tanh(N)", 4, 0, 0),
        ("softplus(N)", 4, 0, 0),
        ("logaddexp(N, D)", 5, 0, 0),
        ("smoothmin(N, D, P)", 9, 0, 0),
        ("N**2", 3, 0, 0),
        ("N**-2", 3, 0, 0),
        ("N**3", 3, 0, 1),
        ("N - 2", 3, 0, 1),  # only the sign of an exponent is free
        ("N + 0.5*D", 5, 0, 0),
        ("N + 7*D + 7*P", 9, 0, 2),
        ("c[i] + N", 3, 1, 0),
        ("N**a + D**a", 7, 1, 0),
        ("A*B*N**-a", 5, 2, 0),  # charged after merging
    ],
)
def test_parts(text: str, tree: int, scalars: int, literals: int) -> None:
    assert of(text) == Complexity(tree, scalars, literals, tree + 2 * scalars + 2 * literals)


def test_repeated_subtrees_are_charged_once() -> None:
    inner = of("log(N + D*P)").tree
    assert of("log(N + D*P) + P/(1 + log(N + D*P))").tree == inner + 1 + 1 + 1 + 1 + 1 + 1
    assert of("tanh(log(N)) + log(N)").tree == 1 + 3 + 3 + 1


def test_sums_and_arrays() -> None:
    # sum 2, product 1, two leaves; t by element of r, not by target
    assert of("sum(t[i, j]*r[j] for j in r)", r=5) == Complexity(5, 5, 0, 15)
    assert of("sum(q[j, k]*r[j]*r[k] for j in r for k in r)", r=3).scalars == 9
    with pytest.raises(LawError, match="length"):
        of("sum(t[j]*r[j] for j in r)")


def test_named_vectors_are_charged_once() -> None:
    text = "def law(N, D, a, q):\n    z = [log(N), log(D)]\n    return {}\nparameters = {{'a': real(), 'q': real()}}"
    once = complexity(
        parse_program(text.format("sum(a[j]*z[j] for j in z)").replace(", q)", ")").replace(", 'q': real()", "")).law
    )
    assert once == Complexity(6 + 5, 2, 0, 15)
    both = complexity(
        parse_program(text.format("sum(a[j]*z[j] for j in z) + sum(q[j,k]*z[j]*z[k] for j in z for k in z)")).law
    )
    assert both == Complexity(6 + 5 + 1 + (4 + 5), 6, 0, 33)
