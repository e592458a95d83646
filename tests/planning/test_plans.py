"""Plans against closed forms, SciPy and the published re-analysis of Chinchilla."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brute, fmin

import sldagent
from sldagent.errors import PlanError
from sldagent.fitted import Fitted
from sldagent.jsonable import to_json
from sldagent.planning.cost import read_cost
from sldagent.planning.draws import evidence
from sldagent.planning.plans import allocate, frontier
from sldagent.planning.question import Question, answer
from sldagent.planning.space import space
from sldagent.planning.surface import layout_of_card, surface

TRUE = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}


def table(seed: int = 0, noise: float = 0.003) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    N, D = np.exp(rng.uniform(np.log(1e7), np.log(1e10), 80)), np.exp(rng.uniform(np.log(1e9), np.log(3e11), 80))
    loss = TRUE["E"] + TRUE["A"] * N ** -TRUE["alpha"] + TRUE["B"] * D ** -TRUE["beta"]
    return pd.DataFrame({"N": N, "D": D, "loss": loss * np.exp(noise * rng.normal(size=80))})


@pytest.fixture(scope="module")
def law() -> Fitted:
    return sldagent.fit(table(), "chinchilla", target="loss", variables=["N", "D"])


def closed_form(law: Fitted, compute: float) -> tuple[float, float]:
    """Optimal N and D of E + A/N^alpha + B/D^beta at 6ND (Hoffmann et al. 2022, equation 4)."""
    p = {name: float(values[0]) for name, values in law.parameters.items()}
    G = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    N = G * (compute / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    return N, compute / 6 / N


@pytest.mark.parametrize("compute", [1e19, 1e22, 1e25])
def test_allocation_matches_the_closed_form(law: Fitted, compute: float) -> None:
    found = answer(Question(compute=compute, draws=0), law).allocation
    assert found is not None
    N, D = closed_form(law, compute)
    assert found.inputs["N"].value == pytest.approx(N, rel=1e-6)
    assert found.inputs["D"].value == pytest.approx(D, rel=1e-6)
    assert min(found.sensitivity["N"]) > 0


def test_exponents_of_the_frontier_match_the_closed_form(law: Fitted) -> None:
    found = answer(Question(span=(1e19, 1e25), draws=0), law).frontier
    assert found is not None
    alpha, beta = (float(law.parameters[n][0]) for n in ("alpha", "beta"))
    assert found.exponents["N"].value == pytest.approx(beta / (alpha + beta), abs=1e-7)
    assert found.exponents["D"].value == pytest.approx(alpha / (alpha + beta), abs=1e-7)


def test_the_price_of_a_target_is_the_budget_that_reaches_it(law: Fitted) -> None:
    there = answer(Question(compute=3e22, draws=0), law).allocation
    assert there is not None
    back = answer(Question(target_loss=there.prediction.value, draws=0), law).allocation
    assert back is not None
    assert back.inputs["compute"].value == pytest.approx(3e22, rel=1e-6)


def test_intervals_hold_the_truth_and_shrink_with_noise() -> None:
    widths = []
    for noise in (0.003, 0.0003):
        rows = table(1, noise)
        fitted = sldagent.fit(rows, "chinchilla", target="loss", variables=["N", "D"])
        found = answer(Question(compute=1e23, draws=120), fitted, table=rows).allocation
        assert found is not None
        low, high = found.inputs["N"].low, found.inputs["N"].high
        G = (TRUE["alpha"] * TRUE["A"] / (TRUE["beta"] * TRUE["B"])) ** (1 / 0.72)
        assert low < G * (1e23 / 6) ** (0.37 / 0.72) < high
        widths.append(math.log(high / low))
    assert widths[1] < 0.3 * widths[0]


def test_inference_counts_towards_the_cost(law: Fitted) -> None:
    training = answer(Question(compute=1e23, draws=0), law).allocation
    both = answer(Question(compute=1e23, flops="6*N*D + 2*N*1e13", draws=0), law).allocation
    assert training is not None
    assert both is not None
    N, D = both.inputs["N"].value, both.inputs["D"].value
    assert pytest.approx(1e23, rel=1e-9) == 6 * N * D + 2e13 * N
    assert training.inputs["N"].value > N
    p = {name: float(values[0]) for name, values in law.parameters.items()}

    def loss(x: float) -> float:
        n = np.exp(float(np.squeeze(x)))
        d = (1e23 - 2e13 * n) / (6 * n)
        return float(p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"]) if d > 0 else 1e9

    best = brute(loss, ((np.log(1e8), np.log(4e9)),), Ns=400, finish=fmin)
    assert math.log(N) == pytest.approx(float(np.squeeze(best)), abs=1e-3)


RATE = """
def law(N, D, lr, E, A, B, a, b, k, c, g):
    return E + A * N**-a + B * D**-b + k * (log(lr) - c + g * log(N))**2

parameters = {"E": positive(), "A": positive(), "B": positive(), "a": interval(0, 2), "b": interval(0, 2),
              "k": positive(), "c": real(), "g": real()}
"""


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    rng = np.random.default_rng(0)
    N, D, lr = (np.exp(rng.uniform(*np.log(span), 300)) for span in ((1e6, 1e9), (1e8, 1e11), (1e-4, 1e-2)))
    loss = 1.8 + 300 * N**-0.35 + 900 * D**-0.35 + 0.05 * (np.log(lr) - 1.0 + 0.4 * np.log(N)) ** 2
    path = tmp_path_factory.mktemp("law") / "law.py"
    path.write_text(RATE)
    frame = pd.DataFrame({"N": N, "D": D, "lr": lr, "loss": loss})
    return sldagent.fit(frame, str(path), target="loss", variables=["N", "D", "lr:setting"])


def test_settings_are_found(rates: Fitted) -> None:
    found = answer(Question(minimise=("lr",), fixed={"N": 1e8, "D": 1e10}, draws=0), rates).allocation
    assert found is not None
    assert found.inputs["lr"].value == pytest.approx(math.exp(1.0 - 0.4 * math.log(1e8)), rel=1e-4)


def test_settings_and_allocation_together(rates: Fitted) -> None:
    found = answer(Question(compute=1e20, draws=0, bounds={"lr": (1e-6, 1.0)}), rates).allocation
    assert found is not None
    N = found.inputs["N"].value
    assert found.inputs["lr"].value == pytest.approx(math.exp(1.0 - 0.4 * math.log(N)), rel=1e-4)
    G = (0.35 * 300 / (0.35 * 900)) ** (1 / 0.7)
    assert math.log(N) == pytest.approx(math.log(G * (1e20 / 6) ** 0.5), abs=1e-3)


@settings(max_examples=25)
@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(-1.0, 1.0), st.floats(-2.0, 2.0))
def test_costs_that_are_sums_are_met(p: float, q: float, shift: float, scale: float) -> None:
    law = sldagent.fit(table(2), "chinchilla", target="loss", variables=["N", "D"])
    text = f"{10**scale:.6g}*N**{p:.4g}*D**{q:.4g} + {10**shift:.6g}*N"
    cost = read_cost(text, ["N", "D"], layout_of_card(law, 1))
    X = np.column_stack([np.geomspace(1e6, 1e9, 7), np.ones(7)])
    amount = cost(np.column_stack([X[:, 0], np.geomspace(1e8, 1e12, 7)]))
    X[:, 1] = cost.solve(X, 1, amount)
    np.testing.assert_allclose(cost(X), amount, rtol=1e-9)
    assert np.isnan(cost.solve(X, 1, 0.5 * 10**shift * X[:, 0])).all()


def test_further_runs_narrow_the_plan_within_the_budget(law: Fitted) -> None:
    rows = table()
    question = Question(compute=1e24, next_runs=3, budget=2e21, draws=80)
    further = answer(question, law, table=rows).further
    assert 1 <= len(further) <= 3
    widths = [1.0, *(run.width for run in further)]
    assert all(after < before for before, after in pairwise(widths))
    assert sum(run.cost for run in further) <= 2e21
    for run in further:
        assert 6 * run.inputs["N"] * run.inputs["D"] == pytest.approx(run.cost, rel=1e-9)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question(compute=1e22, flops="6*N*X"), "names 'X', which is no variable"),
        (Question(compute=1e22, flops="6*("), "cannot be read"),
        (Question(compute=1e22, flops="7"), "depends on no variable"),
        (Question(compute=1e22, flops="1/(N*D)"), "does not grow"),
        (Question(compute=1e22, fixed={"M": 1.0}), "no variable 'M'"),
        (Question(compute=1e22, fixed={"N": 1e9, "D": 1e10}), "no variable that is to be chosen"),
        (Question(compute=1e-30), "no input within the bounds"),
        (Question(target_loss=0.5), "does not reach 0.5"),
        (Question(target_loss=1e6), "not above"),
        (Question(minimise=("N",), fixed={"D": 1e10}), "no optimum in N"),
        (Question(minimise=("N",)), "'D' needs a value"),
        (Question(compute=1e22, group="x"), "no group 'x'"),
        (Question(compute=1e22, target="x"), "no target 'x'"),
        (Question(compute=1e22, bounds={"N": (1e9, 1e8)}), "bounds of 'N'"),
        (Question(compute=1e22, next_runs=2), "needs at least 30 resampled"),
    ],
)
def test_questions_without_an_answer_are_refused(law: Fitted, question: Question, words: str) -> None:
    with pytest.raises(PlanError, match=words.replace("(", r"\(")):
        answer(replace(question, draws=0), law)


def test_optimum_beyond_the_data_is_named(law: Fitted) -> None:
    notes = answer(Question(compute=1e26, draws=0), law).notes
    assert any("beyond the largest training row" in note for note in notes)
    edge = answer(Question(compute=1e22, bounds={"N": (1e7, 2e7)}, draws=0), law)
    assert any("N stands at the edge" in note for note in edge.notes)


def test_rows_that_are_gone_leave_a_note(law: Fitted) -> None:
    found = answer(Question(compute=1e22), replace(law, training=None))
    assert any("no intervals" in note for note in found.notes)
    assert found.allocation is not None
    assert found.allocation.prediction.low == found.allocation.prediction.high


SUM = "E + A*N**-alpha + B*D**-beta + C*N**-gamma"


def test_resamples_start_from_the_constants_of_the_law() -> None:
    """Two terms in N that trade places fit alike: refits from anywhere else than the law's own constants may swap them."""
    rng = np.random.default_rng(3)
    rows = table(3)
    rows["loss"] = 1.8 + 3e3 * rows["N"] ** -0.6 + 20 * rows["N"] ** -0.2 + 900 * rows["D"] ** -0.35
    rows["loss"] *= np.exp(1e-4 * rng.normal(size=len(rows)))
    fitted = sldagent.fit(rows, SUM, target="loss", variables=["N", "D"])
    swapped = {"A": "C", "C": "A", "alpha": "gamma", "gamma": "alpha"}
    other = replace(fitted, parameters={name: fitted.parameters[swapped.get(name, name)] for name in fitted.parameters})
    first = float(fitted.parameters["alpha"][0] - fitted.parameters["gamma"][0])
    assert abs(first) > 0.1
    for law, sign in ((fitted, 1), (other, -1)):
        draws = evidence(law, None, 20).draws
        found = [float(d["alpha"][0] - d["gamma"][0]) for d in draws]
        assert len(found) == 20
        assert np.sign(np.median(found)) == sign * np.sign(first)


OTHER = "A*N**-alpha + B*D**-beta"


@pytest.fixture(scope="module")
def pair() -> tuple[Fitted, Fitted]:
    rows = table()
    first, second = (sldagent.fit(rows, name, target="loss", variables=["N", "D"]) for name in ("chinchilla", OTHER))
    return replace(first, others=(second,)), second


def test_the_short_list_widens_every_estimate(pair: tuple[Fitted, Fitted]) -> None:
    law, other = pair
    found = answer(Question(compute=1e23, draws=0), law, law.others)
    alone = answer(Question(compute=1e23, draws=0), other).allocation
    assert found.allocation is not None
    assert alone is not None
    estimates = {**found.allocation.inputs, "prediction": found.allocation.prediction}
    for name, estimate in estimates.items():
        said = alone.prediction.value if name == "prediction" else alone.inputs[name].value
        assert (estimate.laws_low, estimate.laws_high) == tuple(sorted((estimate.value, said)))
        assert found.others[OTHER][name] == said
    shown = json.loads(to_json(found))["allocation"]["inputs"]["N"]
    assert shown["laws_low"] < shown["laws_high"]
    assert alone.prediction.laws_low is None


def test_frontiers_and_prices_have_the_range_of_the_short_list(pair: tuple[Fitted, Fitted]) -> None:
    law, other = pair
    curve = answer(Question(span=(1e21, 1e23), draws=0), law, law.others).frontier
    alone = answer(Question(span=(1e21, 1e23), draws=0), other).frontier
    assert curve is not None
    assert alone is not None
    slope = curve.exponents["N"]
    assert sorted((slope.value, alone.exponents["N"].value)) == [slope.laws_low, slope.laws_high]
    middle = curve.points[6].inputs["D"]
    assert sorted((middle.value, alone.points[6].inputs["D"].value)) == [middle.laws_low, middle.laws_high]
    price, by_other = (
        answer(Question(target_loss=2.1, draws=0), each, each.others).allocation for each in (law, other)
    )
    assert price is not None
    assert by_other is not None
    cost = price.inputs["compute"]
    assert sorted((cost.value, by_other.inputs["compute"].value)) == [cost.laws_low, cost.laws_high]


def test_a_law_of_the_short_list_without_an_optimum_is_named_and_left_out(pair: tuple[Fitted, Fitted]) -> None:
    law, other = pair
    flat = sldagent.fit(table(), "E + B*D**-beta", target="loss", variables=["N", "D"])
    found = answer(Question(compute=1e23, draws=0), law, (flat, other))
    assert list(found.others) == [OTHER]
    assert any("E + B*D**-beta, of the short list, has no answer" in note for note in found.notes)


def test_the_api_plans_with_the_short_list_and_the_rows_of_the_law(pair: tuple[Fitted, Fitted]) -> None:
    found = sldagent.plan(pair[0], compute=1e23, draws=40)
    assert found.allocation is not None
    size = found.allocation.inputs["N"]
    assert size.low < size.value < size.high
    assert size.laws_low is not None
    shown = str(found)
    assert "loss = E + A*N**-alpha + B*D**-beta" in shown
    assert "short list" in shown
    settings = sldagent.plan(pair[0], minimise="N", fix={"D": 1e10}, bounds={"N": (1e7, 1e9)}, draws=0).allocation
    assert settings is not None
    assert settings.edges == ("N",)
    for asked, words in (
        ({}, "a plan answers one question"),
        ({"compute": 1e22, "target_loss": 2.0}, "a plan answers one question"),
        ({"compute": -1.0}, "buys nothing"),
        ({"curve": (2.0, 1.0)}, "not two positive amounts in order"),
        ({"compute": 1e22, "level": 1.5}, "not a share between 0 and 1"),
    ):
        with pytest.raises(PlanError, match=words):
            sldagent.plan(pair[0], **asked)


def test_chinchilla_reanalysis(data_dir: Path) -> None:
    """Exponents of the re-analysis (Besiroglu et al. 2024, arXiv 2404.10102): D grows with 0.454 to 0.522 at 80 %, about 20
    tokens per parameter."""
    frame = pd.read_csv(data_dir / "chinchilla_epoch" / "svg_extracted_data.csv").sort_values("loss").iloc[:240]
    N = frame["Model Size"]
    rows = pd.DataFrame({"N": N, "D": frame["Training FLOP"] / (6 * N), "loss": frame["loss"]})
    law = sldagent.fit(rows, "chinchilla", target="loss", variables=["N", "D"], loss="huber:0.001")
    seen = surface(law, 0, 0)
    area = space(law.card, ["N", "D"], ["N", "D"], {}, {}, read_cost("6*N*D", ["N", "D"], layout_of_card(law, 1)))
    curve = frontier(seen, area, 1e18, 1e24, 5, 0.8)
    assert 0.45 < curve.exponents["D"].value < 0.52
    point = allocate(seen, area, [5.76e23], 0.8)[0]
    assert 15 < point.inputs["D"].value / point.inputs["N"].value < 27
