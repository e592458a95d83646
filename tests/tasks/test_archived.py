from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from sldagent.errors import CardError, TableError
from sldagent.tasks.load import apply_card, load_task, task_card, task_from_frame


@pytest.fixture
def frame():
    rows = [
        (g, "test" if n == 8000 else "train", n, lr, 1 + n**-0.3 + lr)
        for g in ("web", "code")
        for n in (1000, 2000, 4000, 8000)
        for lr in (0.1, 0.2)
    ]
    return pd.DataFrame(rows, columns=["group", "split", "Model Size", "lr", "loss"])


@pytest.fixture
def card(frame):
    return json.loads(json.dumps(task_card(task_from_frame(frame, name="demo")), allow_nan=False))


def test_round_trip(frame, card):
    task, again = task_from_frame(frame, name="demo"), apply_card(card, frame)
    assert again.variables == task.variables
    assert again.targets == task.targets
    assert again.groups == task.groups
    np.testing.assert_array_equal(again.X, task.X)
    np.testing.assert_array_equal(again.Y, task.Y)
    np.testing.assert_array_equal(again.group, task.group)
    np.testing.assert_array_equal(again.split, task.split)


def test_the_card_holds_training_extents_and_row_counts(card):
    assert card["variables"][0]["min"] == 1000
    assert card["variables"][0]["max"] == 4000  # the test rows reach 8000
    assert card["rows"] == {"test": 4, "train": 12}
    assert card["targets"][0]["range"] == [0.0, None]


def test_known_groups_come_first_and_new_ones_after(frame, card):
    other = frame.replace({"group": {"web": "maths"}})
    task = apply_card(card, other)
    assert task.groups == ("web", "code", "maths")
    assert task.group.tolist() == [2] * 8 + [1] * 8


def test_prediction_needs_no_target_split_or_second_row(frame, card):
    inputs = frame.drop(columns=["loss", "split"]).iloc[:1]
    task = apply_card(card, inputs, require_target=False)
    assert task.X.tolist() == [[1000, 0.1]]
    assert np.isnan(task.Y).all()
    assert task.split_column is None
    with pytest.raises(TableError, match="no column 'loss'"):
        apply_card(card, inputs)


def test_a_column_may_be_named_by_its_symbol(frame, card):
    renamed = frame.rename(columns={"Model Size": "Model_Size"})
    np.testing.assert_array_equal(apply_card(card, renamed).X[:, 0], frame["Model Size"])


def test_missing_group_column(frame, card):
    with pytest.raises(
        TableError, match="no group column 'group', and the law has its own constants for each of 2"
    ):
        apply_card(card, frame.drop(columns="group"))
    single = frame[frame.group == "web"]
    one = task_card(task_from_frame(single, name="demo"))
    assert apply_card(one, single.drop(columns="group")).groups == ("web",)


def test_bad_values_are_still_refused(frame, card):
    with pytest.raises(TableError, match="row 3: 'Model Size' is -1 but"):
        apply_card(card, frame.assign(**{"Model Size": [1000.0] * 3 + [-1.0] * 13}))
    with pytest.raises(CardError, match="name no variables"):
        apply_card({}, frame)


def test_mixtures(data_folder):
    task = load_task("domain_mixture", data=data_folder)
    card = json.loads(json.dumps(task_card(task)))
    again = apply_card(card, data_folder / "sldbench" / "domain_mixture_scaling_law.csv")
    assert dict(again.vectors) == dict(task.vectors)
    np.testing.assert_array_equal(again.Y, task.Y)


def test_the_noise_column_is_read_again_and_may_lack_where_only_predicting(write):
    card = write(
        "t.toml",
        'name = "t"\ntable = "t.csv"\n[variables.N]\nrole = "scale"\n[targets.loss]\n[noise]\ncolumn = "sd"\n',
    )
    write("t.csv", "N,loss,sd\n" + "".join(f"{10**k},{3 - k / 9},{0.01 * k}\n" for k in range(1, 8)))
    task = load_task(card)
    again = apply_card(task_card(task), card.with_suffix(".csv"))
    np.testing.assert_array_equal(again.noise_scale, task.noise_scale)
    assert np.ptp(again.noise_scale) > 0
    for text in ("N,sd\n1,0.1\n2,\n", "N\n1\n2\n"):
        assert (apply_card(task_card(task), write("at.csv", text), require_target=False).noise_scale == 1.0).all()
