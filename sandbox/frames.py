"""Frames: how arrays and plain values cross the jail's wall, in both directions.

Stand-alone: standard library and numpy; the host loads this same file.  A frame is MAGIC, the header's length (4 bytes,
little-endian), a JSON header of at most 64 kB and raw little-endian float64.  The header is
``{"arrays": [[name, [length, ...]], ...], "values": {...}, "failure": null or [kind, message]}``.  Nothing is unpickled; a
frame that is too long, too short, not plain JSON or that declares another size than it has is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

MAGIC = b"SLDJAIL1"
MAX_HEADER = 65536
MAX_ARRAYS = 4096
MAX_AXES = 4
MAX_DEPTH = 16
_PREFIX = len(MAGIC) + 4
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")


class ProtocolError(Exception):
    """The bytes are not a frame (or the values cannot be put into one)."""


class Frame(NamedTuple):
    arrays: dict[str, NDArray[np.float64]]
    values: dict[str, Any]
    failure: tuple[str, str] | None


def encode(
    arrays: Mapping[str, Any], values: Mapping[str, Any] | None = None, failure: tuple[str, str] | None = None
) -> bytes:
    """The frame of float64 arrays, plain values and a failure.

    Raises:
        ProtocolError: a name, number of axes or value that a frame cannot hold, or a header beyond 64 kB.
    """
    shapes, parts = [], []
    for name, array in arrays.items():
        block = np.ascontiguousarray(array, dtype="<f8").reshape(np.shape(array))
        if block.ndim > MAX_AXES or _NAME.fullmatch(name) is None:
            raise ProtocolError(f"array {name!r} of {block.ndim} axes does not fit into a frame")
        shapes.append([name, list(block.shape)])
        parts.append(block.tobytes())
    if len(parts) > MAX_ARRAYS:
        raise ProtocolError(f"{len(parts)} arrays in one frame; at most {MAX_ARRAYS} fit")
    content = {"arrays": shapes, "values": dict(values or {}), "failure": failure}
    try:
        _plain(content["values"], MAX_DEPTH)
        header = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"the values are not plain JSON: {error}") from None
    if len(header) > MAX_HEADER:
        raise ProtocolError(f"a header of {len(header)} bytes; at most {MAX_HEADER} fit")
    return b"".join((MAGIC, len(header).to_bytes(4, "little"), header, *parts))


def decode(data: bytes | bytearray | memoryview) -> Frame:
    """What `encode` put into `data`; arrays are copies.

    Raises:
        ProtocolError: anything that `encode` would not have written.
    """
    view = memoryview(data)
    if len(view) < _PREFIX or view[: len(MAGIC)] != MAGIC:
        raise ProtocolError("the answer is not a frame")
    length = int.from_bytes(view[len(MAGIC) : _PREFIX], "little")
    if length > MAX_HEADER or _PREFIX + length > len(view):
        raise ProtocolError("the header is longer than the frame or than the cap")
    try:
        header = json.loads(str(view[_PREFIX : _PREFIX + length], "utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("the header is not JSON") from None
    if not isinstance(header, dict) or set(header) != {"arrays", "values", "failure"}:
        raise ProtocolError("the header has not the three entries of a frame")
    values = header["values"]
    if not isinstance(values, dict):
        raise ProtocolError("the values are not a dictionary")
    _plain(values, MAX_DEPTH)
    return Frame(_arrays(header["arrays"], view[_PREFIX + length :]), values, _failure(header["failure"]))


def _arrays(declared: object, body: memoryview) -> dict[str, NDArray[np.float64]]:
    if not isinstance(declared, list) or len(declared) > MAX_ARRAYS:
        raise ProtocolError("the arrays are not a list of bearable length")
    places: list[tuple[str, list[int], int]] = []
    total = 0
    for entry in declared:
        if not isinstance(entry, list) or len(entry) != 2:
            raise ProtocolError("an array's entry is not a name and a shape")
        name, shape = entry
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ProtocolError("an array's name is not a short word")
        if not isinstance(shape, list) or len(shape) > MAX_AXES:
            raise ProtocolError("an array's shape is not a list of up to four lengths")
        if not all(type(n) is int and 0 <= n <= len(body) + 65536 for n in shape):
            raise ProtocolError("an array is longer than the frame")
        size = math.prod(shape)
        places.append((name, shape, size))
        total += size
    if total * 8 != len(body):
        raise ProtocolError("the arrays are not as long as declared")
    if len({name for name, _, _ in places}) != len(places):
        raise ProtocolError("two arrays have one name")
    arrays: dict[str, NDArray[np.float64]] = {}
    start = 0
    for name, shape, size in places:
        block = np.frombuffer(body[start : start + 8 * size], dtype="<f8")
        try:
            arrays[name] = block.reshape(shape).astype(np.float64)
        except ValueError:  # a length 0 beside lengths whose product numpy does not take
            raise ProtocolError("an array's shape is not possible") from None
        start += 8 * size
    return arrays


def _failure(entry: object) -> tuple[str, str] | None:
    if entry is None:
        return None
    if not isinstance(entry, list) or len(entry) != 2 or not all(isinstance(part, str) for part in entry):
        raise ProtocolError("the failure is not a kind and a message")
    return str(entry[0]), str(entry[1])


def _plain(value: object, depth: int) -> None:
    """Refuse what other readers of the values would stumble over: depth, huge or non-finite numbers, bad text."""
    if depth < 0:
        raise ProtocolError("the values are nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ProtocolError("a key is not text")
            _plain(key, depth)
            _plain(item, depth - 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _plain(item, depth - 1)
    elif isinstance(value, str):
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ProtocolError("a text holds letters that are none")
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ProtocolError("a whole number is beyond 64 bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ProtocolError("a number is not finite")
    else:
        raise ProtocolError(f"a value of type {type(value).__name__} is not plain")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)
