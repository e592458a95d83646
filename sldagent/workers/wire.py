"""Evaluations as bytes that can be checked: a JSON header that says what follows, then raw little-endian float64.

Nothing is unpickled on the way back from a machine elsewhere: what does not have exactly this shape is refused.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent.evaluation.result import REASONS, CutScore, Evaluation, Failure

LIMIT = 64 << 20
"""Bytes of one evaluation."""

_LENGTH = struct.Struct("<I")
_NUMBERS = ("x", "x_se", "mdl", "complexity", "train_r2", "seconds")
_KINDS: dict[str, type] = {
    "tree": int, "scalars": int, "valid": bool, "invalid_reason": str, "rank_deficient": int, "fingerprint": str,
    "evaluations": int, "fitted_by": str, "feedback": str,
}  # fmt: skip
_LISTS = {"at_bounds": (str,), "cuts": (str, str, str, int), "parameters": (str, list), "failure": (str, str)}


class WireError(ValueError):
    """Bytes that are no evaluation."""


def encode_evaluation(e: Evaluation) -> bytes:
    """An evaluation as bytes; `decode_evaluation` gives back an equal one, bit for bit."""
    header = {
        **{name: getattr(e, name) for name in _KINDS},
        "at_bounds": list(e.at_bounds),
        "cuts": [[c.cut, c.variable, c.target, c.rows] for c in e.cuts],
        "parameters": [[name, list(np.shape(value))] for name, value in e.parameters.items()],
        "x_boot": len(e.x_boot),
        "failure": None if e.failure is None else [e.failure.reason, e.failure.detail],
    }
    blocks = [
        [getattr(e, name) for name in _NUMBERS],
        [value for c in e.cuts for value in (c.log_mse, c.kept_log_mse)],
        *e.parameters.values(),
        e.x_boot,
    ]
    text = json.dumps(header).encode()
    data = np.concatenate([np.asarray(block, dtype="<f8").ravel() for block in blocks])
    return _LENGTH.pack(len(text)) + text + data.tobytes()


def decode_evaluation(message: bytes) -> Evaluation:
    """The evaluation.  Raises WireError for anything but what `encode_evaluation` writes."""
    if not isinstance(message, bytes) or not _LENGTH.size <= len(message) <= LIMIT:
        raise WireError("not a message of a size that an evaluation can have")
    (length,) = _LENGTH.unpack_from(message)
    body = message[_LENGTH.size :]
    if length > len(body) or (len(body) - length) % 8:
        raise WireError("the header's length does not fit the message")
    try:
        header = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise WireError("the header is not JSON") from error
    fields = _checked(header)
    return _evaluation(fields, np.frombuffer(body[length:], "<f8"))


def _checked(header: Any) -> dict[str, Any]:
    """The header, each entry of its own kind.  Raises WireError."""
    if not isinstance(header, dict) or set(header) != {*_KINDS, *_LISTS, "x_boot"}:
        raise WireError("the header has other keys than an evaluation")
    for name, kind in _KINDS.items():
        if type(header[name]) is not kind:
            raise WireError(f"'{name}' is not {kind.__name__}")
    if type(header["x_boot"]) is not int or header["x_boot"] < 0:
        raise WireError("'x_boot' is not a length")
    if not all(isinstance(name, str) for name in _list(header["at_bounds"])):
        raise WireError("'at_bounds' does not hold names")
    for name in ("cuts", "parameters"):
        for entry in _list(header[name]):
            _typed(entry, _LISTS[name], name)
    for _, shape in header["parameters"]:
        if not all(type(n) is int and 0 <= n <= LIMIT for n in shape):
            raise WireError("a parameter's shape is not one")
    failure = header["failure"]
    if failure is not None:
        _typed(failure, _LISTS["failure"], "failure")
        if failure[0] not in REASONS:
            raise WireError("the failure has an unknown reason")
    return header


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WireError("a list is missing")
    return value


def _typed(entry: Any, kinds: tuple[type, ...], name: str) -> None:
    if not isinstance(entry, list) or [type(value) for value in entry] != list(kinds):
        raise WireError(f"an entry of '{name}' is malformed")


def _evaluation(fields: dict[str, Any], data: NDArray[np.float64]) -> Evaluation:
    """Header and numbers put together.  Raises WireError where their lengths differ."""
    cuts, shapes = fields["cuts"], [shape for _, shape in fields["parameters"]]
    sizes = [len(_NUMBERS), 2 * len(cuts), *(math.prod(shape) for shape in shapes), fields["x_boot"]]
    if sum(sizes) != len(data):
        raise WireError("there are more or fewer numbers than the header says")
    numbers, errors, *values, x_boot = (block.copy() for block in np.split(data, np.cumsum(sizes)[:-1]))
    pairs = errors.reshape(-1, 2).tolist()
    names = [name for name, _ in fields["parameters"]]
    if len(set(names)) != len(names):
        raise WireError("a parameter comes twice")
    return Evaluation(
        **dict(zip(_NUMBERS, numbers.tolist(), strict=True)),
        **{name: fields[name] for name in _KINDS},
        at_bounds=tuple(fields["at_bounds"]),
        parameters={n: v.reshape(shape) for n, v, shape in zip(names, values, shapes, strict=True)},
        cuts=tuple(CutScore(*cut, *pair) for cut, pair in zip(cuts, pairs, strict=True)),
        x_boot=x_boot,
        failure=None if fields["failure"] is None else Failure(*fields["failure"]),
    )
