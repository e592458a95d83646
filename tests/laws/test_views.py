"""SymPy and LaTeX views."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from sldagent.errors import LawError
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Law
from sldagent.laws.views import latex_name, to_latex, to_sympy

sys.path.insert(0, str(Path(__file__).parent))
from law_tools import LENGTH, VARIABLES, evaluate, random_laws, sample_inputs, sample_values


def formula(text: str) -> Law:
    return parse_formula(text, VARIABLES, ["r"])


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("E + A*N**-alpha", r"E + A \, N^{-\alpha}"),
        ("A/(D**a + B)", r"\frac{A}{D^{a} + B}"),
        ("N_eff**2 - D", r"N_{\mathrm{eff}}^{2} - D"),
        ("(N*D)**a", r"\left(N \, D\right)^{a}"),
        ("-(N + D)", r"-\left(N + D\right)"),
        ("N*(D - 2)", r"N \, \left(D - 2\right)"),
        ("2*3*N", r"2 \cdot 3 \, N"),
        ("1e-7*N", r"1 \cdot 10^{-7} \, N"),
        ("sqrt(log(N))", r"\sqrt{\log\left(N\right)}"),
        ("exp(N)**2", r"\left(\exp\left(N\right)\right)^{2}"),
        ("softplus(N)", r"\operatorname{softplus}\left(N\right)"),
        ("c[i] + sum(t[i, j]*r[j] for j in r)", r"c_{i} + \sum_{j \in r} t_{i, j} \, r_{j}"),
    ],
)
def test_latex(text: str, latex: str) -> None:
    assert to_latex(formula(text)) == latex


def test_latex_of_named_vectors() -> None:
    law = parse_program(
        "def law(N, q):\n    z = [log(N), 1]\n    return sum(q[j]*z[j] for j in z)\nparameters = {'q': real()}"
    ).law
    assert to_latex(law).endswith(r",\quad z = \left(\log\left(N\right), 1\right)")


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("alpha", r"\alpha"),
        ("lam", r"\lambda"),
        ("d1", "d_{1}"),
        ("alpha_N", r"\alpha_{N}"),
        ("loss", r"\mathrm{loss}"),
        ("N_eff2", r"N_{\mathrm{eff2}}"),
        ("_x", "x"),
    ],
)
def test_latex_names(name: str, latex: str) -> None:
    assert latex_name(name) == latex


@settings(max_examples=60, deadline=None)
@given(random_laws())
def test_latex_braces_match(law: Law) -> None:
    text = to_latex(law)
    assert text.count("{") == text.count("}")
    assert text.count(r"\left(") == text.count(r"\right)")


def test_sympy_substitutes_values() -> None:
    import sympy

    expr = to_sympy(formula("E + A*N**-a"), {"E": 1.5, "A": 2, "a": 1})
    n = sympy.Symbol("N")
    assert sympy.simplify(expr - (1.5 + 2 / n)) == 0
    with pytest.raises(LawError, match="no symbol"):
        to_sympy(formula("E + N"), {"F": 1.0})


def test_sympy_sums() -> None:
    law = formula("c[i] + sum(t[i, j]*r[j] for j in r)")
    assert str(to_sympy(law, sizes={"r": 2})) == "c_i + r_1*t_i_1 + r_2*t_i_2"
    assert str(to_sympy(law, sizes={"r": 2}, target=1)) == "c_2 + r_1*t_2_1 + r_2*t_2_2"
    with pytest.raises(LawError, match="length"):
        to_sympy(law)


def test_sympy_of_named_vectors() -> None:
    law = parse_program(
        "def law(N, q):\n    z = [log(N), 2]\n    return sum(q[j]*z[j] for j in z)\nparameters = {'q': positive()}"
    ).law
    expr = to_sympy(law)
    assert str(expr) == "q_1*log(N) + 2*q_2"
    assert all(s.is_positive for s in expr.free_symbols if s.name.startswith("q"))


@settings(max_examples=60, deadline=None)
@given(random_laws())
def test_sympy_has_the_same_value(law: Law) -> None:
    """Checked at one row, with every symbol a number; rows where the law is not real and moderate say nothing."""
    rng = np.random.default_rng(0)
    inputs, values = sample_inputs(rng, 1), sample_values(law, rng)
    expected = float(np.ravel(evaluate(law, inputs, values, target=1))[0])
    if not np.isfinite(expected) or abs(expected) > 1e6:
        return
    numbers = {name: x[0] for name, x in inputs.items() if name != "r"}
    numbers |= {f"r_{k + 1}": inputs["r"][0, k] for k in range(LENGTH)}
    for name, value in values.items():
        shape = {"c": "c", "t": "ct", "w": "t"}.get(name[0], "")
        if shape == "":
            numbers[name] = value
        elif shape == "c":
            numbers[f"{name}_2"] = value[1]
        else:
            for k in range(LENGTH):
                numbers[f"{name}_2_{k + 1}" if shape == "ct" else f"{name}_{k + 1}"] = (
                    value[1, k] if shape == "ct" else value[k]
                )
    expr = to_sympy(law, sizes={"r": LENGTH}, target=1)
    found = complex(expr.subs({s: numbers[s.name] for s in expr.free_symbols}).evalf())
    if found == found and abs(found) < 1e9:
        assert found.real == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_sympy_is_not_imported_by_the_package() -> None:
    code = (
        "import sys, sldagent.laws, sldagent.laws.views, sldagent.laws.canonical, sldagent.laws.complexity;"
        "print('sympy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "False"
