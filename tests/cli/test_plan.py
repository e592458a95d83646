"""``sldagent plan``: a run's choice with its short list, a single law, and questions without an answer."""

from __future__ import annotations

import math

import pytest
from cli_tools import Found

COMPUTE = 1e17


def test_a_plan_shows_the_interval_and_the_range_of_the_short_list(found: Found) -> None:
    answer = found.call("plan", found.run, "--group", "g0", "--compute", COMPUTE, "--draws", 60, "--json").json
    listed = [law["law"] for law in found.document["shortlist"]]
    assert answer["law"] == listed[0]
    inputs = answer["allocation"]["inputs"]
    assert 6 * inputs["N"]["value"] * inputs["D"]["value"] == pytest.approx(COMPUTE, rel=1e-9)
    assert inputs["N"]["low"] < inputs["N"]["high"]
    said = {name: [values[name] for values in answer["others"].values()] for name in ("N", "D")}
    assert set(answer["others"]) <= set(listed[1:])
    for name, values in said.items():
        if values:
            among = [inputs[name]["value"], *values]
            assert (inputs[name]["laws_low"], inputs[name]["laws_high"]) == (min(among), max(among))
    text = found.call("plan", found.run, "--group", "g0", "--compute", COMPUTE, "--draws", 60).out
    assert answer["formula"] in text.replace("\n", " ")
    assert ("short list" in text) == bool(answer["others"])


def test_a_law_of_the_short_list_has_the_others_beside_it(found: Found) -> None:
    listed = [law["law"] for law in found.document["shortlist"]]
    answer = found.call("plan", listed[-1], "--group", "g0", "--compute", COMPUTE, "--draws", 0, "--json").json
    assert answer["law"] == listed[-1]
    assert set(answer["others"]) <= set(listed[:-1])


def test_a_curve_and_a_price(found: Found) -> None:
    asked = ["--group", "g0", "--draws", 0, "--json"]
    curve = found.call("plan", found.run, "--curve", f"{COMPUTE}:{100 * COMPUTE}", *asked).json["frontier"]
    slopes = [curve["exponents"][name]["value"] for name in ("N", "D")]
    assert math.fsum(slopes) == pytest.approx(1.0, abs=1e-6)
    wanted = curve["points"][6]["prediction"]["value"]
    priced = found.call("plan", found.run, "--target-loss", wanted, *asked).json["allocation"]
    assert priced["inputs"]["compute"]["value"] == pytest.approx(curve["points"][6]["compute"], rel=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compute", COMPUTE, "--flops", "6*N*X"], "names 'X'"),
        (["--curve", "1e22"], "is not LOW:HIGH"),
        (["--minimise", "N", "--flops", "6*N"], "leave it out"),
        (["--compute", COMPUTE, "--interval", 2], "not a share"),
        (["--compute", COMPUTE, "--draws", -1], "negative"),
    ],
)
def test_questions_without_an_answer(found: Found, words: list[object], said: str) -> None:
    ended = found.call("plan", found.run, "--group", "g0", *words)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""
