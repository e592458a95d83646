"""Fitted values as rows: which number belongs to which group, target and vector member."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sldagent.archive.parameters import Names, card_names, cells
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive

MIXTURE = """def law(r, c, k, t):
    return c[i] + k[i] * exp(sum(t[i, j] * r[j] for j in r))

parameters = {"c": real(), "k": real(), "t": real()}
recipe = fit(loss="squared")
"""
CARD = {
    "groups": ["small", "large"],
    "targets": [{"name": "web loss"}, {"name": "code loss"}],
    "vectors": {"r": ["web", "code", "books"]},
}


def rows_of(archive: Archive, law: str) -> list[tuple[object, ...]]:
    sql = (
        "SELECT p.name, group_name, target, element, member, value FROM parameter AS p "
        "JOIN law ON law.run = p.run AND law.k = p.k WHERE law = :law ORDER BY p.name, p.position"
    )
    return archive.query(sql, {"law": law})[1]


def test_groups_targets_and_members(
    archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord]
) -> None:
    run = start(archive, card=CARD)
    t = np.arange(12.0).reshape(2, 2, 3)
    values = {"c": np.array([[1.0, 2.0], [3.0, 4.0]]), "k": np.array([[5.0, np.nan]]), "t": t}
    archive.commit(run, [record(0, source=MIXTURE, parameters=values)])
    assert rows_of(archive, f"{run}-0") == []
    archive.materialise_parameters(run, [0])
    rows = rows_of(archive, f"{run}-0")
    assert rows[:4] == [
        ("c", "small", "web loss", None, None, 1.0), ("c", "small", "code loss", None, None, 2.0),
        ("c", "large", "web loss", None, None, 3.0), ("c", "large", "code loss", None, None, 4.0),
    ]  # fmt: skip
    assert rows[4:6] == [
        ("k", None, "web loss", None, None, 5.0), ("k", None, "code loss", None, None, None),
    ]  # fmt: skip
    assert rows[6:9] == [
        ("t", "small", "web loss", 0, "web", 0.0), ("t", "small", "web loss", 1, "code", 1.0),
        ("t", "small", "web loss", 2, "books", 2.0),
    ]  # fmt: skip
    assert rows[-1] == ("t", "large", "code loss", 2, "books", 11.0)
    archive.materialise_parameters(run, [0, 0])
    assert rows_of(archive, f"{run}-0") == rows, "a second time adds nothing"


def test_finishing_writes_front_choice_and_short_list(
    archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord],
    failed: Callable[..., CandidateRecord],
) -> None:  # fmt: skip
    run = start(archive)
    archive.commit(run, [record(0, x=-1.0), record(1, x=5.0), record(2, x=4.0), record(3, x=3.0), failed(4)])
    archive.finish_run(run, status="complete", choice=1, shortlist=[1, 3], reason="", candidates=5, failures=1, seconds=1.0)
    _, rows = archive.query("SELECT DISTINCT k FROM parameter WHERE run = :run ORDER BY k", {"run": run})
    assert [k for (k,) in rows] == [0, 1, 3]


def test_text_outside_the_language_is_read_by_shape(
    archive: Archive, start: Callable[..., str], record: Callable[..., CandidateRecord]
) -> None:
    run = start(archive, card=CARD)
    archive.commit(run, [record(0, source="def fit(): ...", parameters={"w": np.arange(12.0).reshape(2, 2, 3)})])
    archive.materialise_parameters(run, [0])
    rows = rows_of(archive, f"{run}-0")
    assert rows[5] == ("w", "small", "code loss", 2, "2", 5.0)


def test_two_vector_axes_are_numbered_row_by_row() -> None:
    names = Names(("g",), ("y",), {"z": ("a", "b")})
    rows = list(cells(np.arange(4.0).reshape(1, 2, 2), ("z", "z"), names))
    assert [(row["element"], row["member"], row["value"]) for row in rows] == [
        (0, "a, a", 0.0), (1, "a, b", 1.0), (2, "b, a", 2.0), (3, "b, b", 3.0),
    ]  # fmt: skip
    assert all(row["group_name"] == "g" for row in rows)


@pytest.mark.parametrize("card", [{}, {"targets": None, "groups": None}, {"targets": ["y"]}])
def test_a_card_without_names(card: dict[str, object]) -> None:
    names = card_names(card)
    rows = list(cells(np.ones((2,)), (), names))
    assert [row["group_name"] for row in rows] == ["0", "1"]
