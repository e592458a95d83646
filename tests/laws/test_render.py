"""Laws as text: clean, and read back to the same value."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.errors import LawError
from sldagent.laws.canonical import structure_hash
from sldagent.laws.expr import add, call, div, mul, neg, num, par, power, sum_over, var
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Law, Parameter, Program, Recipe
from sldagent.laws.render import render_expr, render_law, render_program

sys.path.insert(0, str(Path(__file__).parent))
from law_tools import VARIABLES, evaluate, random_laws, sample_inputs, sample_values

N, D, a, b = var("N"), var("D"), par("a"), par("b")


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (add(a, mul(b, power(N, neg(a)))), "a + b*N**-a"),
        (div(a, add(power(D, a), b)), "a/(D**a + b)"),
        (add(N, neg(mul(a, D)), num(-2)), "N - a*D - 2"),
        (add(neg(N), D), "-N + D"),
        (add(N, neg(add(D, a))), "N - (D + a)"),
        (mul(N, neg(D)), "N*(-D)"),
        (div(N, mul(D, a)), "N/(D*a)"),
        (mul(N, div(D, a)), "N*(D/a)"),
        (div(div(N, D), a), "N/D/a"),
        (div(N, div(D, a)), "N/(D/a)"),
        (power(power(N, a), b), "(N**a)**b"),
        (power(N, power(a, b)), "N**a**b"),
        (power(N, neg(power(a, b))), "N**-a**b"),
        (power(N, neg(mul(a, b))), "N**(-a*b)"),
        (power(neg(N), num(2)), "(-N)**2"),
        (power(num(-2), N), "(-2)**N"),
        (neg(power(N, num(2))), "-N**2"),
        (neg(neg(N)), "-(-N)"),
        (power(N, num(-0.5)), "N**-0.5"),
        (mul(num(2), N), "2*N"),
        (num(1e30), "1e+30"),
        (num(1e-7), "1e-07"),
        (call("smoothmin", N, D, num(1)), "smoothmin(N, D, 1)"),
        (sum_over(mul(par("t", "i", "j"), var("r", "j")), "j", "r"), "sum(t[i, j]*r[j] for j in r)"),
        (sum_over(sum_over(var("r", "k"), "k", "r"), "j", "r"), "sum(r[k] for j in r for k in r)"),
    ],
)
def test_text(expr: object, text: str) -> None:
    assert render_expr(expr) == text  # type: ignore[arg-type]
    assert parse_formula(text, ["N", "D"], ["r"]).expr == expr


def test_what_cannot_be_written() -> None:
    with pytest.raises(LawError, match="inf"):
        render_expr(num(float("inf")))
    with pytest.raises(LawError, match="'median'"):
        render_expr(call("median", N))


@settings(max_examples=100, deadline=None)
@given(random_laws(), st.integers(0, 50))
def test_round_trip_keeps_value_and_structure(law: Law, seed: int) -> None:
    text = render_expr(law.expr)
    back = parse_formula(text, VARIABLES, ["r"])
    assert render_expr(parse_formula(render_expr(back.expr), VARIABLES, ["r"]).expr) == render_expr(back.expr)
    again = replace(law, expr=back.expr)
    rng = np.random.default_rng(seed)
    inputs, values = sample_inputs(rng), sample_values(law, rng)
    one, other = (np.broadcast_to(evaluate(x, inputs, values), (7,)) for x in (law, again))
    np.testing.assert_allclose(other, one, rtol=1e-6)
    assert structure_hash(again) == structure_hash(law)


@settings(max_examples=100, deadline=None)
@given(
    random_laws(),
    st.sampled_from(["squared", "huber", "absolute"]),
    st.sampled_from(["raw", "relative", "log"]),
    st.floats(1e-9, 1e3),
    st.integers(1, 100),
    st.booleans(),
)
def test_programs_round_trip(law: Law, loss: str, space: str, delta: float, starts: int, custom: bool) -> None:
    # one pass through the parser settles how products with a minus are written
    settled = replace(law, expr=parse_formula(render_expr(law.expr), VARIABLES, ["r"]).expr)
    declared = tuple(replace(p, start=(0.5, 0.75)) for p in settled.parameters)
    recipe = Recipe(loss, space, delta, starts, tuple((p.name, 0.1) for p in declared[:2]))  # type: ignore[arg-type]
    p = Program(
        replace(settled, parameters=declared), recipe, "def custom_fit(x, y, law):\n    return 1" if custom else None
    )
    assert parse_program(render_program(p)) == p


def test_towers_of_powers_render_in_linear_time() -> None:
    text = "N"
    for _ in range(45):
        text = f"N**-{text}"
    assert render_expr(parse_formula(text, ["N"]).expr) == text


def test_program_text() -> None:
    law = Law(
        ("N",),
        add(par("E"), sum_over(mul(par("q", "j"), var("z", "j")), "j", "z")),
        (Parameter("E", "positive"), Parameter("q", scope="shared")),
        (("z", (call("log", N), num(1))),),
    )
    assert render_law(law) == "z = [log(N), 1]; E + sum(q[j]*z[j] for j in z)"
    assert (
        render_program(Program(law))
        == """def law(N, E, q):
    z = [log(N), 1]
    return E + sum(q[j]*z[j] for j in z)

parameters = {
    "E": positive(),
    "q": real(scope="shared"),
}

recipe = fit(loss="squared", space="raw", starts=16)
"""
    )
    assert parse_program(render_program(Program(law))) == Program(law)
