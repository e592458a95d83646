"""One file for a fitted predictor: an ``.npz`` of raw arrays and one JSON header, read without unpickling anything.

The header names the format, its version, the predictor, the version of sldagent that wrote it, the parameters and the fitted
attributes.  Arrays inside these stand as ``{"array": KEY}`` and lie in the archive under that key: float64, int64 or bool.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sldagent import __version__
from sldagent.errors import PredictorError
from sldagent.export.files import write_whole

FORMAT = "sldagent predictor"
VERSION = 1
HEADER = "header"
MAX_BYTES = 512 * 2**20
"""Largest sum of a file's arrays that is read."""


@dataclass(frozen=True)
class Saved:
    """What a file holds."""

    predictor: str
    """Name in the registry."""
    params: Mapping[str, Any]
    fitted: Mapping[str, Any]
    """Fitted attributes by name: None, bool, int, float, str, arrays, and lists, tuples and dictionaries of these."""


def write(path: Path, saved: Saved) -> None:
    """Write `saved`; the file is replaced in one step.

    Raises:
        ExportError: the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "predictor": saved.predictor,
        "sldagent": __version__,
        "params": _encode(dict(saved.params), arrays),
        "fitted": _encode(dict(saved.fitted), arrays),
    }
    text = json.dumps(header, allow_nan=False, ensure_ascii=False).encode("utf-8")

    def fill(place: Path) -> None:
        with place.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **{HEADER: np.frombuffer(text, dtype=np.uint8)}, **arrays)

    write_whole(path, fill)


def read(path: Path) -> Saved:
    """What `write` wrote.

    Raises:
        PredictorError: the file cannot be read, is no predictor's, or of a newer version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise PredictorError(f"{path} holds more than {MAX_BYTES // 2**20} MiB, too much for a predictor")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        header = json.loads(arrays.pop(HEADER).tobytes().decode("utf-8"))
        if header["format"] != FORMAT:
            raise ValueError("another format")
        if header["version"] > VERSION:
            raise PredictorError(f"{path} was written by sldagent {header['sldagent']}, which is newer: update sldagent")
        params, fitted = _decode(header["params"], arrays), _decode(header["fitted"], arrays)
        return Saved(str(header["predictor"]), dict(params), dict(fitted))
    except OSError as error:
        raise PredictorError(f"{path} cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError):
        raise PredictorError(
            f"{path} is not a predictor's file: write one with 'sldagent predictor NAME fit ... -o'"
        ) from None


def _encode(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """`value` as JSON; arrays and numbers that JSON lacks (NaN, infinities) go to `arrays`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, float):
        return _stored(np.asarray(value), "number", arrays)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return _stored(value.astype({"f": np.float64, "b": np.bool_}.get(value.dtype.kind, np.int64)), "array", arrays)
    if isinstance(value, np.ndarray):
        return {"list": [_encode(v, arrays) for v in value.tolist()]}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(v, arrays) for v in value]}
    if isinstance(value, Mapping):
        return {"items": [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]}
    raise TypeError(f"a value of type {type(value).__name__} cannot be kept in a predictor's file")


def _stored(array: NDArray[Any], kind: str, arrays: dict[str, NDArray[Any]]) -> dict[str, str]:
    key = f"a{len(arrays)}"
    arrays[key] = array
    return {kind: key}


def _decode(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "array":
        return arrays[held]
    if kind == "number":
        return float(arrays[held])
    if kind in ("list", "tuple"):
        items = [_decode(v, arrays) for v in held]
        return items if kind == "list" else tuple(items)
    if kind == "items":
        return {_decode(k, arrays): _decode(v, arrays) for k, v in held}
    raise ValueError(kind)
