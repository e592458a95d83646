from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sldagent.errors import TableError
from sldagent.tasks import levels
from sldagent.tasks.cuts import asked_reach, blind_cuts, targeted_cuts
from sldagent.tasks.cuts import tested_reach as reach_tested
from sldagent.tasks.load import load_task, task_from_frame
from sldagent.tasks.task import Cut, Target, Task, Variable


def make(X, roles, *, group=None, run=None, log=False, vectors=None) -> Task:
    X = np.asarray(X, dtype=float)
    n = len(X)
    group = np.zeros(n, dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    return Task(
        name="t",
        variables=tuple(
            Variable(f"v{k}", f"v{k}", role, log=log, log_base=10 if log else math.e)
            for k, role in enumerate(roles)
        ),
        targets=(Target("y"),),
        X=X,
        Y=np.ones((n, 1)),
        group=group,
        groups=tuple(f"g{k}" for k in range(int(group.max()) + 1)),
        split=np.full(n, "train"),
        run=None if run is None else np.asarray(run, dtype=np.int64),
        noise_scale=np.ones(n),
        vectors=vectors or {},
    )


def named(cuts: tuple[Cut, ...]) -> dict[str, Cut]:
    return {c.name: c for c in cuts}


def grid(*axes):
    return np.array(list(product(*axes)), dtype=float)


def test_levels_are_clusters_on_the_log_axis():
    labels, continuous = levels.level_labels(np.log([100, 104, 200, 99, 1000]))
    assert labels.tolist() == [0, 0, 1, 0, 2]
    assert not continuous
    assert levels.level_labels(np.log(2.0 ** np.arange(12)))[1] is False
    assert levels.level_labels(np.log(2.0 ** np.arange(13)))[1] is True


def test_a_long_chain_of_close_values_is_continuous():
    assert levels.level_labels(np.log(np.geomspace(1, 100, 200)))[1] is True


def test_small_factors_are_cut_by_level_and_jointly():
    task = make(grid([1, 2, 4], 10.0 ** np.arange(3, 9)), ["scale", "scale"])
    cuts = named(blind_cuts(task))
    assert list(cuts) == [
        "v0: top level", "v1: top 2 levels", "joint: top 10 %", "joint: top 20 %", "joint: top 35 %",
    ]  # fmt: skip
    assert task.X[cuts["v0: top level"].held, 0].tolist() == [4] * 6
    assert cuts["v0: top level"].reach == pytest.approx(2)
    # The top level of v1 holds 3 of 18 rows, too few: the next level is taken too.
    assert set(task.X[cuts["v1: top 2 levels"].held, 1]) == {1e7, 1e8}
    assert cuts["v1: top 2 levels"].reach == pytest.approx(100)


def test_many_levels_are_cut_by_share():
    task = make(grid([1, 2], np.geomspace(1, 1e6, 20)), ["scale", "scale"])
    shares = [c.held.sum() for c in blind_cuts(task) if c.variable == "v1"]
    assert shares == [4, 8, 14]


def test_short_curves_of_many_groups_lose_their_last_sizes_at_once():
    X = grid(range(10), 2.0 ** np.arange(12))
    task = make(X[:, 1:], ["scale"], group=X[:, 0])
    cuts = blind_cuts(task)
    assert [c.name for c in cuts] == ["v0: last size", "v0: last 2 sizes", "v0: last 4 sizes"]
    assert [c.held.sum() for c in cuts] == [10, 20, 40]
    assert [c.reach for c in cuts] == pytest.approx([2, 4, 16])


def test_groups_with_other_sizes_are_cut_at_their_own():
    X = np.concatenate([2.0 ** np.arange(8), 1000 * 2.0 ** np.arange(8)])[:, None]
    task = make(X, ["scale"], group=[0] * 8 + [1] * 8)
    held = blind_cuts(task)[0].held
    assert held[:8].any()
    assert held[8:].any()


def test_a_logarithm_is_cut_as_it_stands():
    values = np.linspace(-1, 2, 40)[:, None]
    cuts = named(blind_cuts(make(values, ["scale"], log=True)))
    assert [c.held.sum() for c in cuts.values()] == [4, 8, 14]
    cut = cuts["v0: top 20 %"]
    assert cut.reach == pytest.approx(10 ** (8 * 3 / 39))


def test_settings_and_proportions_are_never_cut():
    rng = np.random.default_rng(0)
    share = rng.uniform(0, 1, 60)
    X = np.column_stack([rng.lognormal(size=60), rng.uniform(1, 2, 60), share, 1 - share])
    task = make(X, ["scale", "setting", "proportion", "proportion"], vectors={"r": ("v2", "v3")})
    assert {c.variable for c in blind_cuts(task)} == {"v0"}


def test_runs_stay_whole():
    rng = np.random.default_rng(1)
    run = np.repeat(np.arange(20), 5)
    tokens = np.concatenate([np.geomspace(1, top, 5) for top in np.geomspace(10, 1000, 20)])
    task = make(np.column_stack([rng.lognormal(size=20)[run], tokens]), ["scale", "scale"], run=run)
    cuts = blind_cuts(task)
    assert {c.variable for c in cuts} == {"v0", "v1", "joint"}
    for cut in cuts:
        for r in range(20):
            assert len(set(cut.held[run == r].tolist())) == 1


def test_ties_at_a_threshold_go_together():
    score = np.array([1, 2, 3, 3, 3, 3, 4, 4, 5, 5], dtype=float)
    assert levels.top_share(score, 0.1).sum() == 2
    assert levels.top_share(score, 0.35).sum() == 4
    assert levels.top_share(np.ones(10), 0.1).sum() == 10


def test_a_group_too_small_for_a_cut_stays_whole():
    X = np.concatenate([2.0 ** np.arange(10), 2.0 ** np.arange(3)])[:, None]
    task = make(X, ["scale"], group=[0] * 10 + [1] * 3)
    cuts = blind_cuts(task)
    assert cuts
    assert not any(c.held[10:].any() for c in cuts)


def test_few_rows_fall_back_to_one_cut_and_fewer_are_refused():
    (cut,) = blind_cuts(make([[1], [2], [4], [8]], ["scale"]))
    assert cut.held.tolist() == [False, False, False, True]
    with pytest.raises(TableError, match="too few to hold out larger scale"):
        blind_cuts(make([[1], [2]], ["scale"]))


def test_mixtures_are_cut_by_distance_and_folded_with_equal_mixtures_together():
    rng = np.random.default_rng(2)
    design = rng.dirichlet([1, 1, 1], 20)
    X = np.tile(design, (3, 1))
    group = np.repeat([0, 1, 2], 20)
    task = make(X, ["proportion"] * 3, group=group, vectors={"r": ("v0", "v1", "v2")})
    cuts = blind_cuts(task)
    far = [c for c in cuts if c.variable == "mixture"]
    folds = [c for c in cuts if c.variable == "mixture-fold"]
    assert [c.held.sum() for c in far] == [6, 12, 21]
    assert all(c.extrapolates and c.reach > 1 for c in far)
    assert len(folds) == 5
    assert not any(c.extrapolates for c in folds)
    assert np.array_equal(np.sum([c.held for c in folds], axis=0), np.ones(60))
    for cut in cuts:
        assert np.array_equal(cut.held[:20], cut.held[20:40])
    centre = design.mean(axis=0)
    distance = np.linalg.norm(X - centre, axis=1)
    assert distance[far[0].held].min() >= distance[far[0].kept].max() - 1e-9


def test_a_table_of_settings_only_is_cut_away_from_its_centre():
    cuts = blind_cuts(make(grid([1, 2, 4, 8], [1, 2, 4, 8]), ["setting", "setting"]))
    assert {c.variable for c in cuts} == {"setting", "setting-fold"}


def test_targeted_cuts_follow_the_way_to_the_wanted_region():
    task = make(grid(np.geomspace(1, 100, 10), np.geomspace(1, 100, 10)), ["scale", "scale"])
    up = targeted_cuts(task, np.array([[1e4, 10.0]]))  # 10 is the training mean of the second
    assert {c.variable for c in up} == {"target"}
    assert set(task.X[up[0].held, 0]) == {task.X[:, 0].max()}
    assert up[0].reach == pytest.approx(math.sqrt(100 ** (1 / 9)), rel=1e-6)
    down = targeted_cuts(task, np.array([[1e-4, 10.0]]))
    assert set(task.X[down[0].held, 0]) == {1.0}
    assert [c.held.sum() for c in up] == [10, 20, 30]


def test_a_wanted_region_at_the_mean_gives_blind_cuts():
    task = make(grid(np.geomspace(1, 100, 10), np.geomspace(1, 100, 10)), ["scale", "scale"])
    names = [c.name for c in targeted_cuts(task, np.array([[10.0, 10.0]]))]
    assert names == [c.name for c in blind_cuts(task)]


def test_reach_asked_and_tested():
    task = make(grid([1, 2, 4, 8], [1, 10, 100, 1000]), ["scale", "scale"])
    asked = asked_reach(task, np.array([[16, 10], [80, 100]]))
    assert asked == pytest.approx({"v0": 10, "v1": 0.1})
    reach = reach_tested(blind_cuts(task), task)
    assert reach == pytest.approx({"v0": 4, "v1": 100})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_properties_of_any_table(data):
    n = data.draw(st.integers(8, 60))
    seed = data.draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    count = data.draw(st.integers(1, 3))
    coarse = data.draw(st.booleans())
    X = 2.0 ** rng.integers(0, 6, (n, count)) if coarse else rng.lognormal(0, 2, (n, count))
    if np.any(np.ptp(X, axis=0) == 0):
        return
    group = rng.integers(0, data.draw(st.integers(1, 3)), n)
    group = np.unique(group, return_inverse=True)[1].reshape(-1)
    task = make(X, ["scale"] * count, group=group)
    cuts = blind_cuts(task)
    assert cuts
    assert len({c.held.tobytes() for c in cuts}) == len(cuts)
    assert len({c.name for c in cuts}) == len(cuts)
    for cut in cuts:
        assert cut.held.any()
        assert np.array_equal(cut.kept, ~cut.held)
        assert cut.reach > 0
        assert np.isfinite(cut.reach)
        if cut.variable.startswith("v"):
            x = X[:, int(cut.variable[1:])]
            for g in range(len(task.groups)):
                mine = group == g
                if (mine & cut.held).any():
                    assert x[mine & cut.held].min() > x[mine & cut.kept].max()
    again = blind_cuts(task)
    assert [c.held.tobytes() for c in again] == [c.held.tobytes() for c in cuts]


def test_rows_in_another_order_are_cut_alike():
    rng = np.random.default_rng(3)
    X = rng.lognormal(0, 2, (50, 2))
    order = rng.permutation(50)
    for a, b in zip(
        blind_cuts(make(X, ["scale"] * 2)), blind_cuts(make(X[order], ["scale"] * 2)), strict=True
    ):
        assert np.array_equal(a.held[order], b.held)


EXPECTED = {
    "parallel": {"num_params": 2, "parallel_size": 1, "joint": 3},
    "vocab": {"non_vocab_parameters": 2, "vocab_size": 2, "num_characters": 3, "joint": 3},
    "sft": {"sft_data_size": 3},
    "domain_mixture": {"mixture": 3, "mixture-fold": 5},
    "moe": {"num_experts": 2, "dense_parameter_count": 2, "joint": 3},
    "data_constrained": {"unique_tokens": 3, "params": 3, "tokens": 3, "joint": 3},
    "lr_bsz": {"data_size": 3, "non_embedding_param_size": 2, "joint": 3},
    "easy_question": {"log_flops": 3},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_cuts_of_the_benchmark_tables(data_folder, name):
    train = load_task(name, data=data_folder).part("train")
    cuts = blind_cuts(train)
    counts: dict[str, int] = {}
    for cut in cuts:
        counts[cut.variable] = counts.get(cut.variable, 0) + 1
        assert cut.held.sum() >= min(5, len(train.X) // 10 + 1)
        assert cut.kept.sum() >= 0.5 * len(train.X)
    assert counts == EXPECTED[name]


def test_cuts_ignore_test_rows():
    frame = pd.DataFrame(
        {"split": ["train"] * 8 + ["test"] * 2, "N": 2.0 ** np.arange(10), "loss": np.arange(10) + 1.0}
    )
    task = task_from_frame(frame)
    assert all(len(c.held) == 8 for c in blind_cuts(task.part("train")))
