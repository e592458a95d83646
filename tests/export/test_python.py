"""The exported Python file: equal to the law, plain, and safe whatever the table's texts are."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sldagent.export import check_document, export_law
from sldagent.laws.catalogue import find
from sldagent.laws.expr import (
    Expr,
    add,
    call,
    div,
    mul,
    names,
    neg,
    num,
    par,
    power,
    sub,
    sum_over,
    var,
    walk,
)
from sldagent.laws.parse import parse_program
from sldagent.laws.program import Law, Parameter, Program

TWO_GROUPS = """
def law(N, D, E, A, B, alpha, beta):
    return E + A * N**-alpha + B * D**-beta

parameters = {"E": positive(), "A": positive(), "B": positive(), "alpha": positive(scope="shared"), "beta":
positive()}
"""
MIXTURE = """
def law(r, N, c, k, t, q):
    z = [log(N), 1 / N]
    return c[i] + k[i] * exp(sum(t[i, j] * r[j] for j in r)) + sum(q[m] * z[m] for m in z) + r[i]

parameters = {"c": positive(), "k": positive(), "t": real(), "q": real(scope="shared")}
"""


def load(source: str) -> types.ModuleType:
    """The exported file as a module."""
    module = types.ModuleType("exported")
    exec(compile(source, "exported.py", "exec"), module.__dict__)
    return module


def test_groups_broadcast_and_match_the_law(exports: SimpleNamespace) -> None:
    program = parse_program(TWO_GROUPS)
    document = exports.make(program, symbols=("N", "D"), groups=("stack", "pile"))
    module = load(export_law(document, "python"))
    N, D = np.geomspace(1, 1e9, 6), np.geomspace(1e3, 1e12, 6)
    for g, group in enumerate(("stack", "pile")):
        expected = [
            exports.reference(program.law, document, {"N": n, "D": d}, g, 0)
            for n, d in zip(N, D, strict=True)
        ]
        np.testing.assert_allclose(module.predict(N, D, group=group), expected, rtol=1e-12)
        np.testing.assert_allclose(module.predict(D=D, N=N, group=np.full(6, group)), expected, rtol=1e-12)
        assert module.predict(N[2], D[2], group=group) == pytest.approx(expected[2], rel=1e-12)
    mixed = module.predict(5, [2, 3], group=["pile", "stack"])
    assert mixed.tolist() == [module.predict(5, 2, group="pile"), module.predict(5, 3, group="stack")]
    assert module.predict(N[:, None], D, group="pile").shape == (6, 6)
    assert np.ndim(module.predict(2, 3, group="pile")) == 0
    assert module.RANGES == {"N": (0.5, 20), "D": (0.5, 20)}


def test_unknown_and_missing_groups_are_named(exports: SimpleNamespace) -> None:
    module = load(
        export_law(exports.make(parse_program(TWO_GROUPS), symbols=("N", "D"), groups=("a", "b")), "python")
    )
    with pytest.raises(ValueError, match="unknown group 'c': the law knows a, b"):
        module.predict(1, 2, group=["a", "c"])
    with pytest.raises(ValueError, match="pass group"):
        module.predict(1, 2)
    single = load(
        export_law(exports.make(parse_program(TWO_GROUPS), symbols=("N", "D"), groups=("only",)), "python")
    )
    assert single.predict(1, 2) == single.predict(1, 2, group="only")
    with pytest.raises(ValueError, match="unknown group"):
        single.predict(1, 2, group="other")


def test_several_targets_and_vectors(exports: SimpleNamespace) -> None:
    program = parse_program(MIXTURE)
    document = exports.make(
        program,
        symbols=("r1", "r2", "N"),
        vectors={"r": ("r1", "r2")},
        targets=("web", "code"),
        groups=("S", "M", "L"),
    )
    module = load(export_law(document, "python"))
    r1 = np.array([0.0, 0.25, 1.0])
    out = module.predict(r1, 1 - r1, 1e6, group=["S", "L", "M"])
    assert module.TARGETS == ("web", "code")
    assert out.shape == (3, 2)
    for row, g in enumerate((0, 2, 1)):
        at = {"r1": r1[row], "r2": 1 - r1[row], "N": 1e6}
        expected = [exports.reference(program.law, document, at, g, target) for target in (0, 1)]
        np.testing.assert_allclose(out[row], expected, rtol=1e-12)
    assert module.predict(0.5, 0.5, 10.0, group="S").shape == (2,)


@pytest.mark.parametrize(
    "name", ["chinchilla", "kaplan", "bnsl3", "data_constrained_full", "clark_moe", "step_law", "logistic"]
)
def test_published_laws_match(exports: SimpleNamespace, name: str) -> None:
    program = find(name).program
    symbols = program.law.variables
    document = exports.make(program, symbols=symbols)
    module = load(export_law(document, "python"))
    rng = np.random.default_rng(5)
    rows = rng.uniform(1, 1e4, (9, len(symbols)))
    expected = [
        exports.reference(program.law, document, dict(zip(symbols, row, strict=True)), 0, 0) for row in rows
    ]
    np.testing.assert_allclose(module.predict(*rows.T), expected, rtol=1e-12)


def test_extreme_arguments_do_not_overflow(exports: SimpleNamespace) -> None:
    law = parse_program(
        "def law(x, a):\n    return a * softplus(x) + sigmoid(-x) + smoothmin(x, 1, 5) + logaddexp(x, 0)\n",
        variables=("x",),
    )
    module = load(export_law(exports.make(law, symbols=("x",)), "python"))
    assert np.all(np.isfinite(module.predict(np.array([-1e4, -1.0, 0.0, 1e4]))))


def summed(e: Expr) -> Expr:
    """A sum over the vector, unless the body already has one."""
    return (
        e
        if any(x.op == "sum" for x in walk(e))
        else sum_over(mul(par("t", "i", "j"), var("r", "j"), e), "j", "r")
    )


LEAVES = st.sampled_from(
    [var("N"), var("D"), par("E"), par("a"), num(2), num(-1), num(0.3), num(-2.5), num(1e-7), num(12345678.0)]
)
SCALARS = st.recursive(
    LEAVES,
    lambda e: st.one_of(
        st.lists(e, min_size=2, max_size=3).map(lambda xs: add(*xs)),
        st.lists(e, min_size=2, max_size=3).map(lambda xs: mul(*xs)),
        st.tuples(e, e).map(lambda p: div(*p)),
        st.tuples(e, e).map(lambda p: power(*p)),
        st.tuples(e, e).map(lambda p: sub(*p)),
        e.map(neg),
        st.tuples(st.sampled_from(["exp", "log", "sqrt", "tanh", "sigmoid", "softplus"]), e).map(
            lambda p: call(*p)
        ),
        st.tuples(e, e).map(lambda p: call("logaddexp", *p)),
        st.tuples(st.sampled_from(["smoothmin", "smoothmax"]), e, e).map(
            lambda p: call(p[0], p[1], p[2], num(3))
        ),
        e.map(summed),
        e.map(lambda x: mul(x, par("c", "i"))),
    ),
    max_leaves=10,
)


def program_of(expr: Expr) -> Program:
    variables = tuple(dict.fromkeys([*names(expr, "var"), *(e.over for e in walk(expr) if e.op == "sum")]))
    return Program(Law(variables, expr, tuple(Parameter(n) for n in names(expr, "par"))))


@settings(max_examples=80, deadline=None)
@given(SCALARS)
@example(Expr("pow", (num(0.3), Expr("add", (num(2.0), Expr("neg", (num(12345678.0),)))))))
def test_random_laws_match(exports: SimpleNamespace, expr: Expr) -> None:
    program = program_of(expr)
    groups, targets = ("g", "h"), ("u", "v")
    document = exports.make(
        program,
        symbols=("N", "D", "r1", "r2"),
        vectors={"r": ("r1", "r2")},
        targets=targets,
        groups=groups,
    )
    law = check_document(document, "").law
    module = load(export_law(document, "python"))
    row = {"N": 1.7, "D": 4.2, "r1": 0.3, "r2": 0.7}
    for g, group in enumerate(groups):
        expected = [exports.reference(law, document, row, g, target) for target in (0, 1)]
        got = module.predict(**row, group=group)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-300)


def test_texts_of_the_table_cannot_become_code(exports: SimpleNamespace) -> None:
    evil = 'x"""\nimport os\nos.environ["SLDAGENT_PWNED"] = "1"\n"""\\'
    document = exports.make(
        parse_program(TWO_GROUPS),
        symbols=("N", "D"),
        columns=(evil, "'''\\N{BULLET}\r\n"),
        groups=(evil, "b\x00\u202e"),
        targets=(evil,),
        task=evil,
        source=evil,
        description=evil,
    )
    document["variables"][0]["unit"] = evil
    document["provenance"]["date"] = document["mode"] = document["formula"] = document["law"] = evil
    for format in ("python", "sympy"):
        source = export_law(document, format)
        assert not [line for line in source.splitlines() if line.startswith(("import os", "os."))]
        load(source)
    import os

    assert "SLDAGENT_PWNED" not in os.environ
    module = load(export_law(document, "python"))
    assert (evil, "b\x00\u202e") == module.GROUPS
    assert np.isfinite(module.predict(1, 2, group=evil))
    assert "import os\n" not in export_law(document, "latex")


def test_symbols_that_clash_with_the_file_are_renamed(exports: SimpleNamespace) -> None:
    program = parse_program(
        "def law(np_, group, shape, rows, result):\n    return result * np_ + group / shape - rows\n",
        variables=("np_", "group", "shape", "rows"),
    )
    document = exports.make(program, symbols=("np_", "group", "shape", "rows"))
    module = load(export_law(document, "python"))
    value = document["parameters"]["result"]["values"][0]
    assert module.predict(2.0, 3.0, 4.0, 5.0) == pytest.approx(value * 2 + 3 / 4 - 5)
    assert module.predict(np_=2.0, group_=3.0, shape=4.0, rows=5.0) == module.predict(2.0, 3.0, 4.0, 5.0)


def test_file_runs_alone_with_warnings_as_errors(exports: SimpleNamespace, tmp_path: Path) -> None:
    program = parse_program(TWO_GROUPS)
    document = exports.make(program, symbols=("N", "D"), groups=("stack", "pile"))
    (tmp_path / "law.py").write_text(export_law(document, "python"), encoding="utf-8")
    check = (
        "import sys, numpy as np, law\n"
        "assert not [m for m in sys.modules if m.startswith(('sldagent', 'scipy', 'pandas', 'sympy'))]\n"
        "law.predict(np.array([0.0, 1e300]), 1e-300, group='pile')\n"
        "print(repr(float(law.predict(7.0, 9.0, group='pile'))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", check],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(
        exports.reference(program.law, document, {"N": 7.0, "D": 9.0}, 1, 0), rel=1e-12
    )


def test_docstring_tells_what_the_law_is(exports: SimpleNamespace) -> None:
    document: dict[str, Any] = exports.make(
        parse_program(TWO_GROUPS), symbols=("N", "D"), columns=("params", "tokens"), groups=("a", "b")
    )
    document["variables"][0]["unit"] = "parameters"
    doc = load(export_law(document, "python")).__doc__
    for part in (
        document["formula"],
        "r1-4",
        "2030-01-03",
        "column 'params', in parameters, 0.5 to 20",
        "-3.25",
        "table.csv",
    ):
        assert part in doc


def test_variables_that_the_law_ignores_may_be_none(exports: SimpleNamespace) -> None:
    program = parse_program("def law(D, E):\n    return E / D\n", variables=("D",))
    module = load(export_law(exports.make(program, symbols=("N", "D")), "python"))
    assert module.predict(None, 4.0) == module.predict(3.0, 4.0)
    assert module.predict(np.ones(3), 4.0).shape == (3,)
