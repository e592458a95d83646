"""How the kernels are compiled: cached where a folder can be written, announced once, and every function only once.

Compiling is what a first user waits for.  numba optimises every function and emits its machine code, then links the code of
all callees into the caller, optimises all of it again and emits it again, level by level.  Kernels that only other kernels
call (`INNER`) are therefore compiled by `LinkedCompiler`, which stops at their intermediate code; the entries from
Python optimise and emit what they link.  Only those are cached, with everything in them.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import config as numba_config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.event import Event, Listener, register
from numba.core.typed_passes import NativeLowering

from sldagent.resources import shipped

KERNELS = ("compiling", "kernels", "linalg", "equations", "solver", "robust")
"""Modules beside this one that hold kernels."""
config: Any = numba_config
"""numba fills this module when it is imported, so that its names are not known to type checkers."""
listen: Any = register
passes: Any = register_pass
make_function: Any = importlib.import_module("numba._dynfunc").make_function


def _nothing() -> None:
    return None


def cache_works() -> bool:
    """Whether numba finds a folder for compiled code: beside the source, or else the user's cache folder."""
    try:
        njit(cache=True)(_nothing)
    except RuntimeError:  # "no locator available"
        return False
    return True


class _LinkedLibrary(JITCodeLibrary):
    """Code of a kernel for its callers to link: never optimised as a whole, without machine code of its own."""

    def finalize(self: Any) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True


@passes(mutates_CFG=False, analysis_only=False)
class _Insert(LoweringPass):
    """Makes a lowered function known to its callers, as numba's lowering does after it has emitted machine code."""

    _name = "insert_linked_function"

    def __init__(self) -> None:
        LoweringPass.__init__(self)  # type: ignore[no-untyped-call]

    def run_pass(self, state: Any) -> bool:
        described, library = state.cr.fndesc, state.library
        # stands for the function wherever numba asks for its address: it has none, and Python must not call it
        entry = make_function(
            described.lookup_module(), described.qualname, "linked into its callers", 0, state.cr.env, (library,)
        )
        state.targetctx.insert_user_function(entry, described, [library])
        state.cr = state.cr._replace(cfunc=entry)
        return True


class LinkedCompiler(CompilerBase):
    """numba's pipeline up to the intermediate code of LLVM."""

    def define_pipelines(self) -> list[Any]:
        self.state.flags.no_compile = True
        builder: Any = DefaultPassBuilder
        pipeline = builder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(_Insert, NativeLowering)
        pipeline.finalize()
        return [pipeline]

    def _compile_core(self) -> Any:
        library: Any = _LinkedLibrary
        self.state.library = library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super()._compile_core()  # type: ignore[no-untyped-call]


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
            print("sldagent: compiling the fitting kernels, once (about 10 s)", file=sys.stderr, flush=True)
        self.names.append(function.__name__)
        self._set()

    def on_end(self, event: Event) -> None:
        self.names.pop()
        self._set()

    def _set(self) -> None:
        """numba's own functions (`impl`) are not in loops over rows."""
        cold = bool(self.names) and self.names[-1] == "impl"
        level, vectorise = self.levels
        config.OPT = type(level)(1) if cold and level > 1 else level
        config.LOOP_VECTORIZE = 0 if cold else vectorise


listen("numba:compile", _Compilation())

SHARED: dict[str, Any] = {"error_model": "numpy", "nogil": True}
"""Options of every kernel: IEEE division, callable without the interpreter lock."""


def entry(function: Callable[..., Any]) -> Any:
    """`function` compiled for calls from Python, cached on disk until any of the kernels' files changes.

    numba looks at the function's own file only, but what is cached holds the code of all kernels.
    """
    options = {**SHARED, "cache": CACHED, "no_cfunc_wrapper": True}
    dispatcher: Any = njit(**options)(function)
    if CACHED and hasattr(dispatcher, "_cache"):  # not where numba is switched off
        dispatcher._cache._cache_file._source_stamp = SOURCES
    return dispatcher


CACHED = cache_works()
SOURCES = hashlib.sha256(
    b"".join(p.read_bytes() for p in [shipped("sandbox/tape.py"), *(Path(__file__).parent / f"{n}.py" for n in KERNELS)])
).hexdigest()
"""Digest of the files whose code is in the cached kernels."""

INNER: dict[str, Any] = {
    **SHARED,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": LinkedCompiler,
}
"""Of kernels that only other kernels call: a call from Python would be a crash."""
REASSOCIATE: dict[str, Any] = {**INNER, "fastmath": {"reassoc", "contract"}}
"""Also lets sums be reordered, so that they vectorise; NaN and infinity keep their meaning."""
