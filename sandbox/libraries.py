"""Which libraries the guest loads before anything untrusted runs, and where their files lie.

Stand-alone: standard library only.  After lockdown no library with machine code can be loaded (the numpy profile has no
executable memory), so everything that a program may import is imported here, once, in the process that all calls are forked
from.
"""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
import warnings
from dataclasses import dataclass

STANDARD = (
    "abc",
    "array",
    "bisect",
    "cmath",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "inspect",
    "io",
    "itertools",
    "json",
    "logging",
    "math",
    "numbers",
    "operator",
    "pprint",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "time",
    "traceback",
    "types",
    "typing",
    "warnings",
    "zlib",
    "encodings.idna",
    "encodings.ascii",
    "encodings.latin_1",
    "linecache",
    "unicodedata",
    "concurrent.futures",
    "threading",
)
NUMPY = (
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "numpy.polynomial",
    "numpy.ma",
    "numpy.fft",
    "numpy.lib.stride_tricks",
    "numpy.typing",
    "numpy.exceptions",
)
SCIPY = (
    "scipy",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "scipy.linalg",
    "scipy.interpolate",
    "scipy.integrate",
    "scipy.sparse",
    "scipy.sparse.linalg",
    "scipy.sparse.csgraph",
    "scipy.spatial",
    "scipy.spatial.distance",
    "scipy.spatial.transform",
    "scipy.signal",
    "scipy.ndimage",
    "scipy.cluster",
    "scipy.cluster.hierarchy",
    "scipy.cluster.vq",
    "scipy.constants",
    "scipy.differentiate",
    "scipy.fft",
    "scipy.io",
    "scipy.odr",
    "scipy.misc",
    "scipy.datasets",
    "scipy.stats.qmc",
    "scipy.stats.mstats",
    "scipy.stats.contingency",
    "scipy.stats.sampling",
    "scipy.optimize.elementwise",
    "scipy.linalg.blas",
    "scipy.linalg.lapack",
    "scipy.linalg.interpolative",
    "scipy.fftpack",
    "scipy.special.cython_special",
    "scipy.optimize._highspy._core",
    "scipy.signal.windows",
)
"""Public packages; names that this scipy lacks are passed over."""

JAX = (
    "jax",
    "jax.numpy",
    "jax.scipy",
    "jax.scipy.optimize",
    "jax.scipy.special",
    "jax.nn",
    "jax.random",
    "jax.lax",
    "jax.flatten_util",
    "jax.tree_util",
)

_NOT_STANDARD = ("site-packages", "dist-packages", "test", "idlelib", "turtledemo")


def load(profile: str, extra: list[str]) -> dict[str, str]:
    """Import everything of a profile and the further modules asked for; gives those of `extra` that failed, with why.

    Raises:
        ImportError: numpy, scipy.optimize or (profile "jax") jax cannot be imported.
    """
    needed = {"numpy", "scipy.optimize"} | ({"jax"} if profile == "jax" else set())
    failed: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in STANDARD + NUMPY + SCIPY + (JAX if profile == "jax" else ()) + tuple(extra):
            try:
                importlib.import_module(name)
            except Exception as error:
                if name in needed:
                    raise ImportError(f"{name} cannot be imported: {error}") from error
                if name in extra:
                    failed[name] = f"{type(error).__name__}: {error}"
        for name in sorted({name for name in extra if "." not in name} - set(failed)):
            _load_public_parts(name)  # asked for as a whole, so that any part may be wanted
    return failed


def _load_public_parts(package: str) -> None:
    """Import the public sub-packages of a package (one level), so that they are there after lockdown."""
    module = sys.modules.get(package)
    for name in getattr(module, "__all__", ()):
        if isinstance(name, str) and not name.startswith("_"):
            try:
                importlib.import_module(f"{package}.{name}")
            except Exception:  # a function or an optional part
                continue


@dataclass(frozen=True)
class Places:
    """Where the loaded libraries lie, as the import system spells their paths.

    Attributes:
        standard: folders of the standard library.
        masked: folders within these that hold installed packages or tests; they are not part of the jail.
        packages: folders and files of the packages that are loaded, with their bundled shared libraries.
        devices: harmless device files.
    """

    standard: tuple[str, ...]
    masked: tuple[str, ...]
    packages: tuple[str, ...]
    devices: tuple[str, ...]

    def readable(self) -> list[str]:
        """Paths to allow one by one where no folder within an allowed one can be refused."""
        entries = []
        for folder in self.standard:
            children = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
            entries += [path for path in children if path not in self.masked and path not in self.standard]
        return [*entries, *self.packages, *self.devices]


def places(guest: str, devices: tuple[str, ...]) -> Places:
    """Where the modules loaded so far lie; `guest`, the folder of this file, is left out."""
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    standard = sorted(path for path in paths if path and os.path.isdir(path))
    masked = [os.path.join(f, n) for f in standard for n in _NOT_STANDARD]
    packages: set[str] = set()
    for name, module in list(sys.modules.items()):
        if "." in name or name == "__main__":
            continue
        file = getattr(module, "__file__", None)
        found = [os.path.abspath(p) for p in getattr(module, "__path__", ())] or ([os.path.abspath(file)] if file else [])
        for path in found:
            inside = any(path.startswith(f + os.sep) for f in standard) and not any(
                path.startswith(m + os.sep) for m in masked
            )
            if not inside and os.path.dirname(path) != guest and os.path.exists(path):
                packages.add(path)
                packages.update(p for p in (path + ".libs", path + "_libs") if os.path.isdir(p))
    outer = [p for p in sorted(packages) if not any(p.startswith(q + os.sep) for q in packages)]
    return Places(tuple(standard), tuple(p for p in masked if os.path.isdir(p)), tuple(outer), devices)
