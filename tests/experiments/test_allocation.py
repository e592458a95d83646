"""Plans that were trained: models near a plan, the regret's surface, and the table in the README."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.practical_use.allocation import grid_regret, plan, table, train
from experiments.practical_use.allocation.cases import (
    BLOCK,
    CORPUS,
    FLOPS,
    NEAR,
    Case,
    Plan,
    Setup,
    cases,
    flops,
    load_plans,
    setup,
    size_for,
    tokens_for,
    trainable,
    wanted,
    write_plans,
)
from experiments.tiny_lm.rates import Run, load_runs
from sldagent.planning.cost import read_cost
from sldagent.planning.surface import layout_of_card

README = Path(__file__).resolve().parents[2] / "experiments" / "practical_use" / "README.md"
RUN = {"phase": "", "n_params": 0, "total_params": 0, "flops": 0, "diverged": False, "seconds": 1.0}


def test_flops_are_the_trainers() -> None:
    measured = load_runs(train.SMALL_RUNS)
    assert measured
    for run in measured:
        assert flops(run.n_params, run.tokens) == pytest.approx(run.flops, rel=1e-12)


def test_the_cost_formula_is_the_same() -> None:
    law = plan.sldagent.fit(plan.rows_of("quarter", "tiny_lm"), plan.SUM_OF_POWERS)
    cost = read_cost(FLOPS, ["N", "D"], layout_of_card(law, 1))
    X = np.array([[1536.0, 65536.0], [98304.0, 1048576.0]])
    np.testing.assert_allclose(cost(X), [flops(*x) for x in X], rtol=1e-12)


@given(st.floats(1e4, 3e5), st.floats(3e11, 1e13))
def test_models_near_a_plan_spend_its_compute(size: float, compute: float) -> None:
    found = setup(size, compute, 0.01)
    assert found.width % 2 == 0
    assert found.tokens % BLOCK == 0
    assert abs(math.log(found.width / math.sqrt(size / 24))) <= max(NEAR * 1.1, 1.1 / math.sqrt(size / 24))
    assert abs(found.flops / compute - 1) <= 0.51 * BLOCK / found.tokens + 1e-9


def test_the_ratio_of_the_small_optimum_is_kept() -> None:
    size = size_for(12.5, 2e12)
    assert flops(size, 12.5 * size) == pytest.approx(2e12, rel=1e-9)
    assert tokens_for(size, 2e12) == pytest.approx(12.5 * size, rel=1e-9)


def test_parts_hold_training_rows_up_to_their_cost() -> None:
    every, quarter = (plan.rows_of(part, "tiny_lm") for part in ("all", "quarter"))
    assert len(every.X) == 40
    assert set(every.split) == {"train"}
    assert len(quarter.X) == 34
    assert plan.largest(quarter) <= plan.largest(every) / 4 * (1 + 1e-9)


def test_the_power_law_of_rates_is_a_least_squares_fit() -> None:
    rows = plan.best_rates("all")
    a, b, c = plan.power_law_of_rates("all")
    residual = np.log(rows.Y[:, 0]) - (a + b * np.log(rows.X[:, 0]) + c * np.log(rows.X[:, 1]))
    assert abs(residual.mean()) < 1e-9
    assert abs(residual @ np.log(rows.X)).max() < 1e-6


def made(by_size: float, by_rate: float) -> Plan:
    return Plan("p", 4, "sldagent", by_size, 0.0, by_rate, 0.0, 0.0, 0.0, 0.0, 2e12, "", "")


def test_plans_are_read_back(tmp_path: Path) -> None:
    write_plans([made(6e4, 0.01)], tmp_path / "plans.csv")
    assert load_plans(tmp_path / "plans.csv") == [made(6e4, 0.01)]


def paraboloid(run: Setup, best: tuple[float, float]) -> float:
    u, v = math.log(run.size / best[0]), math.log(run.lr / best[1])
    return 1.5 * (1 + 0.03 * u * u + 0.05 * v * v + 0.01 * u * v)


def test_the_regret_of_a_quadratic_loss_is_found() -> None:
    plans, case = [made(6e4, 0.01)], Case("p", 4, 2e12)
    best = (7e4, 0.012)
    runs = [
        Run(**RUN, width=r.width, tokens=r.tokens, lr=r.lr, seed=0, loss=paraboloid(r, best))
        for r in wanted(plans, case).values()
    ]
    found = table.results(plans, case, runs)
    seen = table.surface(found)
    assert seen.lowest() == pytest.approx(1.5, rel=1e-4)
    at_plan = table.place(found["plan"].setup)
    assert float(seen(at_plan[None])[0]) == pytest.approx(found["plan"].loss, rel=1e-9)
    others = [r.loss for name, r in found.items() if name != "plan"]
    measured = 100 * (found["plan"].loss - min(others)) / min(others)
    smooth = 100 * (found["plan"].loss / seen.lowest() - 1)
    assert f"| {measured:+.2f} % | {smooth:.2f} % |" in table.lines(found)[0]


def test_means_are_over_seeds_and_missing_runs_are_said() -> None:
    plans, case = [made(6e4, 0.01)], Case("p", 4, 2e12)
    run = wanted(plans, case)["plan"]
    runs = [Run(**RUN, width=run.width, tokens=run.tokens, lr=run.lr, seed=k, loss=1.0 + k) for k in (0, 1)]
    assert table.results(plans, case, runs)["plan"].loss == 1.5
    assert "8 of the nine runs are missing" in table.text(plans, runs)


def test_what_was_trained_is_not_trained_again() -> None:
    plans = load_plans()
    done = [*load_runs(train.SMALL_RUNS), *load_runs(train.RUNS)]
    for case in cases(plans):
        longest = max(run.tokens for run in wanted(plans, case).values())
        assert trainable(plans, case) == (longest <= CORPUS)
        needed = {(r.width, r.tokens, r.lr) for r in wanted(plans, case).values()}
        have = {(r.width, r.tokens, r.lr) for r in done if r.seed == 0}
        left = [(b.width, b.tokens, lr) for b in train.missing([case.name], [0], done) for lr, _ in b.runs]
        assert sorted(left) == (sorted(needed - have) if trainable(plans, case) else [])


def law_table(sizes: np.ndarray, longest: float) -> pd.DataFrame:
    """Losses of a power law of N and D on a fine grid."""
    rows = [(N, D, 1.0 + 60 * N**-0.4 + 400 * D**-0.45) for N in sizes for D in np.geomspace(1e4, longest, 200)]
    return pd.DataFrame(rows, columns=["N", "D", "loss"])


def test_the_grid_gives_the_best_size_of_a_known_law() -> None:
    seen = grid_regret.curve(law_table(np.geomspace(3e3, 3e5, 12), 1e9), 1e12)
    assert seen is not None
    best, floor = seen.lowest()
    fine = np.geomspace(3e3, 3e5, 20001)
    truth = 1.0 + 60 * fine**-0.4 + 400 * np.array([tokens_for(N, 1e12) for N in fine]) ** -0.45
    assert floor == pytest.approx(truth.min(), rel=1e-5)
    assert best == pytest.approx(fine[np.argmin(truth)], rel=0.03)
    assert np.isnan(seen(np.array([1e3, 1e6]))).all()


def test_sizes_whose_tokens_were_not_measured_are_left_out() -> None:
    sizes = np.geomspace(3e3, 3e5, 12)
    longest = tokens_for(float(sizes[5]), 1e12)
    seen = grid_regret.curve(law_table(sizes, longest), 1e12)
    assert seen is not None
    np.testing.assert_allclose(seen.sizes, sizes[5:])
    assert grid_regret.curve(law_table(sizes[:7], longest), 1e12) is None


def test_the_readme_shows_the_tables() -> None:
    shown = README.read_text()
    plans, runs = load_plans(), [*load_runs(train.SMALL_RUNS), *load_runs(train.RUNS)]
    by_grid = grid_regret.text(plans, pd.read_csv(grid_regret.TABLE)).splitlines()
    assert sum("| **plan** |" in line for line in by_grid) >= 2
    for line in [*by_grid, *table.text(plans, runs).splitlines()]:
        if line.startswith("|"):
            assert line in shown
