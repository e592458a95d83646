from __future__ import annotations

import pytest

from sldagent.errors import TableError
from sldagent.tasks.load import load_task

SPLIT = {"split_column": "split"}
N = {"variables": "N:scale"}
SHARES = {"variables": "r1:proportion,r2:proportion"}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("N,loss\n1,2\n", N, "only one training row"),
        ("N,loss\n1,2\n2,3\n", N, "only 2 training rows"),
        ("N,D,loss\n5,1,2\n5,2,3\n5,3,4\n", {"variables": "N,D"}, "variable 'N' is 5 in all rows"),
        ("N,loss\n1,2\n0,3\n4,1\n", N, r"line 3: 'N' is 0 but is a scale.*'N:setting'"),
        ("N,loss\n1,2\n-3,3\n4,1\n", N, r"line 3: 'N' is -3 .*'N:scale:log'"),
        ("N,loss\n1,2\nx,3\n4,1\n", {}, r"line 3: column 'N' holds 'x' where a number is needed"),
        ("N,loss\n1,2\n2,\n4,1\n", {}, r"line 3: column 'loss' is empty"),
        ("N,loss\n1,2\n2,inf\n4,1\n", {}, r"line 3: column 'loss' is inf"),
        ("r1,r2,loss\n.5,.5,1\n.2,1.2,3\n", SHARES, r"line 3: 'r2' is 1\.2"),
        ("r1,r2,loss\n.5,.5,1\n.2,.4,3\n", SHARES, r"line 3: .*sum to 0\.6"),
        ("group,N,loss\na,1,2\na,2,3\na,3,4\nb,1,2\nb,2,2\n", {}, "group 'b' of .* has 2 training"),
        ("split,N,loss\nfit,1,2\nheld,2,3\n", SPLIT, r"it has 'fit', 'held'"),
        ("split,N,loss\ntrain,1,2\n,2,3\n", SPLIT, "line 3: column 'split' is empty"),
        ("N,loss\n1,2\n2,3\n3,4\n", {"targets": "los"}, r"no column 'los'; did you mean 'loss'\?"),
        ("N,loss\n1,2\n2,3\n3,4\n", {"group": "grp"}, "no column 'grp'"),
        ("N,loss\n1,2\n2,3\n3,4\n", {"targets": ""}, "empty list of columns"),
        ("a,b\nx,y\nz,w\n", {}, "no numeric column can be the target"),
        ("a,loss\nx,1\nz,2\n", {}, "no column is left to be a variable .*not numeric: 'a'"),
        ("N,D,loss\n5,1,2\n5,1,3\n5,1,4\n", {}, "no column is left to be a variable .*constant: 'N', 'D'"),
        ("N,loss\n1,2\n", {}, "one row"),
        ("N,loss\n1,2\n1e308,3\n4,1\n", {}, r"line 3: 'N' is 1e\+308, outside"),
        ("N,loss\n1,2\n2,1e-300\n4,1\n", {}, r"line 3: 'loss' is 1e-300, outside"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(write, text, options, message):
    with pytest.raises(TableError, match=message) as error:
        load_task(write("t.csv", text), **options)
    assert "\n" not in str(error.value)
    assert "t.csv" in str(error.value)


def test_constant_over_training_rows_only_is_still_constant(write):
    text = "split,N,D,loss\ntrain,5,1,2\ntrain,5,2,3\ntrain,5,3,4\ntest,6,3,4\n"
    with pytest.raises(TableError, match="variable 'N' is 5 in all training rows"):
        load_task(write("t.csv", text), variables="N,D")


def test_bad_cells_in_unused_columns_do_no_harm(write):
    task = load_task(write("t.csv", "N,junk,loss\n1,inf,3\n2,,2\n4,x,1\n"), variables="N")
    assert task.X[:, 0].tolist() == [1, 2, 4]


def test_duplicate_rows_are_kept_and_noted(write):
    task = load_task(write("t.csv", "N,loss\n1,3\n2,2\n2,2\n4,1\n"))
    assert len(task.X) == 4
    assert "1 row repeats an earlier one exactly (first: line 4 repeats line 3)" in " ".join(task.notes)


def test_rounded_shares_are_accepted(write):
    rows = "0.33,0.33,0.33,1\n0.5,0.3,0.2,2\n0.2,0.2,0.6,3\n"
    task = load_task(write("t.csv", "a,b,c,loss\n" + rows))
    assert dict(task.vectors) == {"r": ("a", "b", "c")}


def test_a_declared_range_that_the_data_leave_is_noted(write):
    card = write(
        "c.toml", 'table = "t.csv"\n[variables.N]\nrole = "scale"\n[targets.loss]\nrange = [0.0, 2.5]\n'
    )
    write("t.csv", "N,loss\n1,3\n2,2\n4,1\n")
    assert "1 values of 'loss' lie outside" in " ".join(load_task(card).notes)
