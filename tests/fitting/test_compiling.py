"""Compiled kernels are cached in the user's folder where the installation is read-only, also by several processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import sldagent
from sldagent.fitting.compiling import INNER
from sldagent.resources import shipped

CODE = """
import numpy as np
from sldagent.fitting import kernels
constant = (np.zeros((5, 1, 1), np.int64), np.full((1, 1), 2.5), np.array([[1, -1]]))
blocks = (np.array([[0, 0, 3]]), np.array([0, 1]))
out = np.zeros((1, 3))
kernels.predict_blocks(constant, np.zeros((1, 3)), blocks, np.zeros((1, 1)), out)
assert (out == 2.5).all()
print(kernels.__file__, kernels.predict_blocks.stats.cache_path, sum(kernels.predict_blocks.stats.cache_hits.values()))
"""


def installation(folder: Path) -> Path:
    """A copy of what the kernels need, beside whose source no cache folder can be made, not even by root."""
    package = folder / "site"
    shutil.copytree(Path(sldagent.__file__).parent, package / "sldagent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(shipped("sandbox"), package / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "sldagent" / "fitting" / "__pycache__").touch()
    return package


def start(package: Path, home: Path) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    environment |= {"PYTHONPATH": str(package), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    command, pipe = [sys.executable, "-c", CODE], subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=home, stdout=pipe, stderr=pipe, text=True)


def test_read_only_installation_and_three_processes_at_once(tmp_path):
    package, home = installation(tmp_path), tmp_path / "home"
    home.mkdir()
    together = [start(package, home) for _ in range(3)]
    for process in together:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        module, cache, _ = out.split()
        assert Path(module).is_relative_to(package)
        assert Path(cache).is_relative_to(home)
        assert err.count("compiling the fitting kernels") <= 1
    out, err = start(package, home).communicate(timeout=300)
    assert int(out.split()[2]) == 1, "loaded from the cache"
    assert "compiling" not in err


def test_a_change_in_any_kernel_is_not_answered_from_the_cache(tmp_path):
    package, home = installation(tmp_path), tmp_path / "home"
    home.mkdir()
    out, err = start(package, home).communicate(timeout=300)
    assert out.split()[2] == "0", err
    other = package / "sldagent" / "fitting" / "linalg.py"
    other.write_text(other.read_text() + "# changed\n")
    out, err = start(package, home).communicate(timeout=300)
    assert out.split()[2] == "0", "another of the kernels' files has changed"


@njit(**INNER)
def total(x):
    s = 0.0
    for k in range(len(x)):
        s += x[k]
    return s


@njit(**INNER)
def mean(x):
    return total(x) / len(x)


@njit
def twice_the_mean(x):
    return 2.0 * mean(x)


def test_inner_kernels_are_linked_into_their_callers_and_have_no_machine_code():
    assert twice_the_mean(np.array([1.0, 2.0, 6.0])) == 6.0
    for inner in (total, mean):
        (found,) = inner.overloads.values()
        found.library.enable_object_caching()
        with pytest.raises(RuntimeError, match="no compiled object"):
            found.library.serialize_using_object_code()
