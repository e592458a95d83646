"""Tables as people write them: delimiters, decimal commas, JSON, and numbers with units."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.errors import TableError
from sldagent.tasks.archived import apply_card, task_card
from sldagent.tasks.load import load_task
from sldagent.tasks.numerals import written_number
from sldagent.tasks.read import parse_text, read_json, read_table


@pytest.mark.parametrize("text", ["N;loss\n1;2,39\n", "N;loss\n1,0;2,39\n", "N\tloss\n1\t2,39\n"])
def test_decimal_commas_are_read_where_commas_do_not_delimit(text):
    assert parse_text(text, "t").numeric("loss").tolist() == [2.39]


def test_thousands_stay_thousands_beside_decimal_points():
    table = parse_text("N;loss\n1,000;2.5\n", "t")
    assert table.numeric("N").tolist() == [1000.0]
    assert table.notes == ["read as numbers: 'N' ('1,000' as 1000)"]


def test_the_commonest_delimiter_of_the_header_counts():
    table = parse_text('"loss, final";N;D\n1;2;3\n', "t")
    assert list(table.columns) == ["loss, final", "N", "D"]


def test_blanks_delimit_where_nothing_else_does():
    table = parse_text("N    D   loss\n1e6  1e8 2.5  \n1e7  1e9 2.25\n", "t")
    assert table.numeric("loss").tolist() == [2.5, 2.25]
    assert list(parse_text("the loss\n2.5\n", "t").columns) == ["the loss"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("350M", 350e6),
        ("1.3B", 1.3e9),
        ("7b", 7e9),
        ("2 T", 2e12),
        ("64k", 64e3),
        ("12 %", 0.12),
        ("1,250,000", 1.25e6),
        ("-3", -3.0),
    ],
)
def test_written_numbers(text, value):
    assert written_number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["7B-chat", "1,00", "1_000", "M", "", "12,34,567", "7 BM"])
def test_other_texts_are_no_numbers(text):
    with pytest.raises(ValueError, match=r"could not convert|^M$|1_000"):
        written_number(text)


def test_a_column_is_numbers_only_if_every_cell_is(write):
    mixed = read_table(write("a.csv", "size,loss\n350M,2\n7B-chat,1\n"))
    assert mixed.text("size") == ["350M", "7B-chat"]
    sizes = read_table(write("b.csv", "size,loss\n350M,2\n,1\n"))
    assert sizes.columns["size"][0] == 350e6
    with pytest.raises(TableError, match="line 3: column 'size' is empty"):
        sizes.numeric("size")


def test_labels_stay_as_they_are_written(write):
    assert read_table(write("t.csv", "size,loss\n350M,2\n1.3B,1\n")).text("size") == ["350M", "1.3B"]


def test_what_was_read_otherwise_is_said(write):
    lines = "".join(f"{n}M,{10**k},{3 - k / 9}\n" for n in (1, 10, 100) for k in (5, 6, 7))
    task = load_task(write("t.csv", f"size,tokens,loss\n{lines}"))
    assert "read as numbers: 'size' ('1M' as 1e+06)" in task.notes


RECORD = st.dictionaries(
    st.sampled_from(["N", "D", "loss"]), st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3
)


@given(records=st.lists(RECORD, min_size=1, max_size=8))
def test_records_lines_and_columns_in_json_are_one_table(records):
    columns = {k: [r[k] for r in records] for k in ("N", "D", "loss")}
    lines = "\n".join(json.dumps(r) for r in records)
    for text in (json.dumps(records), json.dumps(columns), lines):
        table = read_json(text, "t")
        assert {k: table.numeric(k).tolist() for k in columns} == columns


def test_nested_records_and_missing_keys(write):
    path = write("t.jsonl", '{"config": {"n": 1}, "loss": 2}\n{"config": {"n": 3}}\n')
    table = read_table(path)
    assert table.numeric("config.n").tolist() == [1.0, 3.0]
    with pytest.raises(TableError, match=r"line 2: column 'loss' is empty"):
        table.numeric("loss")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": oops}', "line 2: not JSON"),
        ("[]", "list of records"),
        ("[1, 2]", "record 1: not a JSON object"),
        ('{"a": [1, 2], "b": [1]}', "different lengths"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_malformed_json_names_the_place(text, message):
    with pytest.raises(TableError, match=message):
        read_json(text, "t")


def test_other_outcomes_are_not_guessed_as_inputs(write):
    lines = "".join(f"{10**n},{10**k},{3 - k / 9 - n / 9},{k / 90 + n / 90}\n" for n in (5, 6, 7) for k in (5, 6, 7))
    path = write("t.csv", f"N,D,loss,val_accuracy\n{lines}")
    task = load_task(path)
    assert [v.name for v in task.variables] == ["N", "D"]
    assert any("looks like another outcome" in n and "'val_accuracy'" in n for n in task.notes)
    assert [v.name for v in load_task(path, variables="N,val_accuracy").variables] == ["N", "val_accuracy"]


def test_an_outcome_is_an_input_where_there_is_no_other(write):
    lines = "".join(f"{k / 9},{3 - k / 9 + k % 2 / 50}\n" for k in range(1, 9))
    assert [v.name for v in load_task(write("t.csv", f"accuracy,loss\n{lines}")).variables] == ["accuracy"]


def test_several_columns_can_be_the_group_together(write):
    lines = "".join(
        f"{task},{model},{10**k},{3 - k / 9 + len(model)}\n"
        for task in ("t1", "t2")
        for model in ("m", "mm")
        for k in (5, 6, 7)
    )
    path = write("t.csv", f"task,size,N,loss\n{lines}")
    task = load_task(path, group="task,size")
    assert task.groups == ("t1, m", "t1, mm", "t2, m", "t2, mm")
    again = apply_card(task_card(task), path, require_target=True)
    assert again.groups == task.groups and again.group.tolist() == task.group.tolist()
    with pytest.raises(TableError, match="no column 'siz'; did you mean 'size'"):
        load_task(path, group="task,siz")
