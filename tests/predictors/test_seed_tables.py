"""Published figures of the four systems, on the development tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sldagent.predictors.benchmark import Request
from sldagent.predictors.bnsl.bench import run as bnsl_bench
from sldagent.predictors.observational.bench import run
from sldagent.predictors.sloth.bench import run as sloth_bench
from sldagent.predictors.trajectories.baselines import BASELINES
from sldagent.predictors.trajectories.protocol import make_split, score
from sldagent.predictors.trajectories.sources import read_gemstones


@pytest.mark.slow
def test_the_published_figures_of_bnsl(data_dir: Path) -> None:
    report = bnsl_bench(Request(data_dir))
    missed = {figure.name for figure in report.figures if not figure.met}
    # Against M1 to M4 at their true optimum BNSL is best on half of the language curves, not on three quarters.
    assert missed <= {"BNSL is best, share of language curves"}


@pytest.mark.slow
def test_observational_figures(data_dir: Path) -> None:
    report = run(Request(data_dir, tasks=("space", "emergent")))
    by = {figure.name: figure for figure in report.figures}
    for name in ("variance of PC1", "variance of PC1-PC3", "emergent, PC3, single start: median test MSE"):
        assert by[name].met, by[name]
    assert by["emergent, log FLOPs: median test MSE"].met
    # on these tables the original's single start is at the best optimum that many starts find
    emergent = next(grid for grid in report.grids if grid.title.startswith("Emergent"))
    rows = np.array([row[3:9] for row in emergent.rows], dtype=np.float64)
    np.testing.assert_allclose(rows[:, :3], rows[:, 3:], atol=2e-4)


@pytest.mark.slow
def test_baselines_on_the_largest_gemstones(data_dir: Path) -> None:
    source = read_gemstones(data_dir / "gemstones")
    split = make_split(source, "largest", 0)
    test = [source.trajectories[i] for i in split.test]
    seen = {}
    for baseline in BASELINES:
        made = baseline.forecast(source, split)
        assert made is not None
        seen[baseline.name] = score(test, made).mae
    asked = {
        "persistence": 2.000,
        "mean-delta": 1.507,
        "log-linear": 1.484,
        "logistic, zero-shot": 3.221,
        "logistic + offset": 1.930,
    }
    for name, value in asked.items():
        assert seen[name] == pytest.approx(value, abs=2e-3), name
    assert seen["saturating power law"] == pytest.approx(1.121, abs=5e-3)
    assert seen["power law, shared exponent"] < 1.0


@pytest.mark.slow
def test_the_papers_figure_of_basic_sloth(data_dir: Path) -> None:
    report = sloth_bench(Request(data_dir, tasks=("v2", "basic-2", "pca-2")))
    assert all(figure.met for figure in report.figures)
    by_name = {row[0]: row for row in report.grids[0].rows}
    _, seen, published, *_ = by_name["pca-2"]
    assert seen == pytest.approx(published, abs=0.01)
