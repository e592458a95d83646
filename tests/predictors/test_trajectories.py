"""Trajectory forecasts: samples, baselines and protocol by hand-made oracles; the network on simulated power laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.errors import SldagentError
from sldagent.predictors.trajectories.baselines import BASELINES
from sldagent.predictors.trajectories.data import Trajectory, blanked, context_length, read_trajectories
from sldagent.predictors.trajectories.model import TrajectoryForecaster, _line_share, _moved
from sldagent.predictors.trajectories.protocol import future, make_split, score
from sldagent.predictors.trajectories.references import LOG_SHARES, on_grid, own_references, reference, task_curves
from sldagent.predictors.trajectories.samples import UNIT, draw, forecast_lines, make_batch
from sldagent.predictors.trajectories.sources import Source

COLUMNS = ("run", "task", "step", "accuracy")
needs_jax = pytest.mark.requires("jax")


def power_laws(runs: int = 6, tasks: int = 2, checkpoints: int = 20, noise: float = 0.0, c: float = 0.3) -> Source:
    """accuracy = a - b step^-c, larger runs gaining more; the loss is a straight line in accuracy."""
    rng = np.random.default_rng(0)
    trajectories, size = [], {}
    steps = 100.0 * np.arange(1.0, checkpoints + 1)
    for r in range(runs):
        size[f"r{r}"] = float(r + 1)
        for k in range(tasks):
            clean = 0.4 + 0.05 * k + 0.02 * r - (0.3 + 0.05 * r) * steps**-c
            accuracy = clean + noise * rng.normal(size=checkpoints)
            trajectories.append(
                Trajectory(f"r{r}", f"t{k}", steps, accuracy, np.stack([clean, 1 - clean], axis=1), np.arange(checkpoints))
            )
    return Source(
        "simulated", tuple(trajectories), size, tuple(2.0 - t.losses[:, 0] for t in trajectories), "clean accuracy"
    )


def long_table(source: Source) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"run": t.run, "task": t.task, "step": t.steps, "accuracy": t.accuracy}) for t in source.trajectories
    ]
    return pd.concat(parts, ignore_index=True)


def test_tables_become_trajectories() -> None:
    source = power_laws()
    table = long_table(source).sample(frac=1.0, random_state=0).sort_values("step", ignore_index=True)
    read, _ = read_trajectories(table, COLUMNS)
    assert {(t.run, t.task) for t in read} == {(t.run, t.task) for t in source.trajectories}
    for t in read:
        np.testing.assert_array_equal(table["accuracy"].to_numpy()[t.rows], t.accuracy)


def test_blanking_keeps_only_the_context() -> None:
    table = long_table(power_laws(checkpoints=20))
    seen = blanked(table, COLUMNS, 0.2)
    assert context_length(20, 0.2) == 5
    assert seen.groupby(["run", "task"])["accuracy"].count().eq(5).all()
    assert table["accuracy"].notna().all()


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (3, "accuracy", 1.2, r"row 3: column 'accuracy' is 1.2, outside \[0, 1\]"),
        (4, "step", 100.0, "row 4: the step does not increase within run 'r0', task 't0'"),
        (5, "step", -1.0, "row 5: column 'step' is -1"),
        (6, "run", "", "row 6: column 'run' is empty"),
    ],
)
def test_bad_rows_are_named(row: int, column: str, value: object, said: str) -> None:
    table = long_table(power_laws())
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    with pytest.raises(SldagentError, match=said):
        read_trajectories(table, COLUMNS)


@settings(max_examples=40)
@given(st.floats(0.01, 0.9), st.floats(-0.5, 0.5), st.integers(4, 30), st.floats(1.01, 20.0))
def test_lines_continue_their_own_power_law(level: float, slope: float, points: int, ahead: float) -> None:
    x = np.linspace(0.1, 1.0, points)
    lines = forecast_lines(x, level + slope * x**-0.25, ahead)
    assert lines[3] == pytest.approx(level + slope * ahead**-0.25, abs=1e-9)
    assert lines[0] == pytest.approx(level + slope)


def test_a_sample_sees_nothing_after_its_context() -> None:
    source = power_laws(noise=0.01)
    at = (np.array([1]), np.array([4]), np.array([9]))
    t = source.trajectories[1]
    later = np.arange(20) > 4
    changed = replace(t, accuracy=np.where(later, 0.9, t.accuracy), losses=np.where(later[:, None], 7.0, t.losses))
    beside = [reference(task_curves([o for o in source.trajectories if o.run != t.run]), t.task)]
    sample, other = (make_batch(part, *at, beside) for part in (source.trajectories, (source.trajectories[0], changed)))
    for name, value in sample.arrays().items():
        if name != "y":
            np.testing.assert_array_equal(value, other.arrays()[name])
    assert sample.level[0] + UNIT * sample.y[0] == pytest.approx(t.accuracy[9], abs=1e-6)
    assert other.level[0] + UNIT * other.y[0] == pytest.approx(0.9, abs=1e-6)


def test_the_reference_is_what_other_runs_did_on_the_task() -> None:
    source = power_laws(runs=3, tasks=3)
    mine = source.trajectories[4]
    own, new = own_references(source.trajectories)[4]
    like = [on_grid(t) for t in source.trajectories if t.task == mine.task and t.run != mine.run]
    np.testing.assert_allclose(own.curve, np.mean(like, axis=0))
    other = [on_grid(t) for t in source.trajectories if t.task != mine.task]
    np.testing.assert_allclose(new.curve, np.mean(other, axis=0))
    assert (own.known, new.known) == (True, False)
    # Another accuracy of its own run changes neither the task's curve beside it nor, at an unknown task, the other.
    changed = [replace(t, accuracy=0.5 * t.accuracy) if t is mine else t for t in source.trajectories]
    again = own_references(changed)[4]
    assert (again[0].curve == own.curve).all() and (again[1].curve == new.curve).all()
    curves = task_curves(source.trajectories)
    assert reference(curves, "t1").known and not reference(curves, "another").known
    np.testing.assert_allclose(reference(curves, "another").curve, np.mean(list(curves.values()), axis=0))


def test_the_reference_line_adds_the_mean_gain() -> None:
    source = power_laws(runs=3, tasks=1)
    t, others = source.trajectories[0], source.trajectories[1:]
    at = (np.array([0]), np.array([7]), np.array([15]))
    beside = reference(task_curves(others), t.task)
    batch = make_batch(source.trajectories, *at, [beside])
    gain = beside.at(np.log(t.steps / t.steps[-1]))[15] - beside.at(np.log(t.steps / t.steps[-1]))[5:8].mean()
    assert batch.lines[0, -2] == pytest.approx(gain / UNIT, rel=1e-5)
    shares = np.log(t.steps / t.steps[-1])
    slope, level = np.polyfit(beside.at(shares[:8]), t.accuracy[:8], 1)
    expected = (level + slope * beside.at(shares[15]) - batch.level[0]) / UNIT
    assert batch.lines[0, -1] == pytest.approx(expected, rel=1e-4)
    assert batch.tokens[0, 5:8, 1].mean() == pytest.approx(0.0, abs=1e-5)
    straight = np.interp(LOG_SHARES, np.log(t.steps / t.steps[-1]), t.accuracy)
    np.testing.assert_allclose(on_grid(t), straight)


def test_runs_that_have_not_ended_are_no_part_of_a_curve() -> None:
    source = power_laws(runs=3, tasks=1)
    cut = [replace(t, accuracy=np.where(np.arange(20) < 8, t.accuracy, np.nan)) for t in source.trajectories[:1]]
    whole = source.trajectories[1:]
    np.testing.assert_array_equal(task_curves([*cut, *whole])["t0"], task_curves(whole)["t0"])
    np.testing.assert_array_equal(own_references([*cut, *whole])[0][0].curve, task_curves(whole)["t0"])
    np.testing.assert_array_equal(own_references([*cut, *whole])[1][0].curve, on_grid(whole[1]))
    assert np.isfinite(task_curves(cut)["t0"]).all()


def test_a_lone_trajectory_has_a_level_reference() -> None:
    source = power_laws(runs=1, tasks=1)
    for beside in own_references(source.trajectories)[0]:
        assert not beside.known and (beside.curve == 0.0).all()


def test_training_samples_have_gaps_and_later_targets() -> None:
    source = power_laws(checkpoints=40)
    batch = draw(source.trajectories, own_references(source.trajectories), 200, 0.2, 0.5, np.random.default_rng(0))
    assert (batch.query[:, 0] > 0.0).all()
    gaps = batch.tokens[:, 1:, 2][batch.mask[:, 1:]]
    assert (gaps > 0.0).all() and len(np.unique(gaps.round(4))) > 20
    assert batch.mask.sum(axis=1).min() >= 3


def test_saturating_power_laws_are_continued_exactly() -> None:
    source = power_laws()
    split = make_split(source, "largest", 0)
    assert split.held == ("r4", "r5")
    test = [source.trajectories[i] for i in split.test]
    by = {b.name: b for b in BASELINES}
    for name, limit in (
        ("saturating power law", 1e-3),
        ("power law, shared exponent", 1e-3),
        ("logistic + offset", 5.0),
        ("line in the task's mean curve", 0.1),
    ):
        made = by[name].forecast(source, split)
        assert made is not None
        assert score(test, made).mae < limit, name
    kept = by["persistence"].forecast(source, split)
    assert kept is not None
    assert score(test, kept).mae == pytest.approx(
        float(np.mean([100 * np.mean(np.abs(t.accuracy[5:] - t.accuracy[4])) for t in test]))
    )


def test_mean_delta_adds_the_training_gain_of_the_task() -> None:
    source = power_laws(runs=2)
    split = make_split(source, "largest", 0)
    made = {b.name: b for b in BASELINES}["mean-delta"].forecast(source, split)
    assert made is not None
    small, large = source.trajectories[0], source.trajectories[2]
    np.testing.assert_allclose(made[0], large.accuracy[4] + small.accuracy[5:] - small.accuracy[4])


def test_the_logistic_needs_its_task_in_training() -> None:
    source = power_laws(tasks=3)
    split = make_split(source, "tasks", 1)
    assert len(split.held) == 1
    assert {source.trajectories[i].task for i in split.train}.isdisjoint(split.held)
    assert {b.name: b for b in BASELINES}["logistic, zero-shot"].forecast(source, split) is None


def test_scores_count_points_intervals_and_order() -> None:
    source = power_laws(runs=3, tasks=1)
    truth = [t.accuracy[future(t)] for t in source.trajectories]
    exact = score(source.trajectories, truth, [np.stack([v - 0.1, v + 0.1], axis=1) for v in truth])
    assert (exact.mae, exact.coverage, exact.ranking) == (0.0, 1.0, 1.0)
    shifted = score(source.trajectories, [1.0 - v for v in truth], [np.stack([v + 0.1, v + 0.2], axis=1) for v in truth])
    assert (shifted.coverage, shifted.ranking) == (0.0, 0.0)


def test_the_line_has_the_share_that_errs_least_on_runs_held_out() -> None:
    rng = np.random.default_rng(0)
    truth, quantiles = rng.normal(size=400), rng.normal(size=(400, 1)) + np.arange(5.0)
    halfway = 2.0 * truth - quantiles[:, 2]
    assert _line_share([(quantiles, truth, truth)]) == 1.0
    assert _line_share([(quantiles, halfway, truth), (quantiles, halfway, truth)]) == 0.5
    assert _line_share([(quantiles, truth, quantiles[:, 2])]) == 0.0
    assert _line_share([]) == 0.0
    moved = _moved(quantiles, halfway, 0.5)
    np.testing.assert_allclose(moved[:, 2], truth)
    np.testing.assert_allclose(moved - moved[:, 2:3], quantiles - quantiles[:, 2:3])


@needs_jax
def test_the_network_learns_power_laws(tmp_path) -> None:  # type: ignore[no-untyped-def]
    source = power_laws(runs=8, noise=0.003)
    table = long_table(source)
    held = table["run"].isin(["r3", "r6"])
    model = TrajectoryForecaster(width=8, layers=1, members=1, steps=150, batch=32, seed=1)
    model.fit(table.loc[~held, list(COLUMNS)], table.loc[~held, "accuracy"])
    seen = blanked(table[held], COLUMNS, 0.2)
    ahead = seen["accuracy"].isna().to_numpy()
    quantiles = model.predict_quantiles(seen[list(COLUMNS)])
    truth = table.loc[held, "accuracy"].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0.0).all()
    np.testing.assert_array_equal(quantiles[~ahead, 2], truth[~ahead])
    last = seen.groupby(["run", "task"])["accuracy"].transform("last").to_numpy()
    assert np.abs(quantiles[ahead, 2] - truth[ahead]).mean() < 0.6 * np.abs(last - truth)[ahead].mean()
    model.save(tmp_path / "m.npz")
    again = TrajectoryForecaster.load(tmp_path / "m.npz")
    np.testing.assert_allclose(again.predict(seen[list(COLUMNS)]), model.predict(seen[list(COLUMNS)]), atol=1e-6)


@needs_jax
def test_rows_that_cannot_be_forecast_are_named() -> None:
    table = long_table(power_laws(runs=3))
    model = TrajectoryForecaster(width=8, layers=1, members=1, steps=2, batch=8).fit(table, table["accuracy"])
    short = table.assign(accuracy=table["accuracy"].where(table["step"] <= 200.0))
    with pytest.raises(SldagentError, match="row 2: run 'r0', task 't0' has 2 known accuracies; a forecast needs 3"):
        model.predict(short)
    gap = table.copy()
    gap.loc[7, "accuracy"] = np.nan
    with pytest.raises(SldagentError, match=r"row 7: .* only later ones are forecast"):
        model.predict(gap)
    with pytest.raises(SldagentError, match="losses=True needs loss columns"):
        TrajectoryForecaster(losses=True).fit(table, table["accuracy"])
