"""Growth of the error over the cuts, apart from what the spread of the parameters explains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sldagent
from sldagent.fitting.fixed import fixed
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import compile_law, layout_of
from sldagent.fitting.uncertainty import linearise
from sldagent.tasks.cuts import blind_cuts
from sldagent.uncertainty.measure import _explained, point_of


def table(curve: float, seed: int = 0, n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, 6, n)
    return pd.DataFrame({"N": np.exp(z), "loss": 9 - z + curve * z**3 + 0.05 * rng.normal(size=n)})


def test_what_the_parameters_explain_is_the_error_of_least_squares_on_new_rows() -> None:
    """sigma**2 x (1, z) (Z'Z)^-1 (1, z)', averaged over the held rows, in units of the target's spread."""
    fitted = sldagent.fit(table(0.0), "a + b*log(N)", target="loss", variables="N")
    task = fitted.training
    assert task is not None
    law, rows = compile_law(fitted.program.law, layout_of(task)), Rows.of_task(task)
    result = fixed(law, rows, fitted.program.recipe, point_of(law, rows, fitted.parameters))
    lines = linearise(result, rows, fitted.program.recipe)
    cut = blind_cuts(task)[0]
    scale = np.array([[np.std(task.Y)]])
    Z = np.column_stack([np.ones(len(task.X)), np.log(task.X[:, 0])])
    residual = Z @ np.linalg.lstsq(Z, task.Y[:, 0])[0] - task.Y[:, 0]
    inverse = np.linalg.inv(Z[cut.kept].T @ Z[cut.kept])
    held = np.einsum("ij,jk,ik->i", Z[cut.held], inverse, Z[cut.held])
    expected = np.mean(held) * np.sum(residual**2) / (len(Z) - 2) / np.var(task.Y)
    assert _explained(cut, rows, scale, lines, None)[0] == pytest.approx(expected, rel=1e-5)


def test_a_true_law_grows_little_and_a_wrong_one_does() -> None:
    """Over twelve data sets: the mean growth of the true law's error is a tenth of that of a law that bends too little."""
    growth = {
        curve: np.mean(
            [
                sldagent.fit(table(curve, seed), "a + b*log(N)", target="loss", variables="N").spread.growth[0, 0]
                for seed in range(12)
            ]
        )
        for curve in (0.0, 0.02)
    }
    assert growth[0.0] < 0.1 * growth[0.02]
