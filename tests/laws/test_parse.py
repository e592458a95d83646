"""Reading programs and formulas: what is accepted, what is refused and where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sldagent.errors import LawError
from sldagent.laws.expr import add, call, div, mul, neg, num, par, power, sum_over, var
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.parse import parse_formula, parse_program
from sldagent.laws.program import Parameter
from sldagent.laws.render import render_program

sys.path.insert(0, str(Path(__file__).parent))
from law_tools import PROGRAM

N, D = var("N"), var("D")


def test_program() -> None:
    p = parse_program(PROGRAM, variables=["N", "D", "r"])
    assert p.law.variables == ("N", "D", "r")
    assert [q.name for q in p.law.parameters] == ["E", "A", "alpha", "c", "t", "q"]
    assert p.law.parameter("alpha") == Parameter("alpha", "interval", 0.0, 2.0, (0.05, 1.0), "shared")
    assert p.law.parameter("A") == Parameter("A", "positive", start=(1e-3, 1e3))
    assert p.law.parameter("q") == Parameter("q")  # neither declared nor a variable
    assert dict(p.law.vectors)["z"][1] == call("log", D)
    assert p.law.expr.args[-1] == call("log", D)  # z[1], resolved
    assert parameter_axes(p.law) == {"E": (), "A": (), "alpha": (), "c": ("i",), "t": ("i", "r"), "q": ("z", "z")}
    assert (p.recipe.loss, p.recipe.space, p.recipe.delta, p.recipe.starts) == ("huber", "log", 1e-4, 32)
    assert p.recipe.ridge == (("q", 0.1),)
    assert p.custom_fit is not None
    assert p.custom_fit.startswith("def custom_fit(rows, targets, law):   # never run\n    import os")
    assert p.custom_fit.endswith('b"""]')
    assert parse_program(render_program(p)) == p


def test_custom_fit_is_not_run() -> None:
    text = "def law(N): return N\ndef custom_fit(rows, targets, law=print('run') or 1 / 0):\n    1 / 0"
    assert parse_program(text).custom_fit == text.split("\n", 1)[1]


def test_undeclared_arguments() -> None:
    text = "def law(N, E): return E + N"
    assert parse_program(text).law.variables == ("N", "E")
    assert parse_program(text, variables=["N"]).law.parameters == (Parameter("E"),)


def test_unused_variables_and_vectors_are_dropped() -> None:
    law = parse_program("def law(N, D):\n    z = [D, N]\n    w = [z[1], D]\n    return N").law
    assert law.variables == ("N",)
    assert law.vectors == ()


def test_vector_inside_a_vector_is_kept() -> None:
    law = parse_program(
        "def law(N, a):\n    z = [N, a]\n    w = [sum(z[j] for j in z), N]\n    return sum(w[j] for j in w)", variables=["N"]
    ).law
    assert [name for name, _ in law.vectors] == ["z", "w"]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", ("squared", "raw")),
        ("relative", ("squared", "relative")),
        ("log", ("squared", "log")),
        ("lad", ("absolute", "raw")),
        ("absolute", ("absolute", "raw")),
        ("squared", ("squared", "raw")),
    ],
)
def test_loss_names(loss: str, expected: tuple[str, str]) -> None:
    recipe = parse_program(f"def law(N): return N\nrecipe = fit(loss='{loss}')").recipe
    assert (recipe.loss, recipe.space) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("N - D", add(N, neg(D))),
        ("N - 2", add(N, num(-2))),
        ("-N**2", neg(power(N, num(2)))),
        ("N**-a", power(N, neg(par("a")))),
        ("N + D + 1", add(N, D, num(1))),
        ("N*D*a/2", div(mul(N, D, par("a")), num(2))),
        ("-N*D", neg(mul(N, D))),
        ("N**D**2", power(N, power(D, num(2)))),
        ("+N", N),
        ("log1p(N)", call("log", add(num(1), N))),
        ("math.expm1(N)", add(call("exp", N), num(-1))),
        ("np.square(N)", power(N, num(2))),
        ("smoothmax(N, D)", call("smoothmax", N, D, num(1))),
        ("sum(t[i, j]*r[j] for j in r)", sum_over(mul(par("t", "i", "j"), var("r", "j")), "j", "r")),
        (
            "sum(r[j]*r[k]\n for j in r for k in r)",
            sum_over(sum_over(mul(var("r", "j"), var("r", "k")), "k", "r"), "j", "r"),
        ),
        ("r[i]", var("r", "i")),
        ("  (N)  ", N),
    ],
)
def test_formula(text: str, expected: object) -> None:
    assert parse_formula(text, ["N", "D"], ["r"]).expr == expected


def test_formula_parameters_are_real_in_order_of_appearance() -> None:
    law = parse_formula("E + A*N**-a", ["N", "D"])
    assert law.variables == ("N",)
    assert law.parameters == (Parameter("E"), Parameter("A"), Parameter("a"))


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("E + abs(N)", 1, 5, "abs"),
        ("E +\\\n  N @ D", 2, 3, "@"),
        ("N if D else 1", 1, 1, "conditional"),
        ("N and D", 1, 1, "Boolean"),
        ("E + (N > 2)", 1, 6, "comparison"),
        ("N.real", 1, 1, "attribute"),
        ("__import__('os').system('true')", 1, 1, "function"),
        ("N[0]", 1, 1, "constant index"),
        ("a + N*'x'", 1, 7, "not a number"),
        ("N + True", 1, 5, "not a number"),
        ("1j*N", 1, 1, "not a number"),
        ("N + 1e999", 1, 5, "too large"),
        ("exp(N, D)", 1, 1, "exp takes 1 argument"),
        ("exp(x=N)", 1, 1, "keyword"),
        ("exp + N", 1, 1, "function"),
        ("sum(r)", 1, 1, "a sum is written"),
        ("sum(r[j] for j in N)", 1, 19, "not a vector"),
        ("sum(r[j] for j in r if j)", 1, 24, "conditions"),
        ("sum(j*r[j] for j in r)", 1, 5, "not a number"),
        ("sum(r[j] for i in r)", 1, 14, "target's index"),
        ("sum(r[j] for N in r)", 1, 14, "already a name"),
        ("r + N", 1, 1, "is a vector"),
        ("r[j]", 1, 3, "index"),
        ("r[i, i]", 1, 1, "one index"),
        ("c[i] + c", 1, 8, "no index"),
        ("sum(a[j] for j in r) + a[i]", 1, 24, "indexed by"),
        ("i + N", 1, 1, "index"),
        ("N^2", 1, 1, "**"),
        ("a__b*N", 1, 1, "double underscore"),
        ("\u0415 + N", 1, 1, "ASCII"),
        ("\uff25 + N", 1, 1, "ASCII"),
        ("N \u2212 1", 1, 3, "ASCII"),
        ("N + \x00", 1, 5, "control character"),
        ("N +", 1, None, "not valid Python"),
        ("N; D", 1, 1, "one expression"),
        ("x = N", 1, 1, "one expression"),
        ("N + (x := 2)", 1, 6, "assignment expression"),
        ("exp(*r)", 1, 5, "starred"),
        ("(lambda: N)()", 1, 2, "function"),
        ("[N for j in r]", 1, 1, "list comprehension"),
        ("f'{N}'", 1, 1, "f-string"),
    ],
)
def test_refused_formulas(text: str, line: int, column: int | None, says: str) -> None:
    with pytest.raises(LawError, match="line") as caught:
        parse_formula(text, ["N", "D"], ["r"])
    assert caught.value.line == line
    assert column is None or caught.value.column == column
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("x = 1", 1, "'x'"),
        ("import os\ndef law(N): return N", 1, "import"),
        ("parameters = {}", None, "no law"),
        ("def law(N): return N\ndef law(N): return N", 2, "twice"),
        ("def law(N, N): return N", 1, "twice"),
        ("def law(N, *a): return N", 1, "plain arguments"),
        ("def law(N=2): return N", 1, "plain arguments"),
        ("def law(N: int): return N", 1, "annotations"),
        ("def law(N) -> float: return N", 1, "annotations"),
        ("@cache\ndef law(N): return N", 1, "decorators"),
        ("async def law(N): return N", 1, "definition"),
        ("def law(exp): return exp", 1, "function"),
        ("def law(i): return i", 1, "target's index"),
        ("def law(N): pass", 1, "return"),
        ("def law(N):\n    if N: return 1\n    return N", 2, "if statement"),
        ("def law(N):\n    return", 2, "return"),
        ("def law(N):\n    N = 2\n    return N", 2, "argument"),
        ("def law(N):\n    x = N\n    x = x + 1\n    return x", 3, "twice"),
        ("def law(N):\n    x, y = N, N\n    return x", 2, "one name"),
        ("def law(N):\n    x += N\n    return x", 2, "augmented"),
        ("def law(N):\n    return M", 2, "unknown name 'M'"),
        ("def law(N):\n    z = []\n    return N", 2, "empty"),
        ("def law(N):\n    z = [N]\n    return z[1]", 3, "elements"),
        ("def law(N):\n    z = [N]\n    return z", 3, "vector"),
        ("def law(N):\n    z = [N]\n    return z[i]", 3, "bound by sum"),
        ("def law(N):\n    z = [N]\n    w = [N, N]\n    return sum(z[j]*w[j] for j in z)", 4, "elements"),
        ("def law(N, r): return r + sum(r[j] for j in r)", 1, "used as a number"),
        ("def law(N, a): return N\nparameters = {'a': real()}", 1, "does not use parameter 'a'"),
        ("def law(N): return N\nparameters = {'a': real()}", 1, "not an argument"),
        ("def law(a): return a\nparameters = {'a': real(), 'a': real()}", 2, "twice"),
        ("def law(a): return a\nparameters = {a: real()}", 2, "quotes"),
        ("def law(a): return a\nparameters = {**a}", 2, "quotes"),
        ("def law(a): return a\nparameters = {'a': free()}", 2, "positive()"),
        ("def law(a): return a\nparameters = {'a': interval(2, 1)}", 2, "lower one first"),
        ("def law(a): return a\nparameters = {'a': interval(0)}", 2, "two numbers"),
        ("def law(a): return a\nparameters = {'a': positive(2)}", 2, "only scope= and start="),
        ("def law(a): return a\nparameters = {'a': positive(start=(0, 1))}", 2, "above 0"),
        ("def law(a): return a\nparameters = {'a': interval(0, 1, start=(0, 2))}", 2, "inside"),
        ("def law(a): return a\nparameters = {'a': real(scope='run')}", 2, "'group', 'shared'"),
        ("def law(a): return a\nparameters = {'a': real(scop='shared')}", 2, "did you mean 'scope'"),
        ("def law(a): return a\nparameters = [1]", 2, "dictionary"),
        ("def law(a): return a\nrecipe = 3", 2, "fit("),
        ("def law(a): return a\nrecipe = fit(loss='mae')", 2, "unknown loss"),
        ("def law(a): return a\nrecipe = fit(loss=1)", 2, "text"),
        ("def law(a): return a\nrecipe = fit(loss='log', space='raw')", 2, "space"),
        ("def law(a): return a\nrecipe = fit(starts=0)", 2, "starts"),
        ("def law(a): return a\nrecipe = fit(starts=2.5)", 2, "starts"),
        ("def law(a): return a\nrecipe = fit(delta=-1)", 2, "delta"),
        ("def law(a): return a\nrecipe = fit(ridge={'b': 1})", 2, "no parameter"),
        ("def law(a): return a\nrecipe = fit(**a)", 2, "unknown option"),
        ("def law(a): return a\nparameters = {'a': real(start=(1, 2), start=(1, 3))}", 2, "appears twice"),
    ],
)
def test_refused_programs(text: str, line: int | None, says: str) -> None:
    with pytest.raises(LawError) as caught:
        parse_program(text)
    assert caught.value.line == line
    assert says in str(caught.value)


def test_parameter_with_the_name_of_a_variable() -> None:
    with pytest.raises(LawError, match="name of a variable"):
        parse_program("def law(N): return N\nparameters = {'N': real()}", variables=["N"])


def test_column_counts_characters() -> None:
    with pytest.raises(LawError) as caught:
        parse_program("def law(N): return N\nparameters = {'\u00e4\u00e4': real(2)}")
    assert caught.value.line == 2
    with pytest.raises(LawError) as caught:
        parse_program("'\u00e4\u00e4'; x = 1")
    assert caught.value.column == 7


def test_comments_may_hold_any_letters() -> None:
    assert parse_program("def law(N): return N  # \u03b1\u2212\u03b2").law.expr == N


@pytest.mark.parametrize(
    "text",
    [
        "(" * 250 + "N" + ")" * 250,
        "-" * 15_000 + "N",
        "exp(" * 150 + "N" + ")" * 150,
        "N" + "**N" * 3000,
        "N" + "+N" * 9000,
        "N" + "*2+N" * 1000,
        "[" * 5000,
        "N" * 20_001,
        "1" * 5000,
        "N" + "*a/b" * 150,
    ],
)
def test_size_limits(text: str) -> None:
    with pytest.raises(LawError):
        parse_formula(text, ["N"])


def test_inlining_cannot_explode() -> None:
    lines = ["def law(N):", "    x0 = N + N"] + [f"    x{k + 1} = x{k} + x{k}" for k in range(100)] + ["    return x100"]
    with pytest.raises(LawError, match="nodes"):
        parse_program("\n".join(lines))
    lines = ["def law(N):", "    x0 = exp(N)"] + [f"    x{k + 1} = exp(x{k})" for k in range(40)] + ["    return x40"]
    assert parse_program("\n".join(lines)).law.expr.op == "exp"


def test_long_sums_are_flat() -> None:
    law = parse_formula("+".join(f"a{k}*N" for k in range(300)), ["N"])
    assert len(law.expr.args) == 300
