"""The environment of a worker process: one numeric thread, no secrets."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Set to 1: parallelism is over candidates, and threads inside one would oversubscribe the cores."""

_SECRET = re.compile(
    r"(API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|_KEY$|TOKEN|SECRET|PASSW|PGPASS|CREDENTIAL|_AUTH$|_PAT$|DATABASE_URL|_DSN$)"
)
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def is_secret(name: str, value: str = "") -> bool:
    """True for a variable whose name, or whose value (a URL with a password in it), suggests a secret."""
    return _SECRET.search(name.upper()) is not None or _URL_WITH_PASSWORD.search(value) is not None


def worker_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """`base` (default: this process's own) without secrets, with the thread limits and the import path."""
    source = os.environ if base is None else base
    clean = {name: value for name, value in source.items() if not is_secret(name, value)}
    clean.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    clean["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return clean
