"""What every predictor of the registry does alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import EXAMPLES

from sldagent.errors import PredictorError, SldagentError
from sldagent.predictors import storage
from sldagent.predictors.base import Predictor
from sldagent.predictors.registry import PREDICTORS, command, predictor_class


@dataclass(frozen=True)
class Case:
    name: str
    fitted: Predictor
    X: Any
    y: Any


NEEDS_JAX = ("sloth", "trajectories")


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.requires("jax")) if n in NEEDS_JAX else n for n in sorted(EXAMPLES)],
)
def case(request: pytest.FixtureRequest) -> Case:
    predictor, X, y = EXAMPLES[request.param]()
    return Case(request.param, predictor.fit(X, y), X, y)


def test_every_predictor_has_an_example() -> None:
    assert set(EXAMPLES) == set(PREDICTORS)


def test_it_is_found_by_its_name(case: Case) -> None:
    assert predictor_class(case.name) is type(case.fitted)
    assert case.fitted.name == case.name
    assert command(case.name) is command(case.name)


def test_it_fits_its_own_model(case: Case) -> None:
    assert case.fitted.score(case.X, case.y) > 0.99


def test_fit_returns_itself_and_leaves_parameters_alone(case: Case) -> None:
    fresh, _, _ = EXAMPLES[case.name]()
    assert fresh.get_params() == case.fitted.get_params()
    changed = type(fresh)().set_params(**fresh.get_params())
    assert changed.get_params() == fresh.get_params()


def test_predictions_have_the_shape_of_the_targets(case: Case) -> None:
    predicted = case.fitted.predict(case.X)
    assert predicted.shape == np.asarray(case.y).shape
    assert predicted.dtype == np.float64


def test_save_and_load_keep_everything(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    case.fitted.save(path)
    for again in (Predictor.load(path), type(case.fitted).load(path)):
        assert again.get_params() == case.fitted.get_params()
        assert np.array_equal(again.predict(case.X), case.fitted.predict(case.X))
        assert again.feature_names_in_ == case.fitted.feature_names_in_
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[key].dtype != object for key in archive.files)


def test_an_unfitted_one_says_so(case: Case, tmp_path: Path) -> None:
    fresh, X, _ = EXAMPLES[case.name]()
    with pytest.raises(PredictorError, match="not fitted"):
        fresh.predict(X)
    with pytest.raises(PredictorError, match="not fitted"):
        fresh.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_unknown_parameters_and_lengths_are_refused(case: Case) -> None:
    with pytest.raises(PredictorError, match="no parameter 'nope'"):
        type(case.fitted)().set_params(nope=1)
    with pytest.raises(SldagentError, match="rows"):
        type(case.fitted)().fit(case.X.iloc[:-1], case.y)


def test_a_cell_that_is_no_number_is_named(case: Case) -> None:
    number = next(k for k, kind in enumerate(case.X.dtypes) if kind == np.float64)
    X = case.X.astype(object)
    X.iloc[2, number] = "many"
    with pytest.raises(SldagentError, match=r"row 2: column .* 'many'"):
        case.fitted.predict(X)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    path.write_text("no archive")
    with pytest.raises(PredictorError, match=r"other\.npz"):
        Predictor.load(path)
    np.savez(path, a=np.ones(3))
    with pytest.raises(PredictorError, match=r"other\.npz"):
        Predictor.load(path)
    with pytest.raises(PredictorError, match="did you mean bnsl"):
        predictor_class("bnls")


def test_a_file_that_lacks_something_learnt_says_so(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    case.fitted.save(path)
    saved = storage.read(path)
    own = [name for name in saved.fitted if name not in ("feature_names_in_", "target_names_")]
    for lost in own:
        fitted = {name: value for name, value in saved.fitted.items() if name != lost}
        storage.write(path, storage.Saved(saved.predictor, saved.params, fitted))
        with pytest.raises(PredictorError, match=f"had no '{lost}': fit anew"):
            Predictor.load(path)
