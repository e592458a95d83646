"""Intervals of a generated numpy file against those of `predict --interval`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sldagent
from experiments.uncertainty.coverage import CASES, draw, task_of
from sldagent.export import export_law
from sldagent.fitted import Fitted
from sldagent.uncertainty.spread import LEVELS


def load(law: Fitted) -> dict[str, Any]:
    module: dict[str, Any] = {}
    exec(compile(export_law(law.complete_document(), "python"), "law.py", "exec"), module)
    return module


def rows(groups: tuple[str, ...] = ("all",), n: int = 40, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    N, D = np.exp(rng.uniform(np.log(1e6), np.log(1e9), (2, n * len(groups))))
    family = np.repeat(groups, n)
    y = 1.8 + 400 * N**-0.34 + 900 * D**-0.33 + np.where(family == "b", 0.05, 0.02) * rng.normal(size=len(N))
    return pd.DataFrame({"N": N, "D": D, "family": family, "loss": y, "error": y**2 + 0.1 * rng.normal(size=len(N))})


def grown(law: Fitted, size: float) -> Fitted:
    """The law with a growth of the error beyond the rows."""
    spread = law.spread
    return replace(law, document={**law.document, "uncertainty": replace(spread, growth=spread.growth * 0 + size).plain()})


def compare(law: Fitted, table: pd.DataFrame, level: float, group: Any = None, **at: Any) -> None:
    expected = law.predict(table, interval=level)
    low, high = load(law)["interval"](**at, group=group, level=level)
    np.testing.assert_allclose(low, expected.low, rtol=1e-6)
    np.testing.assert_allclose(high, expected.high, rtol=1e-6)


@pytest.fixture(scope="module")
def law() -> Fitted:
    return sldagent.fit(rows(), "E + A*N**-a + B*D**-b", target="loss", variables="N,D")


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_a_fit_of_one_target(law: Fitted, level: float) -> None:
    table = rows(n=9, seed=1)
    table.loc[5:, "N"] *= 1e4
    compare(grown(law, 0.05), table, level, N=table["N"], D=table["D"])


def test_groups_by_name(law: Fitted) -> None:
    fitted = sldagent.fit(rows(("a", "b")), "E + A*N**-a", target="loss", variables="N,D", group="family")
    table = rows(("b", "a"), 6, 3)
    compare(grown(fitted, 0.1), table, 0.9, table["family"], N=table["N"], D=table["D"])
    low, high = load(fitted)["interval"](1e8, 1e9, group="b")
    assert np.ndim(low) == 0 and low < high


def test_relative_noise_keeps_the_lower_end_positive() -> None:
    case = CASES[3]
    task = task_of(case, draw(case, 60, np.random.default_rng(0)))
    fitted = grown(sldagent.fit(task, case.formula, loss="log"), 2.0)
    assert fitted.spread.relative
    table = draw(case, 6, np.random.default_rng(1))
    table[case.variables[0]] *= 1e6
    compare(fitted, table, 0.9, **{name: table[name] for name in case.variables})


def test_several_targets_have_one_more_axis() -> None:
    fitted = sldagent.fit(rows(), "c[i] + k[i]*log(N)", target="loss,error", variables="N,D")
    table = rows(n=7, seed=5)
    compare(grown(fitted, 0.3), table, 0.8, N=table["N"], D=table["D"])


def test_levels_without_a_factor_are_refused(law: Fitted) -> None:
    module = load(law)
    assert tuple(module["FACTORS"]) == LEVELS
    with pytest.raises(ValueError, match=r"level must be one of 0\.5, "):
        module["interval"](1e8, 1e9, level=0.33)


def test_a_short_list_that_the_file_lacks_is_named(law: Fitted) -> None:
    other = replace(law, parameters={**law.parameters, "E": law.parameters["E"] + 0.5})
    module = load(replace(law, others=(other,)))
    assert "disagreement of the 1 other laws" in " ".join(module["interval"].__doc__.split())
    assert "disagreement" not in load(law)["interval"].__doc__


def test_the_file_runs_alone_with_warnings_as_errors(law: Fitted, tmp_path: Path) -> None:
    path = law.export(tmp_path / "law.py")
    code = "import law; low, high = law.interval([1e7, 1e12], 1e9); assert (low < law.predict([1e7, 1e12], 1e9)).all()"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=path.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_law_without_uncertainty_has_no_interval(law: Fitted) -> None:
    document = {k: v for k, v in law.complete_document().items() if k != "uncertainty"}
    text = export_law(document, "python")
    assert "def interval" not in text and "parameters=PARAMETERS" not in text


def test_a_variable_may_have_the_name_of_an_argument() -> None:
    table = rows().rename(columns={"N": "level"})
    law = sldagent.fit(table, "E + A*level**-a + B*D**-b", target="loss", variables="level,D")
    module, value = load(law), law.predict(table, interval=0.9)
    np.testing.assert_allclose(module["predict"](level=table["level"], D=table["D"]), value.value)
    low, high = module["interval"](table["level"], table["D"], level_=0.9)
    np.testing.assert_allclose([low, high], [value.low, value.high], rtol=1e-6)
