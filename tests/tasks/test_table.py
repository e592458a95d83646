from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.errors import TableError
from sldagent.tasks import read
from sldagent.tasks.read import read_table
from sldagent.tasks.table import suggest, table_from_frame


def test_reads_numbers_and_text_with_file_lines(write):
    path = write("runs.csv", "N,name,loss\n1e3,a,2.5\n\n2e3,b,2.25\n")
    table = read_table(path)
    assert table.numeric("N").tolist() == [1000.0, 2000.0]
    assert table.text("name") == ["a", "b"]
    assert table.where(1) == f"{path}, line 4"


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_exactly(values):
    text = "x,y\n" + "".join(f"{v!r},1\n" for v in values)
    assert read.parse_text(text, "t").numeric("x").tolist() == values


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(write, delimiter):
    path = write("t.csv", f"N{delimiter}loss\n1{delimiter}2\n")
    assert read_table(path).numeric("loss").tolist() == [2.0]


def test_quoted_cells_that_span_lines_keep_later_line_numbers(write):
    path = write("t.csv", 'N,note,loss\n1,"two\nlines",2\n3,x,oops\n')
    with pytest.raises(TableError, match=r"line 4: column 'loss' holds 'oops'"):
        read_table(path).numeric("loss")


def test_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfN,loss\n1,2\n")
    assert list(read_table(path).columns) == ["N", "loss"]


def test_parquet_equals_csv(tmp_path):
    frame = pd.DataFrame({"N": [1, 2, 3], "group": ["a", "b", "a"], "loss": [0.5, 0.25, 1 / 3]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    parquet, csv = read_table(tmp_path / "t.parquet"), read_table(tmp_path / "t.csv")
    assert list(parquet.columns) == list(csv.columns)
    for name in ("N", "loss"):
        np.testing.assert_array_equal(parquet.numeric(name), csv.numeric(name))
    assert parquet.text("group") == csv.text("group")


def test_frame_rows_are_named_by_the_index():
    frame = pd.DataFrame({"N": [1.0, math.nan]}, index=["first", "second"])
    with pytest.raises(TableError, match=r"my frame, row second: column 'N' is empty"):
        table_from_frame(frame, "my frame").numeric("N")


def test_whole_number_labels_lose_their_fraction(write):
    assert read_table(write("t.csv", "g,loss\n70,1\n160.0,2\n1.5,3\n")).text("g") == ["70", "160", "1.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("N,loss\n", "a header but no rows"),
        ("N,N,loss\n1,2,3\n", "column 'N' appears more than once"),
        ("N,loss\n1,2,3\n", r"line 2: 3 cells where the header has 2"),
        ("N,loss\n1,2\n3\n", r"line 3: 1 cells where the header has 2"),
    ],
)
def test_malformed_text(write, text, message):
    with pytest.raises(TableError, match=message):
        read_table(write("t.csv", text))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", r"line 3: column 'N' holds 'abc'"),
        ("", r"line 3: column 'N' is empty"),
        ("NA", r"line 3: column 'N' is empty"),
        ("nan", r"line 3: column 'N' is empty"),
        ("inf", r"line 3: column 'N' is inf"),
        ("1e999", r"line 3: column 'N' is inf"),
        ("1_000", r"line 3: column 'N' holds '1_000'"),
        ("True", r"line 3: column 'N' holds 'True'"),
    ],
)
def test_bad_cells_name_line_column_and_value(write, cell, message):
    with pytest.raises(TableError, match=message):
        read_table(write("t.csv", f"N,loss\n1,1\n{cell},2\n4,3\n")).numeric("N")


def test_missing_column_suggests_close_names(write):
    table = read_table(write("t.csv", "N,tokens,loss\n1,2,3\n"))
    with pytest.raises(TableError, match=r"no column 'tokns'; did you mean 'tokens'\?"):
        table.numeric("tokns")
    with pytest.raises(TableError, match=r"no column 'Loss'; did you mean 'loss'\?"):
        table.numeric("Loss")
    with pytest.raises(TableError, match=r"it has: N, tokens, loss"):
        table.numeric("zzz")


def test_missing_file_suggests_close_names(write, tmp_path):
    write("runs.csv", "N,loss\n1,2\n")
    with pytest.raises(TableError, match=r"no such file; did you mean runs\.csv\?"):
        read_table(tmp_path / "rusn.csv")
    with pytest.raises(TableError, match=r"the folder .*nowhere does not exist"):
        read_table(tmp_path / "nowhere" / "runs.csv")
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path)


def test_binary_wrong_encoding_and_huge_files(tmp_path, monkeypatch):
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\x00\x01\x02")
    with pytest.raises(TableError, match="binary file"):
        read_table(binary)
    latin = tmp_path / "l.csv"
    latin.write_bytes(b"N,loss\n1,2\n\xe9,3\n")
    with pytest.raises(TableError, match=r"line 3: not UTF-8 text"):
        read_table(latin)
    broken = tmp_path / "p.parquet"
    broken.write_bytes(b"not parquet at all")
    with pytest.raises(TableError, match="not a readable Parquet file"):
        read_table(broken)
    monkeypatch.setattr(read, "MAX_BYTES", 10)
    with pytest.raises(TableError, match="above the limit"):
        read_table(latin)


def test_messages_are_one_sentence_and_suggestions_are_bounded():
    assert "\n" not in suggest("x", [f"column{k}" for k in range(99)])
    assert suggest("x", [f"q{k}" for k in range(99)]).endswith("...")
    assert suggest("x", []) == "it has none"
