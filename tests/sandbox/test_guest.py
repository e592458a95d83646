"""The law that custom fitting code sees, and what the guest is started with."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sldagent.errors import JailUnavailable
from sldagent.fitting.reference import reference as op
from sldagent.sandbox import Jail, Job, guest
from sldagent.sandbox.text import clean, clean_log, clean_message
from tests.sandbox.helpers import SHORT

N = np.geomspace(10.0, 1e4, 12)
"""E + A * exp(-a * log N), and its square root plus softplus(tanh(a)) as a second target."""
OPS = [op.PARAMETER, op.PARAMETER, op.PARAMETER, op.FEATURE, op.MUL, op.NEG, op.EXP, op.MUL, op.ADD]
LEFT, RIGHT = [0, 1, 2, 0, 2, 4, 5, 1, 0], [0, 0, 0, 0, 3, 0, 0, 6, 7]
MORE = (
    [op.SQRT, op.TANH, op.SOFTPLUS, op.DIV, op.SUB, op.SIGMOID, op.ADD],
    [8, 2, 10, 9, 12, 13, 14],
    [0, 0, 0, 11, 0, 0, 9],
)


def job(code: str, log: bool = False) -> Job:
    ops = np.zeros((2, 16))
    left, right = ops.copy(), ops.copy()
    for t, (o, x, y) in enumerate(((OPS, LEFT, RIGHT), (OPS + MORE[0], LEFT + MORE[1], RIGHT + MORE[2]))):
        ops[t, : len(o)], left[t, : len(o)], right[t, : len(o)] = o, x, y
    first = 0.5 + 3.0 * N**-0.3
    arrays = {
        "rows": np.stack([N, N**2], axis=1),
        "targets": np.stack([first, first + 1.0], axis=1),
        "group": np.repeat([0.0, 1.0], 6),
        "ops": ops,
        "left": left,
        "right": right,
        "value": np.zeros((2, 16)),
        "lengths": np.array([9.0, 16.0]),
        "features": np.log(N)[None, :],
        "lower": np.zeros(3),
    }
    return Job(code, "custom_fit", arrays, {"variables": ["N", "D"], "parameters": ["E", "A", "a"], "log": log})


@pytest.mark.parametrize("log", [False, True])
def test_derivatives_are_those_of_the_residuals(jail: Jail, log: bool) -> None:
    code = """
import numpy as np
def custom_fit(rows, targets, law):
    p = np.array([0.7, 2.0, 0.4])
    exact = law.jacobian(p)
    steps = np.eye(3) * 1e-6
    numeric = np.stack([(law.residuals(p + h) - law.residuals(p - h)) / 2e-6 for h in steps], axis=1)
    assert exact.shape == (2 * len(rows["N"]), 3) and np.abs(exact).max() > 0.1
    assert law.lower.tolist() == [0, 0, 0] and np.isinf(law.upper).all() and law.names == ("E", "A", "a")
    np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-8)
    return p
"""
    answer = jail.call(job(code, log), SHORT)
    assert answer.failure is None, answer.failure


def test_custom_fits_find_each_groups_parameters(jail: Jail) -> None:
    code = """
from scipy.optimize import least_squares
def custom_fit(rows, targets, law):
    first = slice(0, len(targets))
    fit = least_squares(lambda p: law.residuals(p)[first], [1.0, 1.0, 0.5], lambda p: law.jacobian(p)[first], xtol=1e-15)
    return dict(zip(reversed(law.names), reversed(fit.x)))
"""
    answer = jail.call(job(code), SHORT)
    assert answer.failure is None, answer.failure
    for g in ("params/0", "params/1"):
        np.testing.assert_allclose(answer.arrays[g], [0.5, 3.0, 0.3], rtol=1e-5)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("[1.0, 2.0]", "shape"),
        ("{'E': 1.0}", "shape"),
        ("[1.0, 2.0, float('nan')]", "non-finite"),
        ("law.residuals([1.0])", "error"),
    ],
)
def test_wrong_answers_of_custom_fits(jail: Jail, answer: str, kind: str) -> None:
    failure = jail.call(job(f"def custom_fit(rows, targets, law):\n    return {answer}\n"), SHORT).failure
    assert failure is not None and failure.kind == kind


def test_text_is_made_harmless() -> None:
    assert clean("a\x1b[1;31mb\x1b[0m\x1b]0;t\x07c\x1bMd\x9b5n\u202ee\u200b\tf\r\ng", 100) == "abcd5ne    f\ng"
    assert clean_message("two\nlines \x00 and\ttabs") == "two lines  and tabs"
    long = clean("x" * 5000, 2000)
    assert len(long) == 2000 and long.endswith("more characters]")
    assert clean_log(b"\xff\xfeok", 100, 7).startswith("\ufffd\ufffdok\n[7 more bytes")


def test_the_guest_imports_from_library_folders_only(repository: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository))
    paths = guest.import_path("numpy", ["json", "not_there.at_all"])
    assert str(repository) not in paths and "" not in paths
    assert any(path.endswith("packages") for path in paths)
    command = guest.command(5)
    assert command[0] == sys.executable and "-S" in command and command[-1] == "5"


def test_a_guest_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sldagent.sandbox.guest.import_path", lambda *_: [])
    with pytest.raises(JailUnavailable, match=r"No module named|cannot be imported"):
        Jail()
