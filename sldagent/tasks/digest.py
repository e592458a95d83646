"""A task's identity: a hash over everything that a discovery can see of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from sldagent.tasks.task import Task


def task_digest(task: Task) -> str:
    """SHA-256, in hexadecimal, of a task's rows (of every split), roles and wanted inputs.

    Where the table was read from, its description and the notes on guesses do not count: two tasks of equal digest
    give the same search.
    """
    digest = hashlib.sha256(json.dumps(_roles(task), sort_keys=True, allow_nan=True).encode())
    for name in ("X", "Y", "group", "split", "run", "noise_scale", "at"):
        _add(digest, name, getattr(task, name))
    return digest.hexdigest()


def _roles(task: Task) -> dict[str, Any]:
    return {
        "variables": [[v.name, v.symbol, v.role, v.log, v.log_base] for v in task.variables],
        "targets": [[t.name, list(t.range), dict(t.monotone), list(t.limit or ())] for t in task.targets],
        "groups": list(task.groups),
        "vectors": {name: list(symbols) for name, symbols in task.vectors.items()},
        "noise": [task.noise.kind, task.noise.column],
        "max_parameters": task.max_parameters,
    }


def _add(digest: Any, name: str, array: np.ndarray[Any, Any] | None) -> None:
    """Hash one array: its name, shape and values, in a byte order that does not depend on the machine."""
    if array is None:
        digest.update(f"{name}:none;".encode())
        return
    digest.update(f"{name}:{array.shape};".encode())
    if array.dtype.kind in "US":
        digest.update("\0".join(array.tolist()).encode())
    else:
        digest.update(np.ascontiguousarray(array, dtype="<f8" if array.dtype.kind == "f" else "<i8").tobytes())
