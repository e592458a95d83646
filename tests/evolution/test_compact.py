"""The compact memories behave as the dicts that they stand for."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sldagent.evolution.compact import NO_TEXT, Figures, TextIndex, digest

texts = st.text(max_size=3)


@given(st.lists(st.tuples(texts, st.integers(0, 2**31 - 1), st.booleans()), max_size=60))
def test_a_text_index_is_a_dict(steps: list[tuple[str, int, bool]]) -> None:
    index, model = TextIndex(), dict[str, int]()
    for text, k, replace in steps:
        if replace:
            index[text] = model[text] = k
        else:
            assert index.setdefault(text, k) == model.setdefault(text, k)
    assert len(index) == len(model)
    for text in {text for text, _, _ in steps} | {"unknown"}:
        assert (text in index) == (text in model)
        assert index.get(text) == model.get(text)
    assert 3 not in index


def test_it_grows_and_stays_small() -> None:
    index = TextIndex()
    for k in range(5000):
        index[f"text {k}"] = k
    assert all(index.get(f"text {k}") == k for k in range(5000))
    size = sum(sys.getsizeof(array) for array in (index._keys, index._values))
    assert size + 100 * len(index._recent) < 5000 * 40


@given(st.lists(st.tuples(texts, st.integers(0, 2**31 - 1)), max_size=60))
def test_an_index_made_at_once_is_one_made_step_by_step(steps: list[tuple[str, int]]) -> None:
    grown, made = TextIndex(), TextIndex()
    for text, k in steps:
        grown.setdefault(text, k)
    digests = np.array([NO_TEXT, *(digest(text) for text, _ in steps)], dtype=np.uint64)
    values = np.array([7, *(k for _, k in steps)], dtype=np.int32)
    made.take(digests[:20], values[:20])
    made.take(digests[20:], values[20:])
    assert len(made) == len(grown)
    for text in {text for text, _ in steps} | {"unknown"}:
        assert made.get(text) == grown.get(text)
    made["new"] = 3
    assert made.get("new") == 3


def test_figures() -> None:
    figures = Figures()
    figures[3] = (float("-1.5"), 7.0)
    assert 3 in figures
    assert figures[3] == (-1.5, 7.0)
    assert [k in figures for k in (-1, 0, 2, 4)] == [False] * 4
    with pytest.raises(KeyError):
        figures[2]
    made = Figures()
    made.take(np.array([3.0, -1.5]), np.array([4.0, 7.0]), np.array([False, True]))
    assert [k in made for k in range(3)] == [False, True, False]
    assert made[1] == (-1.5, 7.0)
