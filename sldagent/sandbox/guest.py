"""Where the guest's files and its libraries are, and the fixed environment it is started in."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from sldagent.resources import shipped
from sldagent.sandbox.types import Profile

ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "HOME": "/",
    "PYTHONHASHSEED": "0",
    # Objects in the C library's heap, and that in huge pages where the kernel has them: half the price of a fork, which
    # copies the table of pages and, later, each page that the call touches.
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "JAX_PLATFORMS": "cpu",
    # Arrow, which scikit-learn loads where it is installed, starts a thread of its allocator: a process of several threads
    # cannot enter namespaces.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Every variable that the guest has, but for the linker's search path where the host has one."""


def folder() -> Path:
    """The guest's folder."""
    return shipped("sandbox")


def load(name: str) -> ModuleType:
    """A stand-alone module of the guest that the host uses too."""
    full = f"sldagent_guest_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, folder() / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


def environment() -> dict[str, str]:
    """The guest's whole environment: no key, no home, no user of the host's."""
    linker = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {**ENVIRONMENT, **linker}


def command(control: int) -> list[str]:
    """How to start the zygote: no site folder, no start-up files, no user settings, no byte code written."""
    return [sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8", str(folder() / "zygote.py"), str(control)]


def import_path(profile: Profile, modules: Collection[str]) -> list[str]:
    """Folders that the guest imports from: the standard library's, and those that hold the packages it may use."""
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    standard = [p for p in sys.path if p and (p.endswith(".zip") or os.path.basename(p) == "lib-dynload")]
    packages = ["numpy", "scipy", *(["jax", "jaxlib"] if profile == "jax" else []), *modules]
    found = [place for name in packages for place in _homes(name.partition(".")[0])]
    return list(dict.fromkeys([*paths, *standard, *found]))


def _homes(package: str) -> list[str]:
    """Folders that a top-level package lies in; none where it is not installed or part of the standard library."""
    if package in sys.stdlib_module_names:
        return []
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [os.path.dirname(place) for place in spec.submodule_search_locations]
    return [os.path.dirname(spec.origin)] if spec.origin and os.path.isabs(spec.origin) else []
