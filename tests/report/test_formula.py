"""Formulas with their values put in."""

from __future__ import annotations

import numpy as np
import pytest

from sldagent.evaluation.metrics import Metrics, mean_metrics, metrics
from sldagent.evaluation.result import CutScore
from sldagent.jsonable import jsonable, to_json
from sldagent.laws.parse import parse_formula
from sldagent.report.beyond import corner
from sldagent.report.build import errors_by_variable
from sldagent.report.formula import exponents, formula_text


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("E + A*N**-a", {"E": 1.69, "A": 406.4, "a": 0.34}, "1.69 + 406.4*N**-0.34"),
        ("E + A*N**-a", {"E": -1.5, "A": -2.0, "a": -0.25}, "-1.5 - 2*N**0.25"),
        ("E - A*N**a", {"E": 1.0, "A": -2.0, "a": 0.5}, "1 + 2*N**0.5"),
        ("E + A*log(N)/N", {"E": 1.0, "A": -2.0}, "1 - 2*log(N)/N"),
    ],
)
def test_values_are_put_in_with_their_signs(text: str, values: dict[str, float], shown: str) -> None:
    law = parse_formula(text, ["N"])
    assert formula_text(law, {k: np.array([v]) for k, v in values.items()}) == shown


def test_values_of_several_groups_stay_names() -> None:
    law = parse_formula("E + A*N**-a", ["N"])
    parameters = {"E": np.array([1.0, 2.0]), "A": np.array([3.0]), "a": np.array([0.5, 0.6])}
    assert formula_text(law, parameters) == "E + 3*N**-a"


def test_exponents_are_found() -> None:
    law = parse_formula("E + A*N**-a*D**(b - c*log(N))", ["N", "D"])
    assert exponents(law) == ("a", "b", "c")


def test_metrics_of_a_perfect_a_mean_and_a_broken_prediction() -> None:
    observed = np.array([1.0, 2.0, 3.0, 6.0])
    assert metrics(observed, observed) == Metrics(1.0, 0.0, 0.0)
    mean = metrics(observed, np.full(4, observed.mean()))
    assert (mean.r2, mean.nmse, mean.nmae) == pytest.approx((0.0, 1.0, 1.0))
    assert metrics(observed, np.array([1.0, 2.0, np.nan, 6.0])).r2 == -np.inf
    both = mean_metrics([Metrics(1.0, 0.0, 0.0), mean])
    assert both.r2 == pytest.approx(0.5)


def test_r2_is_not_clipped() -> None:
    observed = np.array([1.0, 2.0, 3.0])
    assert metrics(observed, observed * 100).r2 < -1000


def test_json_of_numbers_that_json_lacks() -> None:
    assert jsonable({"a": float("inf"), "b": np.float64("nan"), "c": np.arange(2)}) == {"a": None, "b": None, "c": [0, 1]}
    assert "Infinity" not in to_json({"x": -np.inf})
    with pytest.raises(TypeError, match="set_iterator"):
        jsonable(iter({1}))


def test_the_corner_beyond_the_data() -> None:
    card = {
        "variables": [
            {"name": "N", "symbol": "N", "role": "scale", "log": False, "log_base": np.e, "min": 1.0, "max": 8.0},
            {"name": "C", "symbol": "C", "role": "scale", "log": True, "log_base": 10.0, "min": 1.0, "max": 8.0},
            {"name": "lr", "symbol": "lr", "role": "setting", "log": False, "log_base": np.e, "min": 0.01, "max": 1.0},
            {"name": "r1", "symbol": "r1", "role": "proportion", "log": False, "log_base": np.e, "min": 0.0, "max": 1.0},
        ],
        "vectors": {"r": ["r1", "r2"]},
    }
    assert corner(card, 10.0) == pytest.approx({"N": 80.0, "C": 9.0, "lr": 0.1, "r1": 0.5})
    card["variables"] = card["variables"][2:]
    assert corner(card, 10.0) is None


def test_errors_average_logarithms_within_a_variable() -> None:
    cuts = [CutScore("a", "N", "y", 5, np.log(0.04), np.log(0.01)), CutScore("b", "N", "y", 5, np.log(0.16), np.log(0.01))]
    errors = errors_by_variable(cuts)["N"]
    assert errors.extrapolation == pytest.approx(np.sqrt(0.08))
    assert errors.interpolation == pytest.approx(0.1)
    assert errors_by_variable([CutScore("a", "N", "y", 5, np.inf, 0.0)])["N"].extrapolation == np.inf
