"""How the kernels are compiled: cached where a folder can be written, announced once, and quickly where speed is not needed.

Compiling is what a first user waits for.  numba links every callee's code into its caller and optimises it again there, so
the outer functions cost most although their own code is cold: those named in `COLD` are compiled at level 1 without
vectorising; what they call keeps the code that it was given at level 3.
"""

from __future__ import annotations

import sys
from typing import Any

from numba import njit
from numba.core import config as numba_config
from numba.core.event import Event, Listener, register

COLD = frozenset(
    {
        "minimise_all",
        "minimise",
        "minimise_blocks",
        "_minimise_block",
        "predict_blocks",
        "bounded_step",
        "cholesky",
        "cholesky_solve",
        "_affine",
        "_curvature",
        "_evaluate",
        "_line",
        "_linearise",
        "_move",
        "_penalty",
        "_project",
        "_projected",
        "_ridge",
        "_row_weights",
        "_solve",
        "_step",
        "_try",
        "impl",
    }
)
"""Functions outside the loops over rows; ``impl`` are numba's own."""


config: Any = numba_config
"""numba fills this module when it is imported, so that its names are not known to type checkers."""
listen: Any = register


def _nothing() -> None:
    return None


def cache_works() -> bool:
    """Whether numba finds a folder for compiled code: beside the source, or else the user's cache folder."""
    try:
        njit(cache=True)(_nothing)
    except RuntimeError:  # "no locator available"
        return False
    return True


class _Compilation(Listener):
    """Sets the level of the function being compiled and announces the first; loading from the cache is no event."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.announced = False
        self.levels = (config.OPT, config.LOOP_VECTORIZE)

    def on_start(self, event: Event) -> None:
        function = event.data["dispatcher"].py_func
        if not self.announced and function.__module__.startswith("sldagent.fitting"):
            self.announced = True
            print("sldagent: compiling the fitting kernels, once (10 to 20 s)", file=sys.stderr, flush=True)
        self.names.append(function.__name__)
        self._set()

    def on_end(self, event: Event) -> None:
        self.names.pop()
        self._set()

    def _set(self) -> None:
        cold = bool(self.names) and self.names[-1] in COLD
        level, vectorise = self.levels
        config.OPT = type(level)(1) if cold and level > 1 else level
        config.LOOP_VECTORIZE = 0 if cold else vectorise


listen("numba:compile", _Compilation())

JIT: dict[str, Any] = {"cache": cache_works(), "error_model": "numpy", "nogil": True}
"""Options of every kernel: cached on disk, IEEE division, callable without the interpreter lock."""
INNER: dict[str, Any] = {**JIT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Of kernels that only other kernels call: nothing is compiled for calls from Python, which would be a crash."""
REASSOCIATE: dict[str, Any] = {**INNER, "fastmath": {"reassoc", "contract"}}
"""Also lets sums be reordered, so that they vectorise; NaN and infinity keep their meaning."""
