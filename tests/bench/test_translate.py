"""Expressions of packages in the law language."""

from __future__ import annotations

import numpy as np
import pytest
from bench_tools import job, two_targets, two_variables

from sldagent.bench.baselines import gplearn_search
from sldagent.bench.baselines.features import view
from sldagent.bench.baselines.package import LIMIT, Constants, Expression, promising
from sldagent.bench.baselines.translate import translate
from sldagent.laws.expr import add, call, mul, par, var
from sldagent.laws.render import render_expr


@pytest.fixture
def train(tmp_path):
    return job(two_variables(tmp_path / "runs.csv", groups=2)).grounds.train


def power_of(seen, value=-0.3, *, wrong=0.0):
    """``1.5 + exp(value * x0)`` as a package would report it."""
    expr = add(par("c0"), call("exp", mul(par("c1"), var("x0"))))
    return Expression("e", expr, (1.5, value), 1.5 + np.exp(value * seen.X[:, 0]) + wrong, 5)


def test_features_are_centred_logarithms_and_targets_standardised_by_group(train):
    seen = view(train)
    assert np.allclose(seen.X[:, 0], np.log(train.X[:, 0]) - seen.features[0].centre)
    assert np.allclose(seen.X.mean(axis=0), 0, atol=1e-2)
    for g in (0, 1):
        z = seen.Z[train.group == g]
        assert z.mean() == pytest.approx(0, abs=1e-9) and z.std() == pytest.approx(1)
    assert np.allclose(seen.target(seen.Z, train.group), train.Y)


def test_shares_and_logarithms_are_taken_as_they_are(tmp_path):
    path = tmp_path / "mix.csv"
    lines = ["r1,r2,logC,loss"]
    lines += [f"{k / 12:.4f},{1 - k / 12:.4f},{k % 5 - 2},{1 + k * 0.1}" for k in range(13)]
    path.write_text("\n".join(lines) + "\n")
    card = path.with_suffix(".toml")
    card.write_text(
        'table = "mix.csv"\n[vectors]\nr = ["r1", "r2"]\n[variables]\nr1 = {role = "proportion"}\n'
        'r2 = {role = "proportion"}\nlogC = {role = "scale", log = true}\n[targets.loss]\n'
    )
    seen = view(job(card).grounds.train)
    assert [(f.log, f.scale) for f in seen.features] == [(False, 1.0)] * 3
    assert seen.features[0].centre == 0.0
    assert np.isfinite(seen.X).all()


def test_constants_become_parameters_shared_and_by_group(train):
    seen = view(train)
    shared, own = translate(power_of(seen), seen, train, 0)
    assert {p.name: p.scope for p in shared.law.parameters} == {"E": "group", "A": "group", "c2": "shared"}
    assert {p.scope for p in own.law.parameters} == {"group"}
    assert "exp(" in render_expr(own.law.expr) and "log(N)" in render_expr(own.law.expr)
    assert own.law.variables == ("N",)


def test_a_program_can_reach_what_the_package_found(train):
    from sldagent.fitting.public import fit_program

    seen = view(train)
    own = translate(power_of(seen), seen, train, 0)[-1]
    theirs = float(np.mean((seen.target(power_of(seen).fitted[:, None], train.group) - train.Y) ** 2))
    fit = fit_program(own, train)
    assert fit.objective / len(train.Y) < theirs


def test_what_predicts_something_else_than_the_package_is_not_taken(train):
    seen = view(train)
    assert translate(power_of(seen, wrong=0.01), seen, train, 0) == []


def test_constant_and_unknown_expressions_give_no_program(train):
    seen = view(train)
    flat = Expression("c", par("c0"), (1.0,), np.ones(len(seen.X)), 1)
    unknown = Expression("u", None, (), np.ones(len(seen.X)), 1)
    assert flat.constant and not unknown.constant
    assert translate(flat, seen, train, 0) == translate(unknown, seen, train, 0) == []


def test_several_targets_have_their_own_parameters(tmp_path):
    train = job(two_targets(tmp_path / "two.csv")).grounds.train
    seen = view(train)
    (program,) = translate(power_of(seen), seen, train, 1)
    assert "[i]" in render_expr(program.law.expr)


def test_the_front_comes_first_and_duplicates_go():
    z = np.zeros(3)
    made = [
        Expression("large", var("x0"), (), np.full(3, 0.1), 9),
        Expression("worse", var("x0"), (), np.full(3, 0.9), 7),
        Expression("small", var("x0"), (), np.full(3, 0.5), 3),
        Expression("broken", var("x0"), (), np.full(3, np.nan), 4),
    ]
    assert [e.text for e in promising([*made, *made], z)] == ["small", "large", "worse", "broken"]
    assert len(promising([Expression(str(k), None, (), z, 1) for k in range(2 * LIMIT)], z)) == LIMIT


class Function:
    """As gplearn's: protected, called on arrays."""

    def __init__(self, name, function, arity=1):
        self.name, self.function, self.arity = name, function, arity

    def __call__(self, *arguments):
        return self.function(*arguments)


LOG = Function("log", lambda x: np.where(np.abs(x) > 1e-3, np.log(np.abs(x)), 0.0))
SUB = Function("sub", np.subtract, 2)


@pytest.mark.parametrize(
    ("offset", "text"), [(0.0, "log(x0 - c0)"), (10.0, "log(-(x0 - c0))"), (2.0, "log((x0 - c0)**2)/2")]
)
def test_protected_functions_are_written_as_what_they_are_on_the_rows(offset, text):
    constants = Constants()
    X = np.array([[1.0], [1.5], [4.0]])
    expr, values = gplearn_search._tree([LOG, SUB, 0, offset], X, constants)
    assert render_expr(expr) == text
    assert constants.values == [offset]
    assert np.allclose(values, np.log(np.abs(X[:, 0] - offset)))
