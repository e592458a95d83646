"""Every Evaluation comes back as it went in, whatever its numbers are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sldagent.archive.columns import from_json, to_json
from sldagent.archive.mapping import to_record, to_rows
from sldagent.archive.pack import pack, unpack
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.errors import ArchiveError
from sldagent.evaluation.result import REASONS, CutScore, Evaluation, Failure

# An integral -0.0 comes back from SQLite as 0.0, which is equal; the blocks keep its sign.
numbers = st.floats(width=64).map(lambda v: v + 0.0)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
arrays = npst.arrays("f8", npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), elements=st.floats())
counts = st.integers(0, 2**31 - 1)
cuts = st.builds(CutScore, texts, texts, texts, counts, numbers, numbers)
evaluations = st.builds(
    Evaluation,
    x=numbers,
    x_se=numbers,
    mdl=numbers,
    complexity=numbers,
    tree=counts,
    scalars=counts,
    valid=st.booleans(),
    invalid_reason=texts,
    train_r2=numbers,
    rank_deficient=counts,
    at_bounds=st.lists(texts, max_size=3).map(tuple),
    parameters=st.dictionaries(texts, arrays, max_size=4),
    cuts=st.lists(cuts, max_size=4).map(tuple),
    x_boot=npst.arrays("f8", st.integers(0, 6), elements=st.floats()),
    fingerprint=texts,
    evaluations=st.integers(0, 2**63 - 1),
    seconds=numbers,
    failure=st.none() | st.builds(Failure, st.sampled_from(REASONS), texts),
)


def candidate(evaluation: Evaluation, k: int = 0) -> CandidateRecord:
    return CandidateRecord(k, 0, "grow", (), "text", "E", "hash", evaluation)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with Archive.open(f"sqlite:///{tmp_path_factory.mktemp('roundtrip') / 'a.db'}") as archive:
        archive.start_run(run="r", task="t", seed=0, config={}, card={}, mode="blind", islands=[{}])
        yield archive


indices = itertools.count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(evaluation=evaluations)
def test_through_the_database(opened: Archive, equal: Callable[..., None], evaluation: Evaluation) -> None:
    made = candidate(evaluation, next(indices))
    opened.commit("r", [made])
    equal(made, opened.law(f"r-{made.k}")[1])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(evaluation=evaluations)
def test_through_rows(equal: Callable[..., None], evaluation: Evaluation) -> None:
    made = candidate(evaluation)
    rows = to_rows("r", [made], datetime(2026, 1, 1, tzinfo=UTC))
    failure = rows.failure[0] if rows.failure else {"reason": None, "detail": None}
    joined = {**rows.candidate[0], **rows.evaluation[0], **rows.group_fit[0], **failure}
    equal(made, to_record(joined, [], rows.cut_score))
    json.loads(rows.group_fit[0]["header"], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    stored = [rows.evaluation[0][name] for name in ("x", "x_se", "mdl", "complexity", "train_r2", "seconds")]
    assert all(value is None or np.isfinite(value) for value in stored)


@given(values=st.dictionaries(texts, arrays, max_size=4), boot=npst.arrays("f8", st.integers(0, 6)))
def test_a_block_is_raw_little_endian_numbers(values: dict[str, np.ndarray], boot: np.ndarray) -> None:
    header, data = pack(values, boot, {})
    assert data == b"".join(np.ascontiguousarray(a, dtype="<f8").tobytes() for a in (*values.values(), boot))
    block = unpack(header, data)
    assert {name: a.shape for name, a in block.parameters.items()} == {name: a.shape for name, a in values.items()}


def test_a_block_of_transposed_and_integer_arrays() -> None:
    wide = np.arange(6.0).reshape(2, 3).T
    block = unpack(*pack({"t": wide, "n": np.arange(3)}, np.zeros(0), {}))
    np.testing.assert_array_equal(block.parameters["t"], wide)
    np.testing.assert_array_equal(block.parameters["n"], [0.0, 1.0, 2.0])
    block.parameters["t"][0, 0] = 5.0  # what is read belongs to the reader


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda h, d: (h, d[:-1]), "31 bytes stored where 32"),
        (lambda h, d: (h, d + b"\0" * 8), "40 bytes stored where 32"),
        (lambda h, d: (h[:-4], d), "damaged"),
        (lambda h, d: ("{}", d), "damaged"),
        (lambda h, d: ("[]", d), "damaged"),
        (lambda h, d: (h.replace('"format": 1', '"format":2').replace('"format":1', '"format":2'), d), "format 2"),
    ],
)
def test_a_damaged_block_is_an_error(damage: Callable[[str, bytes], tuple[str, bytes]], message: str) -> None:
    header, data = pack({"a": np.ones(3)}, np.ones(1), {})
    with pytest.raises(ArchiveError, match=message):
        unpack(*damage(header, data))


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@given(value=values)
def test_json_with_infinities(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)
    assert from_json(json.loads(text)) == value


def test_json_takes_numpy_and_sets() -> None:
    assert to_json({"a": np.arange(2), "b": np.float32(0.5), "c": {"y", "x"}, 1: np.bool_(True)}) == {
        "a": [0, 1], "b": 0.5, "c": ["x", "y"], "1": True,
    }  # fmt: skip
    assert np.isnan(from_json(to_json([np.nan]))[0])
