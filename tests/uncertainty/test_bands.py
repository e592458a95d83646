"""Prediction intervals: coverage, growth beyond the rows, and the way through files and commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import sldagent
from experiments.uncertainty.coverage import CASES, coverage, draw, task_of
from sldagent.errors import ConfigError, FitError
from sldagent.fitted import Fitted, resolve
from sldagent.tasks.task import Noise
from sldagent.uncertainty.spread import Spread

FORMULA = "E + A*N**-a + B*D**-b"


def rows(n: int = 60, seed: int = 0, noise: float = 0.02) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    N, D = np.exp(rng.uniform(np.log(1e6), np.log(1e9), (2, n)))
    return pd.DataFrame({"N": N, "D": D, "loss": 1.8 + 400 * N**-0.34 + 900 * D**-0.33 + noise * rng.normal(size=n)})


@pytest.fixture(scope="module")
def law() -> Fitted:
    return sldagent.fit(rows(), FORMULA, target="loss", variables="N,D")


@pytest.mark.parametrize("case", CASES[:1] + CASES[3:7], ids=lambda c: f"{c.name}, {c.noise}")
def test_coverage_inside_the_range(case) -> None:
    """New rows of one data set share its fit, so they count as ten independent ones."""
    sets = 12
    low, high = binom.interval(0.9999, 10 * sets, 0.9)
    found = np.mean([coverage(case, seed) for seed in range(sets)])
    assert low <= 10 * sets * found <= high


def test_a_wider_level_is_wider_and_the_prediction_inside(law: Fitted) -> None:
    table = rows(20, 5)
    narrow, wide = (law.predict(table, interval=level) for level in (0.5, 0.95))
    assert (wide.low < narrow.low).all() and (narrow.high < wide.high).all()
    assert (narrow.low < narrow.value).all() and (narrow.value < narrow.high).all()
    assert narrow.value == pytest.approx(law.predict(table))
    for level in (0.0, 1.0, 7.0):
        with pytest.raises(ConfigError, match="not a share"):
            law.predict(table, interval=level)


def test_intervals_grow_beyond_the_rows(law: Fitted) -> None:
    grown = replace(law, document={**law.document, "uncertainty": replace(law.spread, growth=np.array([[0.1]])).plain()})
    reach = pd.DataFrame({"N": 1e8 * 10.0 ** np.arange(5), "D": 1e8 * 10.0 ** np.arange(5)})
    here, there = law.predict(reach, interval=0.9), grown.predict(reach, interval=0.9)
    inside = reach["N"] < 9e8
    extra = (there.high - there.low) - (here.high - here.low)
    assert extra[inside.to_numpy()] == pytest.approx(0, abs=1e-9) or law.spread.growth[0, 0] > 0
    widths = there.high - there.low
    assert (np.diff(widths[1:]) > 0).all()


def test_laws_that_disagree_widen_it(law: Fitted) -> None:
    other = replace(law, parameters={**law.parameters, "E": law.parameters["E"] + 0.5})
    table = rows(5, 3)
    alone, both = law.predict(table, interval=0.9), replace(law, others=(other,)).predict(table, interval=0.9)
    assert ((both.high - both.low) > 3 * (alone.high - alone.low)).all()


def test_noise_follows_the_tasks_model() -> None:
    case = replace(CASES[3], rows=120)
    task = task_of(case, draw(case, 120, np.random.default_rng(0)))
    fitted = replace(sldagent.fit(task, case.formula, loss="log"), cuts=())
    assert fitted.spread.relative
    assert fitted.spread.noise[0, 0] == pytest.approx(0.02, rel=0.25)
    plain = replace(sldagent.fit(replace(task, noise=Noise()), case.formula), cuts=())
    assert not plain.spread.relative


def test_groups_have_their_own_noise_and_covariance() -> None:
    rng = np.random.default_rng(2)
    N = np.tile(np.exp(rng.uniform(np.log(1e6), np.log(1e9), 40)), 2)
    family = np.repeat(["a", "b"], 40)
    y = 1.5 + 30 * N**-0.25 + np.where(family == "a", 0.01, 0.1) * rng.normal(size=80)
    table = pd.DataFrame({"N": N, "family": family, "loss": y})
    fitted = replace(sldagent.fit(table, "E + A*N**-a", target="loss", variables="N", group="family"), cuts=())
    made = fitted.predict(table, interval=0.9)
    width = made.high - made.low
    assert np.median(width[40:]) > 4 * np.median(width[:40])
    assert [b.group for b in fitted.spread.blocks] == [0, 1]


def test_covariance_is_the_usual_one_on_a_line() -> None:
    rng = np.random.default_rng(4)
    x = np.exp(rng.uniform(0, 2, 400))
    table = pd.DataFrame({"x": x, "y": 1 + 2 * x + rng.normal(size=400)})
    fitted = replace(sldagent.fit(table, "c + k*x", target="y", variables="x"), cuts=())
    A = np.column_stack([np.ones(400), x])
    (block,) = fitted.spread.blocks
    assert [name for name, _ in block.names] == ["c", "k"]
    assert block.covariance == pytest.approx(np.linalg.inv(A.T @ A), rel=0.35)


def test_documents_carry_it(law: Fitted, tmp_path: Path) -> None:
    path = law.export(tmp_path / "law.json")
    again = resolve(str(path), None)
    assert "uncertainty" in again.document
    table = rows(30, 9)
    here, there = law.predict(table, interval=0.8), again.predict(table, interval=0.8)
    assert here.low == pytest.approx(there.low) and here.high == pytest.approx(there.high)
    assert Spread.read(law.spread.plain()).plain() == law.spread.plain()


def test_a_law_without_residuals_says_so(law: Fitted) -> None:
    bare = replace(law, training=None)
    with pytest.raises(FitError, match="nothing is stored of its residuals"):
        bare.predict(rows(3), interval=0.9)
    assert "uncertainty" not in bare.complete_document()
    assert len(bare.predict(rows(3))) == 3


def test_bootstrap_of_the_api(law: Fitted) -> None:
    assert law.intervals is None
    fitted = sldagent.fit(rows(), FORMULA, target="loss", variables="N,D", bootstrap=100)
    assert fitted.intervals is not None and fitted.bootstrap is not None
    for name, interval in fitted.intervals.items():
        assert interval.low.shape == fitted.parameters[name].shape
        assert (interval.low < fitted.parameters[name]).all() and (fitted.parameters[name] < interval.high).all()


def test_a_damaged_document_is_named(law: Fitted, tmp_path: Path) -> None:
    from sldagent.errors import ExportError

    path = law.export(tmp_path / "law.json")
    document = json.loads(path.read_text())
    del document["uncertainty"]["noise"]
    path.write_text(json.dumps(document))
    with pytest.raises(ExportError, match="key 'uncertainty' cannot be read"):
        resolve(str(path), None)


def test_generated_python_holds_the_covariance(law: Fitted, tmp_path: Path) -> None:
    path = law.export(tmp_path / "law.py")
    module: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), module)
    ((names, matrix),) = module["COVARIANCE"].values()  # type: ignore[attr-defined]
    (block,) = law.spread.blocks
    assert names == block.names
    assert np.array_equal(matrix, block.covariance)
    for name, index in names:
        assert module["PARAMETERS"][name][index] == law.parameters[name][index]  # type: ignore[index]
