"""Compiled kernels are cached in the user's folder where the installation is read-only, also by several processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import sldagent
from sldagent.resources import shipped

CODE = """
import numpy as np
from sldagent.fitting import kernels
b = np.empty(3)
kernels.vexp(np.zeros(3), np.empty(3), 3, b, b.view(np.int64))
print(kernels.__file__, kernels.vexp.stats.cache_path, sum(kernels.vexp.stats.cache_hits.values()))
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
