"""Sloth: recovery of a simulated model, its protocol, its interpretation, and bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from examples import pooled, sloth_table

from sldagent.errors import PredictorError, SldagentError
from sldagent.predictors.sloth.bench import Made, _predicted
from sldagent.predictors.sloth.figure import draw_loadings
from sldagent.predictors.sloth.fitting import Problem, Settings, fit_problems, link_values
from sldagent.predictors.sloth.interpret import geomin, interpret, optimal_allocation
from sldagent.predictors.sloth.methods import Method, methods, principal_components
from sldagent.predictors.sloth.model import Sloth
from sldagent.predictors.sloth.pooled import PooledLaw, mixed_model
from sldagent.predictors.sloth.protocol import ground
from sldagent.predictors.sloth.start import TorchDraws, initial_link

pytestmark = pytest.mark.requires("jax")
SHORT = Settings(rates=(0.05,), steps=1200)


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, pd.DataFrame]:
    return sloth_table()


@pytest.fixture(scope="module")
def basic(table: tuple[pd.DataFrame, pd.DataFrame]) -> Sloth:
    return Sloth(2, floors=(0.25,) * 4).fit(*table, settings=SHORT)


@pytest.fixture(scope="module")
def full(table: tuple[pd.DataFrame, pd.DataFrame]) -> Sloth:
    return Sloth(2, "monotone", floors=(0.25,) * 4).fit(*table, settings=Settings(rates=(0.05,), steps=800))


def test_a_larger_model_of_a_known_family_is_predicted(table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, Y = table
    # Skills are identified only up to a rotation: what can be recovered is every score, also of models left out.
    held = X.groupby("family")["size"].idxmax().to_numpy()
    kept = np.setdiff1d(np.arange(len(X)), held)
    model = Sloth(2, floors=(0.25,) * 4).fit(X.iloc[kept], Y.iloc[kept], settings=SHORT)
    assert model.error(X.iloc[held], Y.iloc[held]) < 1.5
    shared = Sloth(2, family=False, floors=(0.25,) * 4).fit(X.iloc[kept], Y.iloc[kept], settings=SHORT)
    assert shared.error(X.iloc[held], Y.iloc[held]) > 2 * model.error(X.iloc[held], Y.iloc[held])


def test_trained_links_are_monotone_and_fit_no_worse(basic: Sloth, full: Sloth) -> None:
    eta = np.linspace(-6, 6, 200)[:, None] * np.ones(4)
    values = link_values(full.weights_, eta)
    assert (np.diff(values, axis=0) >= 0).all()
    assert (values >= 0).all() and (values <= 1).all()
    assert full.training_error_ < 0.02
    assert "w1" not in basic.weights_


def test_missing_scores_are_left_out(table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, Y = table
    holes = Y.copy()
    holes.iloc[::7, 1] = np.nan
    model = Sloth(2, floors=(0.25,) * 4).fit(X, holes, settings=SHORT)
    gaps = holes["bench1"].isna()
    assert np.abs(model.predict(X)[gaps, 1] - Y.loc[gaps, "bench1"]).mean() < 0.03


def test_an_unknown_family_gets_the_mean_and_a_wide_interval(basic: Sloth, table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, _ = table
    new = X.assign(family="new")
    interval = basic.predict_interval(new)
    assert interval.unknown == ("new",)
    known = basic.predict_interval(X)
    assert known.unknown == ()
    assert ((interval.high - interval.low).mean(axis=0) > 2 * (known.high - known.low).mean(axis=0)).all()
    assert ((interval.low <= interval.scores) & (interval.scores <= interval.high)).all()


def test_skills_are_white_and_explain_the_same_scores(basic: Sloth, table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    found = interpret(basic, "params")
    covariance = np.cov(found.skills, rowvar=False)
    assert np.allclose(np.diag(covariance), 1.0, atol=1e-6)
    assert (found.coefficients[1] > 0).all()
    # Loadings times skills differ from the model's own only by a constant for each benchmark.
    own = basic.skills(table[0]) @ basic.weights_["loadings"]
    assert np.allclose(np.diff(found.skills @ found.loadings, axis=0), np.diff(own, axis=0), atol=1e-6)


def test_geomin_finds_simple_structure() -> None:
    simple = np.zeros((6, 2))
    simple[:3, 0] = simple[3:, 1] = 0.8
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    T = geomin(simple @ turn)
    loadings = np.abs(simple @ turn @ np.linalg.inv(T).T)
    assert np.allclose(np.sort(loadings, axis=1)[:, 0], 0.0, atol=0.05)
    assert np.allclose(np.linalg.norm(T, axis=0), 1.0)


def test_allocation_is_the_best_of_its_budget(basic: Sloth) -> None:
    found = interpret(basic)
    best = optimal_allocation(found, 60.0, 0, reach=(0.1, 100.0))
    assert best.params * best.tokens * 6 == pytest.approx(60.0)
    for low, high in ((0.1, 1.0), (1.0, 10.0), (10.0, 100.0)):
        assert optimal_allocation(found, 60.0, 0, reach=(low, high)).skill <= best.skill + 1e-3
    with pytest.raises(PredictorError, match="no skill 2"):
        optimal_allocation(found, 60.0, 2, reach=(0.1, 100.0))


def test_folds_keep_each_familys_smallest(table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, Y = table
    frame = pd.concat([X.rename(columns={"size": "params"}), Y], axis=1)
    g = ground(frame, tuple(Y.columns), [["f0", "f1"], ["f2"]])
    for fold in g.folds:
        for family in fold.families:
            mine = g.families == family
            assert (mine & ~fold.test).sum() == 1
            assert g.params[mine & ~fold.test][0] == g.params[mine].min()
        assert not fold.test[~np.isin(g.families, fold.families)].any()
    perfect = [g.scores for _ in g.folds]
    assert np.allclose(g.mae(perfect), 0.0)
    assert np.allclose(g.mae([s + 0.01 for s in perfect]), 1.0)
    assert (g.mae(principal_components(g, 2)) < 20).all()
    with pytest.raises(PredictorError, match="f9"):
        ground(frame, tuple(Y.columns), [["f9"]])


def _replaced(Y: pd.DataFrame, row: int, value: float) -> pd.DataFrame:
    out = Y.copy()
    out.iloc[row, 1] = value
    return out


def test_bad_input_is_named(table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, Y = table
    with pytest.raises(PredictorError, match=r"row 3: score 'bench1' is 61, outside"):
        Sloth().fit(X, _replaced(Y, 3, 61.0))
    with pytest.raises(PredictorError, match=r"too few models \(1\) for 2 skills"):
        Sloth(2).fit(X.iloc[:1], Y.iloc[:1])
    with pytest.raises(PredictorError, match="number of benchmarks"):
        Sloth(9).fit(X, Y)
    with pytest.raises(PredictorError, match="row 4: the model has no score"):
        Sloth(2).fit(X, Y.mask(pd.Series(np.arange(len(Y)) == 4), np.nan))
    with pytest.raises(SldagentError, match="row 2: column 'size' is -1"):
        Sloth(2).fit(X.assign(size=X["size"].mask(np.arange(len(X)) == 2, -1.0)), Y)
    with pytest.raises(PredictorError, match="floors"):
        Sloth(2, floors=(0.1,)).fit(X, Y)


def test_the_figure_is_an_image(basic: Sloth, tmp_path: Path) -> None:
    draw_loadings(basic, tmp_path / "loadings.png")
    assert (tmp_path / "loadings.png").read_bytes().startswith(b"\x89PNG")


def test_the_mixed_model_pools_families() -> None:
    rng = np.random.default_rng(0)
    families = np.eye(12)[np.repeat(np.arange(12), 6)]
    X = np.stack([np.ones(72), rng.normal(size=72)], axis=1)
    slopes, offsets = np.array([[1.0, -1.0], [0.5, 0.8]]), rng.normal(0, 0.5, (12, 2))
    Z = X @ slopes + families @ offsets + rng.normal(0, 0.2, (72, 2))
    # The last family keeps one row, the one before none.
    kept = np.ones(72, dtype=bool)
    kept[60:66] = kept[67:] = False
    made = mixed_model(Z[kept], X[kept], families[kept])
    found, pooled_offsets = made.slopes, made.offsets
    assert found[1] == pytest.approx(slopes[1], abs=0.1)
    assert np.allclose(pooled_offsets[10], 0.0)
    alone = (Z - X @ found)[66]
    assert (np.abs(pooled_offsets[11]) < np.abs(alone)).all()
    shift = (offsets - offsets.mean(axis=0))[:10] - (pooled_offsets - pooled_offsets.mean(axis=0))[:10]
    assert np.abs(shift).mean() < 0.2
    assert np.sqrt(np.diag(made.noise)) == pytest.approx(0.2, abs=0.06)
    assert np.sqrt(np.diag(made.between)) == pytest.approx(0.5, abs=0.25)
    # What is known of a family's offset: least where it has no row.
    assert (made.offset_variance[10] > made.offset_variance[11]).all()
    assert (made.offset_variance[11] > made.offset_variance[0]).all()


def test_the_pooled_law_recovers_scores_and_knows_its_limits() -> None:
    model, X, Y = pooled()
    model.fit(X, Y)
    assert model.error(X, Y) < 0.5
    new = X.assign(family="new")
    logs, sizes, tuned = (v.to_numpy() for v in (np.log(X["size"] * X["tokens"]), np.log(X["size"]), X["tuned"]))
    design = np.stack([np.ones(40), logs, logs**2, sizes, tuned, tuned * logs], axis=1)
    assert model.predict(new) == pytest.approx(1.0 / (1.0 + np.exp(-design @ model.slopes_)))
    wide, known = model.predict_interval(new), model.predict_interval(X)
    assert (wide.unknown, known.unknown) == (("new",), ())
    assert ((wide.high - wide.low).mean(axis=0) > 3 * (known.high - known.low).mean(axis=0)).all()
    assert ((wide.low < wide.scores) & (wide.scores < wide.high)).all()
    # Without the column no model counts as tuned, and nothing is said of tuning.
    plain = PooledLaw().fit(X.drop(columns="tuned"), Y)
    assert np.allclose(plain.slopes_[4:], 0.0)
    assert plain.error(X, Y) > 2 * model.error(X, Y)
    with pytest.raises(PredictorError, match=r"row 4: column 'tuned' is 0\.5; .* 1 or 0"):
        PooledLaw().fit(X.assign(tuned=X["tuned"].mask(np.arange(40) == 4, 0.5)), Y)
    with pytest.raises(PredictorError, match=r"row 3: score 'b' is 61, outside"):
        PooledLaw().fit(X, _replaced(Y, 3, 61.0))
    with pytest.raises(SldagentError, match="row 2"):
        PooledLaw().fit(X, _replaced(Y, 2, np.nan))
    with pytest.raises(PredictorError, match=r"too few models \(6\) .* at least 7"):
        PooledLaw().fit(X.iloc[:6], Y.iloc[:6])


def test_methods_carry_what_they_see() -> None:
    known = methods()
    assert all(method.sees for method in known.values())
    assert all((method.predict is None) == bool(method.mean_of) for method in known.values())
    assert all(set(method.mean_of) <= set(known) for method in known.values())


def test_means_of_methods_are_made_once(table: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    X, Y = table
    g = ground(pd.concat([X.rename(columns={"size": "params"}), Y], axis=1), tuple(Y.columns), [["f0"], ["f2"]])
    asked: list[str] = []

    def level(name: str, value: float) -> Method:
        return Method(name, "nothing", lambda g: (asked.append(name), [np.full_like(g.scores, value)] * 2)[1])

    known = {
        "a": level("a", 0.0),
        "b": level("b", 1.0),
        "ab": Method("ab", "nothing", mean_of=("a", "b")),
        "all": Method("all", "nothing", mean_of=("ab", "b")),
    }
    made: dict[str, Made] = {}
    for name in ("a", "all"):
        _predicted(name, known, g, made)
    assert asked == ["a", "b"]
    assert [np.unique(made[name][0]).tolist() for name in ("ab", "all")] == [[0.5], [0.75]]


def test_draws_are_those_of_torch() -> None:
    """Numbers that torch 2.13 gives after manual_seed(42), in the order of the fit."""
    draws = TorchDraws(42)
    first = [0.33669036626815796, 0.12880940735340118, 0.23446236550807953, 0.23033303022384644, -1.1228563785552979]
    assert draws.normal(3, 2).ravel()[:5] == pytest.approx(first, abs=1e-7)
    blocks = [1.9269152879714966, 0.3558599054813385, 0.859858512878418, -0.6215953826904297]
    assert TorchDraws(42).normal(20)[[0, 8, 15, 19]] == pytest.approx(blocks, abs=1e-6)
    link = initial_link(42, 3)
    assert all((link[name] >= 0.0).all() for name in ("w1", "w2", "w3"))
    assert link["w2"].shape == (3, 10, 10) and not np.allclose(link["w2"][0], link["w2"][1])


def test_a_single_benchmarks_floor_can_be_trained() -> None:
    logs = np.linspace(-2.0, 3.0, 24)
    scores = (0.3 + 0.7 / (1.0 + np.exp(-2.0 * logs)))[:, None]
    problem = Problem(logs[:, None], np.ones((24, 1)), scores, np.ones((24, 1), bool), np.zeros(1))
    quick = Settings(rates=(0.1, 0.01), steps=3000)
    ((kept,), (trained,)) = (fit_problems([problem], 1, "sigmoid", 42, quick, train_floors=t) for t in (False, True))
    assert 1.0 / (1.0 + np.exp(-trained.weights["logit_floor"][0])) == pytest.approx(0.3, abs=0.03)
    assert trained.error < 0.5 * kept.error
