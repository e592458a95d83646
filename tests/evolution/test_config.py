"""Configurations are strict and survive the way through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sldagent.errors import ConfigError
from sldagent.evolution.config import RunConfig, available_cores


def test_round_trip_through_json() -> None:
    config = RunConfig(seed=5, minutes=1.5, biases=("power", ""), temperatures=(0.0, 1.0), candidates=10)
    assert RunConfig.from_mapping(json.loads(json.dumps(config.to_mapping()))) == config


def test_defaults_are_a_valid_configuration() -> None:
    config = RunConfig.from_mapping({})
    assert config == RunConfig()
    assert config.workers == available_cores() >= 1
    assert config.look_back == 16


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ilands": 3}, "unknown configuration key 'ilands'; did you mean 'islands'"),
        ({"zzz": 3}, "known keys: answer_tokens, biases"),
        ({"islands": "3"}, "'islands' must be a whole number, not '3'"),
        ({"islands": 2.5}, "'islands' must be a whole number"),
        ({"islands": True}, "'islands' must be a whole number"),
        ({"minutes": "long"}, "'minutes' must be a number"),
        ({"minutes": float("nan")}, "'minutes' must be a number"),
        ({"seed": None}, "'seed' must be a whole number"),
        ({"temperatures": [0.1]}, "'temperatures' must be a list of two numbers"),
        ({"temperatures": [0.1, "x"]}, "'temperatures' must be a number"),
        ({"biases": "power"}, "'biases' must be a list of texts"),
        ({"islands": 0}, "'islands' is 0, but must be 1 to 1000"),
        ({"seed": -1}, "'seed' is -1, but must be 0 or more"),
        ({"look_back": 0}, "'look_back' is 0"),
        ({"front_share": 1.5}, "'front_share' is 1.5"),
        ({"temperatures": [0.1, 2]}, "both must be 0 to 1"),
        ({"candidates": 0}, "'candidates' is 0"),
        ({"stagnation": 0}, "would never end"),
    ],
)
def test_errors_name_the_key_and_the_way_out(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_mapping(values)
    assert words in str(caught.value)


def test_whole_floats_are_whole_numbers_and_none_means_no_bound() -> None:
    config = RunConfig.from_mapping({"candidates": 100.0, "minutes": None})
    assert config.candidates == 100
    assert isinstance(config.candidates, int)
    assert config.minutes is None


def test_islands_lie_between_the_ends() -> None:
    config = RunConfig(islands=3, temperatures=(0.0, 1.0), tournaments=(6, 2), biases=("a", "b"))
    assert [config.temperature(i) for i in range(3)] == [0.0, 0.5, 1.0]
    assert [config.tournament(i) for i in range(3)] == [6, 4, 2]
    assert [config.bias(i) for i in range(3)] == ["a", "b", "a"]
    assert RunConfig(islands=1, temperatures=(0.2, 0.4)).temperature(0) == pytest.approx(0.3)
    assert RunConfig().bias(0) == ""
