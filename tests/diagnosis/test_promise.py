"""The vocabulary of promises, and whether they were kept."""

import numpy as np
import pytest
from study_tables import CHINCHILLA, TRUE, chinchilla, given, grid, study, table

from sldagent.diagnosis import Promise, kept, parse_promise, vocabulary

FOUND = study(chinchilla(scatter=0.005))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bias at large D", "bias at large D"),
        ("Bias at large `d`.", "bias at large D"),
        ('"interaction of N and D"', "interaction of N and D"),
        ("interaction of N with D, which is +0.5", "interaction of N and D"),
        ("error beyond joint", "error beyond joint"),
        ("**curvature in N**", "curvature in N"),
        ("the unexplained variance", "unexplained variance"),
        ("slope at small N (too flat)", "slope at small N"),
        ("bias at large Q", None),
        ("optimum of N", None),
        ("everything", None),
        ("", None),
    ],
)
def test_phrases(text, expected):
    found = parse_promise(text, FOUND)
    assert (None if found is None else str(found)) == expected


def test_every_phrase_of_the_vocabulary_is_understood():
    for phrase, _ in vocabulary(FOUND):
        assert parse_promise(phrase.replace("X", "N").replace("Y", "D"), FOUND) is not None, phrase
    assert "optimum of S" not in dict(vocabulary(FOUND))


PARENT = given(FOUND, CHINCHILLA, {**TRUE, "b": 0.26})
CHILD = given(FOUND, CHINCHILLA + "recipe = fit(starts=17)\n", TRUE)


@pytest.mark.parametrize(
    "phrase", ["bias at large D", "bias at small D", "slope at large D", "curvature in D", "unexplained variance"]
)
def test_a_better_law_keeps_its_promises_and_a_worse_one_does_not(phrase):
    promise = parse_promise(phrase, FOUND)
    good = kept(promise, PARENT, CHILD)
    assert good.kept is True and good.after < good.before
    assert kept(promise, PARENT, PARENT).kept is False
    assert kept(promise, CHILD, PARENT).kept is not True


def test_nothing_to_fix_is_neither_kept_nor_broken():
    outcome = kept(Promise("bias at large", ("D",)), CHILD, PARENT)
    assert outcome.kept is None and "nothing there to fix" in outcome.why


def test_an_interaction():
    X = grid(np.logspace(3, 6, 6), np.logspace(2, 4, 5))
    n, d = np.log(X[:, 0]), np.log(X[:, 1])
    found = study(table(X, 40 - n - d + 0.1 * n * d, {"N": "scale", "D": "scale"}))
    parent = given(found, "def law(N, D, c):\n    return c - log(N) - log(D)\n", {"c": 46.0})
    child = given(found, "def law(N, D, c, k):\n    return c - log(N) - log(D) + k*log(N)*log(D)\n", {"c": 40.0, "k": 0.1})
    assert kept(Promise("interaction of", ("D", "N")), parent, child).kept is True
    assert kept(Promise("curvature in", ("N",)), parent, child).kept is None


def test_an_optimum():
    X = grid(np.logspace(6, 9, 5), np.logspace(-4, -1, 6))
    y = 2 + 0.05 * (np.log(X[:, 1]) + 5.5 + 0.1 * np.log(X[:, 0] / 1e7)) ** 2
    found = study(table(X, y, {"N": "scale", "lr": "setting"}))
    fixed = given(found, "def law(lr, m):\n    return 2 + 0.05*(log(lr) - m)**2\n", {"m": -5.7})
    moving = given(found, "def law(N, lr, m):\n    return 2 + 0.05*(log(lr) - m + 0.1*log(N/10000000))**2\n", {"m": -5.5})
    assert kept(parse_promise("optimum of lr", found), fixed, moving).kept is True
    without = given(found, "def law(N, m):\n    return 2 + m*N**-0.1\n", {"m": 1.0})
    assert kept(parse_promise("optimum of lr", found), without, moving).kept is True
    assert kept(parse_promise("optimum of lr", found), without, without).kept is False
    assert kept(parse_promise("optimum of lr", found), fixed, without).kept is False


@pytest.mark.parametrize(
    ("kind", "before", "after", "expected"),
    [
        ("range", {"valid": False}, {"valid": True}, True),
        ("range", {"valid": True}, {"valid": True}, None),
        ("range", {"valid": False}, {"valid": False}, False),
        ("complexity", {"complexity": 20.0}, {"complexity": 17.0}, True),
        ("complexity", {"complexity": 20.0}, {"complexity": 19.0}, False),
        ("undetermined parameters", {"rank_deficient": 1}, {"rank_deficient": 0}, True),
        ("undetermined parameters", {}, {}, None),
        ("error beyond", {}, {"cuts": ()}, None),
    ],
)
def test_figures_of_the_evaluation(kind, before, after, expected):
    found = study(chinchilla())
    parent = given(found, CHINCHILLA, TRUE, **before)
    child = given(found, CHINCHILLA + "recipe = fit(starts=18)\n", TRUE, **after)
    symbols = ("N",) if kind == "error beyond" else ()
    assert kept(Promise(kind, symbols), parent, child).kept is expected
