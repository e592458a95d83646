"""Evaluations as bytes: back again bit for bit, and nothing else is accepted."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sldagent.evaluation.result import REASONS, CutScore, Evaluation, Failure
from sldagent.workers.wire import WireError, decode_evaluation, encode_evaluation

numbers = st.floats()
words = st.text(max_size=12)
counts = st.integers(0, 2**40)
blocks = arrays("<f8", array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4), elements=numbers)
evaluations = st.builds(
    Evaluation,
    x=numbers, x_se=numbers, mdl=numbers, complexity=numbers, tree=counts, scalars=counts, valid=st.booleans(),
    invalid_reason=words, train_r2=numbers, rank_deficient=counts, at_bounds=st.lists(words).map(tuple),
    parameters=st.dictionaries(words, blocks, max_size=3),
    cuts=st.lists(st.builds(CutScore, words, words, words, counts, numbers, numbers), max_size=3).map(tuple),
    x_boot=arrays("<f8", st.integers(0, 5), elements=numbers), fingerprint=words, evaluations=counts, seconds=numbers,
    failure=st.none() | st.builds(Failure, st.sampled_from(REASONS), words), fitted_by=words, feedback=words,
)  # fmt: skip


def bits(value: Any) -> Any:
    """A value in which equal floats are equal bits, so that NaN equals itself."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(bits, value))
    if isinstance(value, (CutScore, Evaluation)):
        return {name: bits(getattr(value, name)) for name in type(value).__dataclass_fields__}
    return value


@given(evaluations)
@settings(max_examples=60)
def test_round_trip(evaluation: Evaluation) -> None:
    assert bits(decode_evaluation(encode_evaluation(evaluation))) == bits(evaluation)


GOOD = encode_evaluation(
    Evaluation(
        x=1.0, parameters={"a": np.ones((2, 3))}, x_boot=np.zeros(4), cuts=(CutScore("c", "N", "y", 3, 1.0, 2.0),),
        at_bounds=("a",), failure=Failure("time", "late"),
    )
)  # fmt: skip


def changed(**entries: Any) -> bytes:
    """The good message with other entries in its header."""
    (length,) = struct.unpack_from("<I", GOOD)
    header = {**json.loads(GOOD[4 : 4 + length]), **entries}
    text = json.dumps({k: v for k, v in header.items() if v != "absent"}).encode()
    return struct.pack("<I", len(text)) + text + GOOD[4 + length :]


@pytest.mark.parametrize(
    "message",
    [
        b"", b"abc", b"\xff\xff\xff\xff{}", struct.pack("<I", 2) + b"[]", struct.pack("<I", 4) + b"oops", GOOD + b"x",
        GOOD + b"12345678", GOOD[:-8], "text", None, struct.pack("<I", 60000) + b"[" * 60000,
        changed(valid=1), changed(tree=True), changed(tree=1.0), changed(fingerprint=None), changed(feedback="absent"),
        changed(more=1), changed(x_boot=-1), changed(x_boot=5), changed(x_boot=2**60), changed(at_bounds="a"),
        changed(at_bounds=[1]), changed(cuts=[["c", "N", "y", "3"]]), changed(cuts=[["c", "N", "y"]]), changed(cuts=None),
        changed(parameters=[["a", [-2, -3]]]), changed(parameters=[["a", [2, 4]]]), changed(parameters=[["a", [True, 6]]]),
        changed(parameters=[["a", [1, 3]], ["a", [1, 3]]]), changed(failure=["magic", ""]), changed(failure=["time"]),
    ],
)  # fmt: skip
def test_anything_else_is_refused(message: Any) -> None:
    with pytest.raises(WireError):
        decode_evaluation(message)


@given(st.binary(max_size=200))
def test_noise_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        decode_evaluation(message)
