"""Reading laws off programs: what is read, what is declared, what is refused, and that nothing runs away."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.fitting.public import predict
from sldagent.fitting.tape import layout_of
from sldagent.foreign.translate import Translation, translate
from sldagent.laws.render import render_expr
from sldagent.tasks.task import Task

PROGRAMS = Path(__file__).parent / "programs"


def read(source: str, task: Task, parameters: object) -> Translation:
    return translate(ast.parse(source), task, task.X, np.asarray(parameters, dtype=float))


def of(body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"import numpy as np\nimport math\ndef scaling_law_func(X, p):\n{lines}\n"


def agrees(source: str, task: Task, parameters: np.ndarray) -> Translation:
    """The translation, after comparing it with the program run here (it is our own text)."""
    found = read(source, task, parameters)
    assert found.program is not None, found.reason
    names: dict[str, Callable[..., np.ndarray]] = {}
    exec(source, names)  # a test's own program
    expected = np.asarray(names["scaling_law_func"](task.X, parameters)).reshape(len(task.X), -1)
    own = predict(
        found.program.law, found.parameters(parameters[None]), task.X, np.zeros(len(task.X), np.int64), layout_of(task)
    )
    np.testing.assert_allclose(own, expected, rtol=1e-10)
    return found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("power_numpy", [1.5, 400.0, 900.0, 0.35, 0.4]),
        ("minimise_scipy", [0.5, 3.0, 4.0, -0.3, 0.4]),
        ("evolution_scipy", [0.5, 1.0, 0.3, 0.2]),
        ("raw_powers_bfgs", [1.0, 2.0, -0.3, -0.4, 0.5]),
    ],
)
def test_sample_programs(name: str, values: list[float], plain: Callable[..., Task]) -> None:
    agrees((PROGRAMS / f"{name}.py").read_text(), plain(2), np.array(values))


@pytest.mark.parametrize(
    "body",
    [
        "return p[0] + p[1] * X[:, 0] ** -p[2] * X[:, 1] ** p[3]",
        "a, *b = p\nreturn a + b[0] * np.log(X[:, 0]) + b[1] * np.log10(X[:, 1]) ** 2 + b[2]",
        "z = np.column_stack([np.ones(len(X)), np.log(X), np.sqrt(X[:, :1])])\nreturn z @ p",
        "y = np.zeros(X.shape[0])\nfor k in range(X.shape[1]):\n    y += p[2 * k] * X[:, k] ** p[2 * k + 1]\nreturn y",
        "def half(x, s=2.0):\n    return x / s\nreturn half(X[:, 0]) * p[0] + half(X[:, 1], s=p[1]) + p[2] * p[3]",
        "terms = [p[k] * np.tanh(X[:, k % 2] / 10) for k in range(4)]\nreturn sum(terms)",
        "return np.sum(p[:2] * np.log(X) + p[2:], axis=1)",
        "x = X[:, 0]\nif X.ndim == 2 and len(p) > 3:\n    x = X[:, 1]\n"
        "return np.where(x > 0, p[0] * x, 0.0) + p[1] / (p[2] + x) + p[3]",
        "return p[0] + np.logaddexp(p[1] * np.log(X[:, 0]), p[2]) + p[3] * math.log(2.0)",
        "out = np.empty((len(X), 1))\nout[:, 0] = p[0] + p[1] * np.exp(-p[2] * np.clip(X[:, 1], 1e-9, 1e9)) + p[3]\n"
        "return out.ravel()",
        "with np.errstate(all='ignore'):\n    y = np.nan_to_num(np.power(X[:, 0], p[0]))\n"
        "return np.maximum(y, 1e-12) * p[1] + p[2] - p[3]",
    ],
)
def test_what_can_be_read(body: str, plain: Callable[..., Task]) -> None:
    agrees(of(body), plain(2), np.array([0.7, 0.3, 0.2, 0.9]))


def test_several_targets_share_the_form(plain: Callable[..., Task]) -> None:
    body = """P = p.reshape(3, 5)
out = []
for i in range(3):
    out.append(P[i, 0] + P[i, 1] * np.exp(-X @ P[i, 2:] / 50))
return np.stack(out, axis=1)"""
    found = agrees(of(body), plain(3, 3), np.linspace(0.1, 1.0, 15))
    assert found.program is not None
    assert all(e.index == ("i",) for e in _parameters(found))
    own = agrees(of("return p[0] + p[1:] * X"), plain(3, 3), np.array([1.0, 2.0, 3.0, 4.0]))
    assert own.program is not None
    assert "r[i]" in render_expr(own.program.law.expr)


def _parameters(found: Translation) -> list:
    from sldagent.laws.expr import walk

    assert found.program is not None
    return [e for e in walk(found.program.law.expr) if e.op == "par"]


def test_safeguards_around_parameters_become_declarations(plain: Callable[..., Task]) -> None:
    body = "return np.exp(p[0]) + np.abs(p[1]) * X[:, 0] ** -np.clip(p[2], 0, 2) + max(p[3], 1e-9)"
    found = agrees(of(body), plain(1), np.array([0.1, -3.0, 0.5, 2.0]))
    assert found.program is not None
    kinds = [(q.kind, q.lower, q.upper) for q in found.program.law.parameters]
    assert [k for k, _, _ in kinds] == ["positive", "positive", "interval", "positive"]
    assert kinds[2][1:] == (0.0, 2.0)
    assert found.assumptions == ()


@pytest.mark.parametrize(
    "body",
    ["return p[0] + X[:, 0] ** -np.maximum(p[1], 0.05)", "return abs(p[0]) + p[0] * p[1] * np.log(X[:, 0])"],
)
def test_a_safeguard_of_a_parameter_that_is_left_out_is_said(body: str, plain: Callable[..., Task]) -> None:
    found = agrees(of(body), plain(1), np.array([1.5, 0.5]))
    assert "a parameter never acts" in found.assumptions[0]


def test_of_bounds_that_cross_the_last_one_counts(plain: Callable[..., Task]) -> None:
    agrees(of("return p[0] * X[:, 0] ** -np.clip(p[1], 0.6, 0.4)"), plain(1), np.array([1.5, 0.5]))
    agrees(of("return p[0] * X[:, 0] ** -np.maximum(np.minimum(p[1], 0.4), 0.6)"), plain(1), np.array([1.5, 0.5]))


@pytest.mark.parametrize(
    "body",
    [
        "return max(p) * X[:, 0]",
        "return np.min(p) * X[:, 0]",
        "return np.maximum(p[0], p[1] + 1) * X[:, 0]",
        "return (p[0] if p[1] > 3 else p[2]) * X[:, 0]",
        "if p[2] > 0.5:\n    return p[0] * X[:, 0]\nreturn p[1] * X[:, 0]",
        "return (p[0] if p[1] else p[2]) * X[:, 0]",
        "return (p[0] if not p[1] - 1.0 else p[2]) * X[:, 0]",
        "return np.where(X[:, 0] > p[1], p[0] * X[:, 0], p[2])",
        "return np.where(p[0] * X[:, 0] <= 1e9, p[0] * X[:, 0], p[2])",
        "return np.maximum(p[0] * X[:, 0], p[1])",
        "return p[0] * X[:, 0] * np.clip(p[1], 0, 1) * (np.clip(p[2], 0, 1) == p[2])",
        "return p[0] * X[:, 0] * (2 if p[1] != p[1] else 1)",
        "return p[[float(q) > 0.1 for q in p]][0] * X[:, 0]",
    ],
)
def test_a_choice_by_fitted_parameters_is_no_law(body: str, plain: Callable[..., Task]) -> None:
    found = read(of(body), plain(1), [1.5, 0.5, 0.4])
    assert found.program is None
    assert "a choice depends on fitted parameters" in found.reason


@pytest.mark.parametrize(
    "body",
    [
        "return np.where(X[:, 0] > 0, p[0] * X[:, 0], p[1]) + p[2]",
        "return np.maximum(p[0] * X[:, 0] + p[1] * p[2], 1e-12)",
        "return np.clip(p[0] * X[:, 0] - p[1] * p[2], -1e9, 1e9)",
        "return p[0] * np.maximum(X[:, 0], 1e-9) + abs(p[1] * X[:, 0]) + p[2]",
        "y = p[0] * X[:, 0] + p[1] - p[2]\nreturn np.where(np.isfinite(y), y, 0.0)",
    ],
)
def test_choices_by_rows_and_safeguards_are_assumptions(body: str, plain: Callable[..., Task]) -> None:
    assert agrees(of(body), plain(1), np.array([1.5, 0.5, 0.4])).assumptions


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return p[0] * (X[:, 0] - X[:, 0].mean())", "depends on other rows"),
        ("return p[0] * X[::-1, 0]", "depends on other rows"),
        ("return p[0] * X[:, 0] + len(X)", "number of rows"),
        ("return p[0] * X[:, 0] + np.arange(len(X))", "another form on some rows"),
        ("return p[0]", "shape|array"),
        ("return X", "shape"),
        ("return np.ones(len(X))", "constant"),
        ("while True:\n    pass", "While"),
        ("return p[0] * np.sin(X[:, 0])", "sin"),
        ("return X[np.argsort(X[:, 0]), 0] * p[0]", "argsort"),
        ("return p[0] * X[:, int(p[1])]", "cannot be followed|index"),
        ("return missing(X)", "missing"),
        ("return p[0] * X[:, 0] + float('nan')", "a str"),
        ("return p[0] * X[:, 0] * (2.0 if p[1] in (0.5, 1.0) else 1.0)", "plain number"),
        ("return p[0] * X[:, 0] * (2.0 if list(p) == [1.0, 0.5] else 1.0)", "compares"),
        ("y = p[0] * X[:, 0]\nfor i in range(1, int(p[1])):\n    y = y + 1.0\nreturn y", "range"),
    ],
)
def test_what_cannot_be_read(body: str, said: str, plain: Callable[..., Task]) -> None:
    found = read(of(body), plain(2), [1.0, 0.5])
    assert found.program is None
    assert any(word in found.reason for word in said.split("|")), found.reason


@pytest.mark.parametrize(
    "body",
    [
        "return [0] * 10**9",
        "return 'a' * 10**9",
        "return np.zeros((10**5, 10**5))",
        "return 10**10**10 * X[:, 0]",
        "for i in range(10**12):\n    p = p + 1\nreturn p",
        "x = X[:, 0]\nfor i in range(900):\n    x = x * x\nreturn x",
        "l = [1.0]\nfor i in range(200):\n    l = l + l\nreturn l",
        "l = [1.0]\nfor i in range(200):\n    l.extend(l)\nreturn l",
        "a = np.ones((60, 60))\nfor i in range(3000):\n    a = a @ a\nreturn a",
        "def f(x):\n    return f(x)\nreturn f(X)",
        "n = 3\nfor i in range(3000):\n    n = n * n\nreturn n * X[:, 0]",
        "return np.linspace(0, 1, 10**9)",
        "return np.tile(X, (10**6, 1))",
        "return p[0] * X[:, 0] * sum(range(10**8))",
        "return p[0] * X[:, 0] * len(list(range(10**10)))",
        "a, b = [1.0], [1.0]\nfor i in range(40):\n    a, b = [a, a], [b, b]\nreturn p[0] * X[:, 0] * (2 if a == b else 1)",
        "a, b = [1.0], [1.0]\nfor i in range(40):\n    a, b = [a, a], [b, b, b]\nreturn p[0] * X[:, a in b]",
        "a = np.ones((60, 1))\nfor i in range(3000):\n    a * np.ones((1, 60))\nreturn p[0] * X[:, 0]",
        "a = np.ones((60, 1))\nfor i in range(3000):\n    a < np.ones((1, 60))\nreturn p[0] * X[:, 0]",
    ],
)
def test_nothing_runs_away(body: str, plain: Callable[..., Task]) -> None:
    assert read(of(body), plain(2), [1.0, 0.5]).program is None


@given(st.text(alphabet="Xp[]()+-*/,:.0123 \nnplogx=ifr", max_size=120))
def test_any_body_gives_a_value(text: str) -> None:
    task = Task.__new__(Task)  # a stand-in: only names and numbers of columns are read before the body
    try:
        tree = ast.parse(of(text or "pass"))
    except (SyntaxError, ValueError):
        return
    from sldagent.tasks.task import Target, Variable

    for name, value in {
        "variables": (Variable("x0", "x0", "scale"),), "targets": (Target("y"),), "vectors": {},
    }.items():  # fmt: skip
        object.__setattr__(task, name, value)
    found = translate(tree, task, np.full((4, 1), 2.0), np.array([1.0, 0.5]))
    assert (found.program is None) == bool(found.reason)
