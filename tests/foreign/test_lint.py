"""The lint: what it remarks, what it refuses, and that honest programs pass clean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.foreign.lint import MAX_BYTES, lint_custom_fit, lint_program

PROGRAMS = Path(__file__).parent / "programs"
BODY = """def scaling_law_func(data_points, params):
    {}
    return params[0]

def fit_scaling_law(data_points, loss_values):
    return [1.0]
"""


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.py")), ids=lambda p: p.stem)
def test_the_sample_programs_are_clean(path: Path) -> None:
    lint = lint_program(path.read_bytes())
    assert lint.clean, (lint.findings, lint.refusal)
    assert lint.modules == {n for n in ("jax", "sklearn") if n in path.stem}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import os", "import"),
        ("from subprocess import run", "import"),
        ("from . import other", "import"),
        ("import time", "clock"),
        ("import random", "random"),
        ("x = eval('1')", "call"),
        ("x = getattr(params, 'a')", "call"),
        ("x = open('/etc/passwd')", "call"),
        ("f = exec", "call"),
        ("x = params.__class__", "attribute"),
        ("x = __builtins__", "attribute"),
        ("import numpy as np; x = np.random.rand(3)", "random"),
        ("import numpy as np; x = np.load('t.npy')", "file"),
        ("x = [" + ", ".join(str(k) for k in range(100)) + "]", "literals"),
        ("x = 1" + "0" * 60, "literals"),
        ("x = '" + "a" * 400 + "'", "string"),
        ("global state", "state"),
    ],
)
def test_findings_name_rule_and_line(line: str, rule: str) -> None:
    lint = lint_program(BODY.format(line))
    assert not lint.refusal
    assert (2, rule) in {(f.line, f.rule) for f in lint.findings}


def test_a_random_helper_of_the_prediction_is_found_and_one_of_the_fit_is_not() -> None:
    helper = "import numpy as np\ndef noise():\n    return np.random.default_rng(0).normal()\n\n"
    used = helper + BODY.format("params = params + noise()")
    assert [f.rule for f in lint_program(used).findings] == ["random"]
    assert lint_program(helper + BODY.format("pass").replace("return [1.0]", "return [noise()]")).clean


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def scaling_law_func(x, p):\n    return p[\n", "line 2: not valid Python"),
        ("def scaling_law_func(x, p):\n    return p\n", "does not define fit_scaling_law"),
        ("def fit_scaling_law(x, y):\n    return y\n", "does not define scaling_law_func"),
        ("def scaling_law_func(x):\n    return x\ndef fit_scaling_law(x, y):\n    return y\n", "2 arguments, not 1"),
        ("(" * 5000 + ")" * 5000, ""),
        ("x = '\0'", "null"),
        (b"\xff\xfe", "UTF-8"),
        ("#" + "x" * 10_000_000, "10.0 MB"),
    ],
)
def test_refusals(source: str | bytes, said: str) -> None:
    lint = lint_program(source)
    assert lint.refusal
    assert said in lint.refusal


def test_defaults_and_further_arguments_are_fine() -> None:
    source = "def scaling_law_func(x, p, eps=1e-9):\n    return p\ndef fit_scaling_law(*data):\n    return data\n"
    assert not lint_program(source).refusal


def test_custom_fit_has_three_arguments() -> None:
    assert lint_custom_fit("def custom_fit(rows, targets, law):\n    return [1]\n").clean
    assert "3 arguments" in lint_custom_fit("def custom_fit(rows):\n    return [1]\n").refusal


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text_gives_a_lint(source: str | bytes) -> None:
    lint = lint_program(source)
    assert (lint.tree is None) <= bool(lint.refusal)


def test_the_size_is_counted_in_bytes() -> None:
    assert "MB" in lint_program("#" + "é" * (MAX_BYTES // 2)).refusal
