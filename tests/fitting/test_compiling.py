"""Compiled kernels are cached in the user's folder where the installation is read-only, also by several processes at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    """A copy of what the kernels need, which nobody may write to."""
    package = folder / "site"
    shutil.copytree(Path(sldagent.__file__).parent, package / "sldagent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(shipped("sandbox"), package / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [package, *package.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return package


def start(package: Path, home: Path) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    environment |= {"PYTHONPATH": str(package), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [sys.executable, "-c", CODE]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd="/", stdout=pipe, stderr=pipe, text=True, **as_nobody)


def test_read_only_installation_and_three_processes_at_once(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if os.geteuid() == 0 and folder.is_relative_to(tmp_path.parents[2]):
            folder.chmod(0o755)
    package, home = installation(tmp_path), tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    first = start(package, home)
    if first.communicate(timeout=120)[0] == "":
        pytest.skip("another user cannot run this interpreter here")
    shutil.rmtree(home / ".cache", ignore_errors=True)
    together = [start(package, home) for _ in range(3)]
    for process in together:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        module, cache, _ = out.split()
        assert Path(module).is_relative_to(package)
        assert Path(cache).is_relative_to(home)
        assert err.count("compiling the fitting kernels") <= 1
    out, err = start(package, home).communicate(timeout=120)
    assert int(out.split()[2]) == 1, "loaded from the cache"
    assert "compiling" not in err
