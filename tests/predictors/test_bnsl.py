"""Broken neural scaling laws, M1-M4 and their blend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from examples import BREAK, EXAMPLES, bnsl, curve_points, m4
from hypothesis import given
from hypothesis import strategies as st

from sldagent.errors import PredictorError, SldagentError
from sldagent.predictors.bnsl import form
from sldagent.predictors.bnsl.blend import CurveBlend
from sldagent.predictors.bnsl.curves import M2, M4
from sldagent.predictors.bnsl.figure import draw
from sldagent.predictors.bnsl.fit import Curve, rmsle
from sldagent.predictors.bnsl.local import fit_m2_local, fit_m4_local
from sldagent.predictors.bnsl.model import BNSL


@given(
    st.floats(0, 2),
    st.floats(-3, 3),
    st.floats(0, 1),
    st.floats(-2, 3),
    st.floats(1, 10),
    st.floats(0.05, 2),
    st.floats(0.5, 12),
)
def test_values_are_the_papers_formula(
    a: float, log_b: float, c0: float, c1: float, log_d: float, f1: float, log_x: float
) -> None:
    x, d = np.exp(log_x), np.exp(log_d)
    law = form.Constants(a, log_b, c0, (form.Break(d, c1, f1),))
    written = a + np.exp(log_b) * x**-c0 * (1 + (x / d) ** (1 / f1)) ** (-c1 * f1)
    assert law.values(np.array([x]))[0] == pytest.approx(written, rel=1e-9)
    assert form.constants(law.named()) == law


def test_one_break_is_recovered() -> None:
    model, X, y = bnsl()
    model.fit(X, y)
    assert model.constants_ == pytest.approx(BREAK.named(), rel=1e-3)
    assert model.limit_ == pytest.approx(0.2, rel=1e-4)
    first, second = model.segments()
    assert (first.slope, second.slope) == pytest.approx((-0.15, -0.75), rel=1e-3)
    assert first.end == second.start == model.breaks_[0]
    assert model.notes() == ()


def test_the_number_of_breaks_is_chosen_by_cuts() -> None:
    model = BNSL("auto").fit(*curve_points(BREAK.values))
    assert model.n_breaks_ == 1
    assert model.cut_errors_["1"] < model.cut_errors_["0"]


def test_double_descent_needs_slopes_of_both_signs() -> None:
    law = form.Constants(0.1, 1.0, 0.1, (form.Break(8e3, -0.8, 0.3), form.Break(8e4, 1.4, 0.3)))
    X, y = curve_points(law.values)
    assert np.diff(y).max() > 0
    assert BNSL(2).fit(X, y).score(X, y) > 0.999
    assert BNSL(2, monotone=True).fit(X, y).score(X, y) < 0.99


def test_m4_solves_its_equation() -> None:
    model, X, y = m4()
    x = X["samples"].to_numpy()
    fitted = model.fit(X, y)
    k = fitted.constants_
    left = np.log(y - k["e"]) - k["a"] * np.log(k["e0"] - y)
    assert np.allclose(left, np.log(k["b"]) - k["c"] * np.log(x), atol=1e-3)
    assert M4.values(k, np.array([1e30]))[0] == pytest.approx(k["e"], abs=1e-6)


def test_the_blend_trusts_the_form_that_extrapolates() -> None:
    model = CurveBlend().fit(*curve_points(BREAK.values))
    assert sum(model.weights_.values()) == pytest.approx(1.0)
    assert max(model.weights_, key=lambda name: model.weights_[name]) == "bnsl"


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([10.0], [1.0], "row 0 holds the only point"),
        ([10.0, 10.0], [1.0, 1.1], "row 0: column 'x' is 10 here and in all other rows"),
        ([10.0, 20.0, 30.0], [1.0, 0.9, 0.8], "3 different x for 6 constants"),
        ([10.0, -20.0, 30.0], [1.0, 0.9, 0.8], "row 1: column 'x' is -20"),
        ([10.0, 20.0, 30.0], [1.0, 0.0, 0.8], "row 1: column 'y' is 0"),
        ([10.0, 20.0, np.nan], [1.0, 0.9, 0.8], "row 2"),
    ],
)
def test_bad_curves_are_named(x: list[float], y: list[float], words: str) -> None:
    with pytest.raises(SldagentError, match=words):
        BNSL(1).fit(np.array(x), np.array(y))


def test_bad_parameters_are_named() -> None:
    with pytest.raises(PredictorError, match="n_breaks"):
        BNSL(7).fit(*curve_points(BREAK.values))
    with pytest.raises(PredictorError, match="space"):
        BNSL(1, space="raw").fit(*curve_points(BREAK.values))  # type: ignore[arg-type]


def test_the_order_of_rows_does_not_matter() -> None:
    X, y = curve_points(BREAK.values)
    order = np.random.default_rng(0).permutation(len(X))
    shuffled, sorted_ = BNSL(1).fit(X.iloc[order], y.iloc[order]), BNSL(1).fit(X, y)
    assert shuffled.constants_ == sorted_.constants_
    assert sorted_.notes() == ()
    row = int(np.flatnonzero(np.diff(order) < 0)[0]) + 1
    (note,) = shuffled.notes()
    assert f"row {order[row]}: column 'samples' falls from" in note and "sorted" in note


@pytest.mark.parametrize("name", ["m2", "m4"])
def test_a_local_optimum_is_no_lower_than_the_global_one(name: str) -> None:
    _, X, y = EXAMPLES[name]()
    noisy = y.to_numpy() * np.exp(0.03 * np.random.default_rng(3).normal(size=len(y)))
    x = X["samples"].to_numpy()
    kind, fit = (M2, fit_m2_local) if name == "m2" else (M4, fit_m4_local)
    (best,) = kind.fit_curves([Curve(x, noisy)])
    local = fit(x, noisy)
    assert rmsle(noisy, kind.values(best, x)) <= rmsle(noisy, kind.values(local, x)) + 2e-3
    exact = fit(x, y.to_numpy())
    assert kind.values(exact, x) == pytest.approx(y.to_numpy(), rel=1e-3)


def test_the_figure_is_an_image(tmp_path: Path) -> None:
    model, X, y = bnsl()
    draw(model.fit(X, y), pd.concat([X, y], axis=1), tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
