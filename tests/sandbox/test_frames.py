from __future__ import annotations

import json
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sldagent.sandbox.frames import MAX_HEADER, ProtocolError, decode, encode

NAMES = st.from_regex(r"[A-Za-z0-9_./-]{1,20}", fullmatch=True)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=4), inner, max_size=4),
    max_leaves=10,
)


def frame(header: object, content: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"SLDJAIL1" + len(text).to_bytes(4, "little") + text + content


@given(
    st.dictionaries(NAMES, arrays(np.float64, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)), max_size=4),
    st.dictionaries(st.text("xyz", max_size=5), PLAIN, max_size=4),
)
def test_what_goes_in_comes_out(blocks: dict[str, np.ndarray], values: dict[str, object]) -> None:
    out = decode(encode(blocks, values))
    assert out.values == values and out.failure is None
    assert set(out.arrays) == set(blocks)
    for name, block in blocks.items():
        np.testing.assert_array_equal(out.arrays[name], block)
        assert out.arrays[name].shape == block.shape


def good() -> bytes:
    return encode({"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(0)}, {"k": [1, "two", None]})


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"SLDJAIL1",
        b"SLDJAIL2" + good()[8:],
        good() + b"x",
        good()[:-1],
        good()[:20],
        frame([]),
        frame({}),
        frame({"arrays": [], "values": {}}),
        frame({"arrays": [], "values": [], "failure": None}),
        frame({"arrays": [["a", [1]]], "values": {}, "failure": None}),
        frame({"arrays": [["a", [-1, -1]]], "values": {}, "failure": None}, bytes(8)),
        frame({"arrays": [["a", [True]]], "values": {}, "failure": None}, bytes(8)),
        frame({"arrays": [["a", [1.0]]], "values": {}, "failure": None}, bytes(8)),
        frame({"arrays": [["a", [1]], ["a", [1]]], "values": {}, "failure": None}, bytes(16)),
        frame({"arrays": [["a\x00", [1]]], "values": {}, "failure": None}, bytes(8)),
        frame({"arrays": [["a", [1, 1, 1, 1, 1]]], "values": {}, "failure": None}, bytes(8)),
        frame({"arrays": [["a", [2**62, 0]]], "values": {}, "failure": None}),
        frame({"arrays": [["a"]], "values": {}, "failure": None}),
        frame({"arrays": {}, "values": {}, "failure": None}),
        frame({"arrays": [], "values": {}, "failure": ["x"]}),
        frame({"arrays": [], "values": {}, "failure": [1, 2]}),
        frame(b'{"arrays":[],"values":{"a":NaN},"failure":null}'),
        frame(b'{"arrays":[],"values":{"a":1e999},"failure":null}'),
        frame(b'{"arrays":[],"values":{"a":' + b"9" * 5000 + b'},"failure":null}'),
        frame(b'{"arrays":[],"values":{"a":36893488147419103232},"failure":null}'),
        frame(b'{"arrays":[],"values":{"a":"\\ud800"},"failure":null}'),
        frame(b"\xff\xfe"),
        frame(b'{"arrays":[],"values":{"a":"\\u0000"},"failure":null}'),
        frame(b"[" * 60000),
        frame(b'{"arrays":[],"values":{"a":' + b"[" * 40 + b"]" * 40 + b'},"failure":null}'),
        frame({"arrays": [], "values": {"a": "x" * MAX_HEADER}, "failure": None}),
        b"SLDJAIL1" + (2**32 - 1).to_bytes(4, "little") + b"{}",
    ],
)
def test_anything_else_is_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(bad)


@pytest.mark.parametrize(
    ("blocks", "values"),
    [
        ({"": [1.0]}, {}),
        ({"a b": [1.0]}, {}),
        ({"a": np.zeros((1,) * 5)}, {}),
        ({}, {"a": float("nan")}),
        ({}, {"a": object()}),
        ({}, {"a": "x" * 70000}),
        ({f"a{k}": [1.0] for k in range(5000)}, {}),
        ({}, {"a": 2**64}),
        ({}, {1: 2}),
    ],
)
def test_what_does_not_fit_is_not_written(blocks: dict[str, object], values: dict[object, object]) -> None:
    with pytest.raises(ProtocolError):
        encode(blocks, values)  # type: ignore[arg-type]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with some bytes changed, cut, doubled or replaced by what JSON and lengths are made of."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(out) + 1)
        kind = rng.randrange(5)
        if kind == 0 and place < len(out):
            out[place] = rng.randrange(256)
        elif kind == 1:
            del out[place : place + rng.randint(1, 20)]
        elif kind == 2:
            out[place:place] = out[: rng.randint(1, 30)]
        elif kind == 3:
            out[place:place] = rng.choice(
                (b"[", b"{", b"9" * 30, b'"', b"-1", b"1e400", b"NaN", b",", b"null", b"\x00", b"\xff")
            )
        else:
            out[8:12] = rng.randbytes(4)
    return bytes(out)


def test_ten_thousand_random_and_mutated_frames() -> None:
    """Nothing but ProtocolError comes out, and memory stays in proportion to what went in."""
    rng = random.Random(0)
    seeds = [good(), encode({}, {}, ("error", "x")), encode({f"params/{k}": np.ones(3) for k in range(20)})]
    refused = 0
    tracemalloc.start()
    try:
        for k in range(10_000):
            data = rng.randbytes(rng.randrange(200)) if k % 4 == 0 else mutated(rng.choice(seeds), rng)
            if k % 8 == 0:
                data = b"SLDJAIL1" + data
            try:
                decode(data)
            except ProtocolError:
                refused += 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused > 7_000
    assert peak < 4 << 20
