"""Observational laws: parameters of a simulated population come back, bad rows are named, published figures on real data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from sldagent.errors import SldagentError
from sldagent.predictors.base import Predictor
from sldagent.predictors.observational.efficiency import compute_efficiency, equivalent_compute
from sldagent.predictors.observational.link import fit_link
from sldagent.predictors.observational.model import ObservationalLaw
from sldagent.predictors.observational.selection import select_models
from sldagent.predictors.observational.space import fit_space
from sldagent.predictors.observational.split import split_by_cutoff

NAMES = ["a", "b", "c", "d", "e"]
LOADINGS = np.array([[0.6, 0.5, 0.4, 0.4, 0.3], [0.5, -0.6, 0.4, -0.4, 0.1]])
LOADINGS /= np.linalg.norm(LOADINGS, axis=1, keepdims=True)


def population(n: int = 60, seed: int = 0, noise: float = 0.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Scores of n models in a two-dimensional capability space, and a target that is the law itself."""
    rng = np.random.default_rng(seed)
    S = rng.normal(size=(n, 2)) * [0.25, 0.08]
    scores = np.clip(0.5 + S @ LOADINGS + noise * rng.normal(size=(n, 5)), 0.0, 1.0)
    y = 0.1 + 0.9 * expit(-1.0 + S @ np.array([9.0, -12.0]))
    return pd.DataFrame(scores, columns=NAMES), y


def test_a_simulated_law_is_recovered() -> None:
    X, y = population()
    law = ObservationalLaw(components=2).fit(X, y)
    assert law.explained_variance_[:2].sum() == pytest.approx(1.0, abs=1e-9)
    assert law.training_mse_[0] < 1e-12
    assert law.floors_[0] == pytest.approx(0.1, abs=1e-4)
    held, truth = population(seed=1)
    np.testing.assert_allclose(law.predict(held), truth, atol=1e-4)
    # the weights are those of the simulation in the coordinates of the fitted space
    np.testing.assert_allclose(
        law.loadings_.T @ law.weights_[0],
        LOADINGS.T @ np.linalg.solve(LOADINGS @ LOADINGS.T, [9.0, -12.0]),
        rtol=1e-3,
        atol=1e-3,
    )


def test_components_agree_with_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    X, _ = population(noise=0.05)
    ours = fit_space(X.to_numpy(), 3)
    theirs = decomposition.PCA(3).fit(X.to_numpy())
    np.testing.assert_allclose(ours.explained[:3], theirs.explained_variance_ratio_, rtol=1e-10)
    np.testing.assert_allclose(np.abs(ours.loadings), np.abs(theirs.components_), atol=1e-10)


def test_missing_scores_are_filled_from_the_common_component() -> None:
    rng = np.random.default_rng(0)
    ability = rng.uniform(-0.3, 0.3, size=50)
    scores = 0.5 + np.outer(ability, [1.0, 0.8, 0.6, 0.9])
    holed = scores.copy()
    holed[3, 1] = holed[7, 0] = np.nan
    filled = fit_space(holed, 1).fill(holed)
    np.testing.assert_allclose(filled, scores, atol=2e-3)


def test_rows_to_predict_do_not_move_the_space() -> None:
    X, y = population(noise=0.03)
    law = ObservationalLaw(components=2, starts=4).fit(X[:40], y[:40])
    alone, together = law.predict(X[40:41]), law.predict(X)[40:41]
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_several_starts_are_never_worse_than_the_single_one() -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        S = rng.normal(size=(30, 2)) * [0.3, 0.02]
        y = np.clip(expit(S @ np.array([20.0, 80.0])) + 0.05 * rng.normal(size=30), 0.0, 1.0)
        single, several = fit_link(S, y, starts=1), fit_link(S, y, starts=16, seed=seed)
        assert several.mse <= single.mse * (1 + 1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.5))
def test_predictions_stay_between_floor_and_one(seed: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    S = rng.normal(size=(12, 2))
    link = fit_link(S, rng.uniform(size=12), floor_max=floor, starts=2, seed=seed)
    predicted = link.predict(10.0 * rng.normal(size=(50, 2)))
    assert 0.0 <= link.floor <= floor + 1e-12
    assert (predicted >= link.floor - 1e-12).all() and (predicted <= 1.0).all()


def test_a_saved_law_predicts_the_same(tmp_path) -> None:  # type: ignore[no-untyped-def]
    X, y = population(noise=0.02)
    frame = pd.DataFrame({"t": y, "u": y**2})
    law = ObservationalLaw(components=2, starts=2).fit(X, frame)
    law.save(tmp_path / "law.npz")
    again = Predictor.load(tmp_path / "law.npz")
    np.testing.assert_array_equal(again.predict(X), law.predict(X))
    assert law.predict(X).shape == (60, 2)


def test_unknown_targets_and_scores_are_allowed() -> None:
    X, y = population(noise=0.02)
    X.loc[4, "b"] = np.nan
    y[5] = np.nan
    law = ObservationalLaw(components=2, starts=2).fit(X, y)
    assert np.isfinite(law.predict(X)).all()
    assert law.error(X, y) < 0.01


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X, y: X.loc.__setitem__((7, "c"), 1.4), r"row 7: column 'c' is 1.4, outside \[0, 1\]"),
        (lambda X, y: X.loc.__setitem__((9, slice(None)), np.nan), "row 9: no benchmark score"),
        (lambda X, y: y.__setitem__(3, -0.2), r"row 3: column 'y' is -0.2, outside \[0, 1\]"),
    ],
)
def test_bad_rows_are_named(change, said: str) -> None:  # type: ignore[no-untyped-def]
    X, y = population()
    change(X, y)
    with pytest.raises(SldagentError, match=said):
        ObservationalLaw(components=2).fit(X, y)


def test_too_few_models_and_bad_parameters() -> None:
    X, y = population()
    with pytest.raises(SldagentError, match="3 models are too few for 3 components"):
        ObservationalLaw(components=3).fit(X[:3], y[:3])
    with pytest.raises(SldagentError, match="4 scores are too few for the 5 constants"):
        ObservationalLaw(components=3).fit(X[:4], y[:4])
    with pytest.raises(SldagentError, match="6 components of 5 benchmarks"):
        ObservationalLaw(components=6).fit(X, y)
    with pytest.raises(SldagentError, match="starts is 0"):
        ObservationalLaw(starts=0).fit(X, y)


def test_efficiency_recovers_lines_and_widens_for_a_new_family() -> None:
    rng = np.random.default_rng(0)
    family, compute, S = [], [], []
    for f, (slope, intercept) in enumerate([(0.1, 0.5), (0.2, -0.3), (0.15, 0.1)]):
        for c in np.geomspace(1.0, 100.0, 6):
            family.append(f"f{f}")
            compute.append(c)
            S.append([intercept + slope * np.log(c / 10.0), 0.0 + 0.01 * rng.normal()])
    fitted = compute_efficiency(np.array(S), np.array(compute), family)
    assert fitted.reference == pytest.approx(10.0)
    np.testing.assert_allclose(fitted.slopes[:, 0], [0.1, 0.2, 0.15], atol=1e-9)
    np.testing.assert_allclose(fitted.intercepts[:, 0], [0.5, -0.3, 0.1], atol=1e-9)
    known, low, high = fitted.predict(50.0, "f1")
    assert known[0] == pytest.approx(-0.3 + 0.2 * np.log(5.0))
    new, new_low, new_high = fitted.predict(10.0, "nobody's")
    assert new[0] == pytest.approx(0.1)
    assert (new_high - new_low)[0] > (high - low)[0] + 0.5


def test_a_family_with_one_size_has_the_mean_slope() -> None:
    S = np.array([[0.0], [1.0], [3.0]])
    fitted = compute_efficiency(S, np.array([1.0, np.e, 1.0]), ["a", "a", "b"])
    assert fitted.own_slope == (True, False)
    assert fitted.slopes[1, 0] == pytest.approx(1.0)
    assert fitted.predict(np.e, "b")[0][0] == pytest.approx(4.0)


def test_equivalent_compute_inverts_the_reference_line() -> None:
    compute = np.array([1.0, 10.0, 100.0])
    index = 2.0 + 0.3 * np.log(compute)
    np.testing.assert_allclose(equivalent_compute(np.array([2.0 + 0.3 * np.log(50.0)]), index, compute), [50.0])


def test_selection_is_the_best_union() -> None:
    rng = np.random.default_rng(0)
    S = rng.normal(size=(14, 2))
    family = list("aaabbbccddddee")
    chosen = select_models(S, family, 7)
    X = np.column_stack([np.ones(14), S])

    def variance(members: set[str]) -> float:
        rows = [i for i, f in enumerate(family) if f in members]
        return float(np.trace(X.T @ X @ np.linalg.inv(X[rows].T @ X[rows]))) / 14

    assert chosen.variance == pytest.approx(variance(set(chosen.families)))
    unions = [{x for x, bit in zip("abcde", np.binary_repr(k, 5), strict=True) if bit == "1"} for k in range(1, 32)]
    within = [u for u in unions if 3 <= sum(f in u for f in family) <= 7]
    assert chosen.tried == len(within)
    assert chosen.variance == pytest.approx(min(variance(u) for u in within))
    with pytest.raises(SldagentError, match="budget of 2 models"):
        select_models(S, family, 2)


def test_unknown_sizes_are_test_rows() -> None:
    np.testing.assert_array_equal(split_by_cutoff(np.array([1.0, 84.0, 85.0, np.nan]), 84.0), [True, True, False, False])
