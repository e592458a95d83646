from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.errors import CardError
from sldagent.tasks.card import TOP, parse_card, read_card
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Noise

CARD = """
name = "demo"
title = "A demonstration"
table = "runs.csv"
description = "Small runs."
group = "corpus"
split = "split"
run = "job"
ignore = ["note"]
noise = {column = "se"}
max_parameters = 5
at = "wanted.csv"

[variables.N]
role = "scale"
column = "Model Size"
unit = "parameters"

[variables.logC]
role = "scale"
log = true

[variables.lr]
role = "setting"

[variables.r1]
role = "proportion"

[variables.r2]
role = "proportion"

[targets.loss]
range = [0.0, inf]
unit = "nats"
monotone = {N = "decreasing"}
limit = [0.1, 3.0]

[vectors]
mix = ["r1", "r2"]
"""
HEADER = "corpus,split,job,note,se,Model Size,logC,lr,r1,r2,loss\n"
ROWS = "".join(
    f"{c},{'test' if n == 8 else 'train'},{n},text,{n},{n},{n},0.{n},0.{n},{1 - n / 10:.1f},{3 - n / 10}\n"
    for c in ("web", "code")
    for n in (1, 2, 4, 8)
)


@pytest.fixture
def card(write):
    write("runs.csv", HEADER + ROWS)
    write("wanted.csv", "Model Size,logC\n100,5\n")
    return write("demo.toml", CARD)


def test_every_key_arrives(card):
    task = load_task(card)
    assert task.name == "demo"
    assert task.description == "Small runs."
    assert task.group_column == "corpus"
    assert task.groups == ("web", "code")
    assert task.split_column == "split"
    assert [(v.symbol, v.name, v.role, v.log) for v in task.variables] == [
        ("N", "Model Size", "scale", False),
        ("logC", "logC", "scale", True),
        ("lr", "lr", "setting", False),
        ("r1", "r1", "proportion", False),
        ("r2", "r2", "proportion", False),
    ]
    assert task.variables[1].log_base == 10
    assert task.variables[0].unit == "parameters"
    (target,) = task.targets
    assert target.range == (0.0, math.inf)
    assert target.limit == (0.1, 3.0)
    assert dict(target.monotone) == {"N": "decreasing"}
    assert dict(task.vectors) == {"mix": ("r1", "r2")}
    assert task.max_parameters == 5
    assert task.noise == Noise("column", "se")
    np.testing.assert_allclose(np.exp(np.mean(np.log(task.noise_scale))), 1.0)
    np.testing.assert_allclose(task.noise_scale[3] / task.noise_scale[0], 8.0)
    assert task.at is not None
    np.testing.assert_allclose(task.at, [[100, 5, 0.2, 0.2, 0.8]])
    assert task.run is not None
    assert len(set(task.run.tolist())) == 8  # the same label in two groups is two runs
    assert task.notes == ()


def test_the_command_line_overrides_a_card(card):
    task = load_task(card, variables="N,logC:setting", group="")
    assert [(v.symbol, v.role) for v in task.variables] == [("N", "scale"), ("logC", "setting")]
    assert task.variables[0].unit == "parameters"
    assert dict(task.vectors) == {}
    assert task.groups == ("all",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "demo"', 'nmae = "demo"', r"demo\.toml: unknown key 'nmae'; did you mean 'name'\?"),
        ('unit = "nats"', 'unti = "nats"', r"unknown key 'targets\.loss\.unti'; did you mean 'unit'\?"),
        ("log = true", "logs = true", r"unknown key 'variables\.logC\.logs'; did you mean 'log'\?"),
        ("log = true", 'log = "yes"', r"key 'variables\.logC\.log' must be true or false"),
        ('role = "setting"', 'role = "knob"', r"key 'variables\.lr\.role' must be one of scale, setting"),
        ("max_parameters = 5", "max_parameters = 0", "'max_parameters' must be a whole number of at least 1"),
        ("max_parameters = 5", "max_parameters = true", "'max_parameters' must be a whole number"),
        ("range = [0.0, inf]", "range = [1.0]", r"key 'targets\.loss\.range' must be two numbers"),
        ("range = [0.0, inf]", "range = [1.0, 0.0]", "lower end first"),
        ('N = "decreasing"', 'M = "decreasing"', r"'targets\.loss\.monotone\.M' names no variable"),
        ('N = "decreasing"', 'N = "down"', "must be 'decreasing' or 'increasing'"),
        ('{column = "se"}', '"gaussian"', "key 'noise' must be"),
        ('{column = "se"}', '{col = "se"}', r"unknown key 'noise\.col'; did you mean 'column'\?"),
        ('mix = ["r1", "r2"]', 'mix = ["r1", "lr"]', "names 'lr', which is no proportion"),
        ('mix = ["r1", "r2"]', 'mix = ["r1"]', "at least two proportions"),
        ('mix = ["r1", "r2"]', 'lr = ["r1", "r2"]', "no variable's symbol"),
        ('ignore = ["note"]', 'ignore = "note"', "'ignore' must be a list of texts"),
        ('table = "runs.csv"', "", "key 'table' is missing"),
        ('table = "runs.csv"', "table = ", "not a valid TOML card"),
    ],
)
def test_strict(write, card, old, new, message):
    assert old in CARD
    with pytest.raises(CardError, match=message) as error:
        read_card(write("demo.toml", CARD.replace(old, new)))
    assert "demo.toml" in str(error.value)


def test_missing_card(tmp_path):
    with pytest.raises(CardError, match="no such card"):
        load_task(tmp_path / "absent.toml")


def test_proportional_noise_needs_targets_other_than_zero(write):
    write("t.csv", "N,loss\n1,2\n2,0\n4,1\n")
    path = write("c.toml", 'table = "t.csv"\nnoise = "proportional"\n[variables.N]\nrole = "scale"\n')
    with pytest.raises(Exception, match="line 3: 'loss' is 0, so noise cannot be proportional"):
        load_task(path)


@given(key=st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=12))
def test_any_other_key_is_refused(tmp_path_factory, key):
    path = tmp_path_factory.getbasetemp() / "x.toml"
    if key in TOP:
        return
    with pytest.raises(CardError, match=f"unknown key '{key}'"):
        parse_card({"table": "t.csv", key: 1}, path)
