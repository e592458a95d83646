"""Fitted values as one block: a small JSON header that describes itself, and raw little-endian float64.

Header: ``{"format": 1, "parameters": [["a", [6]], ["t", [1, 3, 5]]], "x_boot": [200],
"special": {"mdl": "nan"}}``.  The data holds the parameters in that order, each row-major, then `x_boot`.
`special` keeps non-finite numbers that a NULL in their column would not give back (see `mapping`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import ArchiveError

FloatArray = NDArray[np.float64]
FORMAT = 1


@dataclass(frozen=True)
class Block:
    """What a block holds."""

    parameters: dict[str, FloatArray]
    x_boot: FloatArray
    special: dict[str, float]


def pack(parameters: Mapping[str, FloatArray], x_boot: FloatArray, special: Mapping[str, float]) -> tuple[str, bytes]:
    """(header, data) of a block."""
    arrays = [(name, np.asarray(value, dtype="<f8")) for name, value in parameters.items()]
    boot = np.asarray(x_boot, dtype="<f8")
    header: dict[str, object] = {
        "format": FORMAT,
        "parameters": [[name, list(array.shape)] for name, array in arrays],
        "x_boot": list(boot.shape),
    }
    if special:
        header["special"] = {name: repr(float(value)) for name, value in special.items()}
    data = b"".join([*(array.tobytes() for _, array in arrays), boot.tobytes()])
    return json.dumps(header, separators=(",", ":")), data


def unpack(header: str, data: bytes) -> Block:
    """The values in a block.  Raises ArchiveError when header and data disagree."""
    try:
        described = json.loads(header)
        if described["format"] != FORMAT:
            raise ArchiveError(f"fitted values are stored in format {described['format']}, this release reads {FORMAT}")
        shapes = [(str(name), tuple(int(n) for n in shape)) for name, shape in described["parameters"]]
        shapes.append(("", tuple(int(n) for n in described["x_boot"])))
        special = {str(name): float(value) for name, value in described.get("special", {}).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"the description of a candidate's fitted values is damaged ({error})") from error
    sizes = [math.prod(shape) for _, shape in shapes]
    if 8 * sum(sizes) != len(data):
        raise ArchiveError(f"fitted values are damaged: {len(data)} bytes stored where {8 * sum(sizes)} are described")
    numbers = np.frombuffer(data, dtype="<f8").astype(np.float64)
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    arrays = [part.reshape(shape) for part, (_, shape) in zip(parts, shapes, strict=True)]
    names = [name for name, _ in shapes[:-1]]
    return Block(dict(zip(names, arrays[:-1], strict=True)), arrays[-1], special)
