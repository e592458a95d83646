"""Commands run in this process, and one small discovery that the tests of the verbs share."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sldagent.cli.main import main


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def sldagent(*words: object) -> Ended:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
    return Ended(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Found:
    """A finished discovery: its table, archive and JSON."""

    table: Path
    archive: str
    document: dict[str, Any]
    err: str

    @property
    def run(self) -> str:
        return str(self.document["run"])

    def call(self, *words: object) -> Ended:
        return sldagent(*words, "--archive", self.archive)


def write_table(path: Path, *, groups: int = 1, rows_of_test: bool = True) -> Path:
    """loss = 1.7 + 400 N^-0.35 + 900 D^-0.4 (another floor in every group) with a little noise."""
    rng = np.random.default_rng(3)
    lines = ["split,family,N,D,loss"]
    for g in range(groups):
        for N in 1e5 * 3.0 ** np.arange(6):
            for D in 1e6 * 4.0 ** np.arange(5):
                loss = 1.7 + 0.2 * g + 400 * N**-0.35 + 900 * D**-0.4 + rng.normal(0, 0.002)
                split = "test" if rows_of_test and N > 2e7 else "train"
                lines.append(f"{split},g{g},{N:.0f},{D:.0f},{loss:.5f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def discover_once(folder: Path) -> Found:
    """Discover from a small table in `folder`."""
    table = write_table(folder / "runs.csv", groups=2)
    archive = f"sqlite:///{folder / 'archive.db'}"
    options = ["--target", "loss", "--variables", "N,D", "--group", "family", "--split-column", "split"]
    bounds = ["--candidates", "40", "--workers", "1", "--seed", "5"]
    ended = sldagent("discover", table, *options, *bounds, "--archive", archive, "--json")
    assert ended.code == 0, ended.err
    return Found(table, archive, ended.json, ended.err)
