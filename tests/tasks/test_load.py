from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sldagent.errors import ConfigError, TableError
from sldagent.tasks.load import load_task, task_from_frame, tasks
from sldagent.tasks.roles import symbol_for

ROWS = "".join(f"{n},{d},{2 + n**-0.3 + d**-0.2:.6f}\n" for n in (10, 20, 40) for d in (100, 200, 400))


def roles(task):
    return {v.symbol: v.role for v in task.variables}


def notes(task):
    return " | ".join(task.notes)


def test_defaults_are_guessed_and_noted(write):
    task = load_task(write("t.csv", "N,D,loss\n" + ROWS))
    assert roles(task) == {"N": "scale", "D": "scale"}
    assert task.targets[0].name == "loss"
    assert task.targets[0].range == (0.0, math.inf)
    assert task.groups == ("all",)
    assert task.X.shape == (9, 2)
    assert "target: 'loss'" in notes(task)
    assert "range of 'loss': positive" in notes(task)


def test_constants_identifiers_and_copies_are_left_out_with_a_note():
    n = np.array([1e3, 2e3, 4e3, 8e3, 16e3])
    frame = pd.DataFrame(
        {"id": range(5), "N": n, "logN": np.log10(n), "width": 8.0, "name": list("vwxyz"), "loss": n**-0.1}
    )
    task = task_from_frame(frame)
    assert task.symbols == ("N",)
    text = notes(task)
    assert "an identifier: 'id'" in text
    assert "constant: 'width'" in text
    assert "a copy of another variable: 'logN'" in text
    assert "not numeric: 'name'" in text


def test_setting_logarithm_and_proportion_names():
    rng = np.random.default_rng(0)
    share = np.round(rng.uniform(0, 1, 12), 3)
    frame = pd.DataFrame(
        {
            "learning_rate": rng.uniform(1e-4, 1e-2, 12),
            "warmup": rng.integers(0, 9, 12).astype(float),
            "log_flops": rng.normal(0, 1, 12),
            "ln_D": rng.normal(3, 1, 12),
            "code": share,
            "prose": 1 - share,
            "loss": rng.uniform(1, 2, 12),
        }
    )
    task = task_from_frame(frame)
    assert roles(task) == {
        "learning_rate": "setting", "warmup": "setting", "log_flops": "scale", "ln_D": "scale",
        "code": "proportion", "prose": "proportion",
    }  # fmt: skip
    by_symbol = {v.symbol: v for v in task.variables}
    assert by_symbol["log_flops"].log
    assert by_symbol["log_flops"].log_base == 10
    assert by_symbol["ln_D"].log_base == pytest.approx(math.e)
    assert dict(task.vectors) == {"r": ("code", "prose")}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("loss", [1.0, 2.0, 3.0, 4.0], (0.0, math.inf)),
        ("loss", [-1.0, -2.0, -3.0, -4.0], (-math.inf, math.inf)),
        ("brier_score", [-0.1, -0.2, -0.3, -0.4], (-1.0, 0.0)),
        ("accuracy", [0.0, 0.2, 0.3, 0.4], (0.0, 1.0)),
        ("accuracy", [10.0, 20.0, 30.0, 40.0], (0.0, math.inf)),
    ],
)
def test_range_guess(name, values, expected):
    task = task_from_frame(pd.DataFrame({"N": [1.0, 3.0, 9.0, 27.0], name: values}))
    assert task.targets[0].range == expected


def test_split_column_hides_nothing_from_the_task_but_training_rows_are_a_part(write):
    rows = "train,1,3\ntrain,2,2\nTrain,4,1.5\ntest,8,1\n"
    task = load_task(write("t.csv", "split,N,loss\n" + rows))
    assert task.split.tolist() == ["train", "train", "train", "test"]
    assert task.part("train").X[:, 0].tolist() == [1.0, 2.0, 4.0]
    assert task.split_column == "split"


def test_range_guess_reads_training_rows_only(write):
    rows = "train,1,3\ntrain,2,2\ntrain,4,1.5\ntest,8,-1\n"
    assert load_task(write("t.csv", "split,N,loss\n" + rows)).targets[0].range == (0.0, math.inf)


def test_a_column_named_split_without_training_rows_is_not_the_split(write):
    task = load_task(write("t.csv", "split,N,loss\n" + "fit,1,3\nfit,2,2\nfit,4,1.5\n"))
    assert task.split_column is None
    assert "no 'train' rows" in notes(task)


def test_groups_are_in_order_of_first_appearance(write):
    rows = "".join(f"{g},{n},{n**-0.5}\n" for n in (1, 2, 4) for g in ("z", "a"))
    task = load_task(write("t.csv", "corpus,N,loss\n" + rows))
    assert task.groups == ("z", "a")
    assert task.group.tolist() == [0, 1] * 3
    ungrouped = load_task(write("t.csv", "corpus,N,loss\n" + rows), group="")
    assert ungrouped.groups == ("all",)


def test_numbered_targets_are_taken_together():
    rng = np.random.default_rng(1)
    r1 = np.round(rng.uniform(0, 1, 9), 2)
    frame = pd.DataFrame({"r1": r1, "r2": 1 - r1, "loss_1": r1 + 1, "loss_2": 2 - r1**2})
    task = task_from_frame(frame)
    assert [t.name for t in task.targets] == ["loss_1", "loss_2"]
    assert task.Y.shape == (9, 2)


def test_roles_on_the_command_line(write):
    path = write(
        "t.csv", "Model Size,x:y,logC,r1,score\n" + "".join(f"{k},{k},{k},0.5,{k}\n" for k in (1, 2, 3))
    )
    with pytest.raises(TableError, match=r"'r1' is 0\.5 in all rows"):
        load_task(path, variables="Model Size:scale,r1:setting")
    task = load_task(path, variables="Model Size:scale,x:y:setting,logC:scale:log2", targets="score")
    assert [(v.name, v.symbol, v.role, v.log_base) for v in task.variables] == [
        ("Model Size", "Model_Size", "scale", math.e),
        ("x:y", "x_y", "setting", math.e),
        ("logC", "logC", "scale", 2.0),
    ]
    assert load_task(path, variables=["logC"]).variables[0].log
    with pytest.raises(ConfigError, match=r"unknown role 'scal'; did you mean 'scale'\?"):
        load_task(path, variables="logC:scal")
    with pytest.raises(TableError, match=r"no column 'logD'; did you mean 'logC'\?"):
        load_task(path, variables="logD:scale")
    with pytest.raises(ConfigError, match="twice"):
        load_task(path, variables="logC,logC")
    with pytest.raises(TableError, match="both a variable and a target"):
        load_task(path, variables="logC", targets="logC")


def test_symbols_are_unique_identifiers_outside_the_language():
    assert symbol_for("Model Size", []) == "Model_Size"
    assert symbol_for("Model-Size", ["Model_Size"]) == "Model_Size_2"
    assert symbol_for("exp", []) == "exp_"
    assert symbol_for("lambda", []) == "lambda_"
    assert symbol_for("3d", []) == "x3d"
    assert symbol_for("größe", []).isascii()


def test_wanted_inputs(write):
    path = write(
        "t.csv",
        "N,lr,loss\n" + "".join(f"{n},{lr},{1 / n + lr}\n" for n in (1, 2, 4) for lr in (0.1, 0.2, 0.4)),
    )
    at = write("at.csv", "N\n100\n200\n")
    task = load_task(path, at=at)
    assert task.at is not None
    np.testing.assert_allclose(task.at, [[100, 0.2], [200, 0.2]])
    with pytest.raises(TableError, match="no column 'N'"):
        load_task(path, at=write("bad.csv", "lr\n0.1\n"))
    with pytest.raises(TableError, match=r"at0\.csv, line 2: 'N' is 0 but is a scale variable"):
        load_task(path, at=write("at0.csv", "N\n0\n"))


def test_too_many_candidates_are_not_guessed():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.uniform(1, 2, (8, 15)), columns=[f"width{k}" for k in range(15)])
    with pytest.raises(TableError, match="14 numeric columns could be variables"):
        task_from_frame(frame)


def test_names_that_are_nothing():
    with pytest.raises(TableError, match=r"neither a file nor a built-in task; did you mean 'vocab'"):
        load_task("vocabb")
    with pytest.raises(TableError, match="'sldagent tasks' lists the names"):
        load_task("qqqqqqqq")


def test_builtin_names_need_their_folder(tmp_path):
    with pytest.raises(TableError, match=r"holds no moe_scaling_law\.csv"):
        load_task("moe", data=tmp_path)
    with pytest.raises(TableError, match="no such folder"):
        load_task("moe", data=tmp_path / "absent")


def test_builtin_table_is_found_in_the_folder_or_its_parent(tmp_path):
    inner = tmp_path / "sldbench"
    inner.mkdir()
    rows = [("all", "train", e, n, 3 - 0.1 * np.log(n * e)) for e in (1, 2, 4) for n in (1e6, 1e7)]
    frame = pd.DataFrame(
        rows, columns=["group", "split", "num_experts", "dense_parameter_count", "loss_validation"]
    )
    frame.to_parquet(inner / "moe_scaling_law.parquet")
    for folder in (tmp_path, inner):
        for name in ("moe", "moe_scaling_law"):
            task = load_task(name, data=folder)
            assert task.name == "moe"
            assert task.X.shape == (6, 2)
            assert task.max_parameters == 6


def test_the_list_of_tasks_reads_every_card():
    names = [t.name for t in tasks()]
    assert " ".join(names) == (
        "tiny_lm tiny_lm_lr data_constrained domain_mixture easy_question lr_bsz moe parallel sft vocab"
    )
    assert all(t.title and t.description and t.where for t in tasks())


EXPECTED = {
    "parallel": ((36, 2), 2, 4, {"scale"}), "vocab": ((1080, 3), 1, 7, {"scale"}),
    "sft": ((504, 1), 42, 4, {"scale"}),
    "domain_mixture": ((80, 5), 4, 7, {"proportion"}), "moe": ((193, 2), 1, 6, {"scale"}),
    "data_constrained": ((161, 3), 1, 7, {"scale"}), "lr_bsz": ((2702, 4), 1, None, {"scale", "setting"}),
    "easy_question": ((389, 1), 9, 6, {"scale"}),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_sldbench_tables(data_folder, name):
    shape, groups, limit, kinds = EXPECTED[name]
    task = load_task(name, data=data_folder)
    assert task.part("train").X.shape == shape
    assert len(task.groups) == groups
    assert task.max_parameters == limit
    assert {v.role for v in task.variables} == kinds
    for k, target in enumerate(task.targets):
        assert np.all((task.Y[:, k] >= target.range[0]) & (task.Y[:, k] <= target.range[1]))


def test_a_stray_zero_and_a_group_too_small_are_noted(write):
    rows = "".join(f"{n},a,{5 / n}\n" for n in (1, 2, 4, 8))
    task = load_task(write("t.csv", "N,family,loss\n" + rows + "0,b,9\n"))
    assert "'N' (first in line 6)" in notes(task)
    assert "'family' is not used as the group" in notes(task)


def test_a_renamed_column_is_noted(write):
    task = load_task(write("t.csv", "model size,loss\n1,3\n2,2\n4,1.5\n"))
    assert "model_size = 'model size' (scale)" in notes(task)


def test_huge_wanted_inputs_are_refused(write):
    table = write("t.csv", "N,loss\n1,3\n2,2\n4,1.5\n")
    with pytest.raises(TableError, match=r"at\.csv, line 2: 'N' is 1e\+200"):
        load_task(table, at=write("at.csv", "N\n1e200\n"))
