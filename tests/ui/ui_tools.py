"""A run made by hand, with texts that would like to be more than text, and the page in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.evaluation.result import CutScore, Evaluation, Failure

PATIENCE = 90.0
"""Seconds that a busy machine is given."""
HOSTILE = "<script>alert(1)</script>\"'&"
SOURCE = """def law(N, E, A, a):
    return E + A * N**-a

parameters = {"E": positive(), "A": positive(), "a": interval(0, 2)}
recipe = fit(loss="squared")
"""


def begin(archive: Archive, run: str = "live-000001") -> str:
    """A run that this process works on."""
    card = {
        "name": "toy", "groups": ["all"], "targets": [{"name": HOSTILE, "range": [None, None], "monotone": {}}],
        "variables": [], "vectors": {},
    }  # fmt: skip
    archive.start_run(
        run=run, task=HOSTILE, seed=1, config={"candidates": 50, "note": HOSTILE}, card=card, mode="blind",
        islands=[{"temperature": 0.5, "bias": HOSTILE}],
    )  # fmt: skip
    return run


def candidate(k: int, x: float, complexity: float, **changed: Any) -> CandidateRecord:
    """A law of the run that `begin` starts."""
    evaluation = Evaluation(
        x=x, x_se=0.1, mdl=1.0, complexity=complexity, tree=7, scalars=3, valid=True, train_r2=0.9,
        parameters={name: np.ones(1) for name in "EAa"}, cuts=(CutScore("N top", "N", HOSTILE, 3, x, x - 1),),
        x_boot=np.zeros(3), fingerprint=f"f{k}", evaluations=10, seconds=0.1,
    )  # fmt: skip
    given = {"operator": "grow", "note": "", "source": SOURCE, "formula": "E + A*N**-a", "parents": (), **changed}
    return CandidateRecord(k=k, island=0, structure=f"s{k}", evaluation=evaluation, **given)


def broken(k: int) -> CandidateRecord:
    """A candidate that failed, with hostile texts everywhere."""
    evaluation = Evaluation(failure=Failure("parse", HOSTILE), feedback=HOSTILE)
    return CandidateRecord(
        k=k, island=0, operator=HOSTILE, parents=(0,), source=HOSTILE, formula=HOSTILE, structure=f"s{k}",
        evaluation=evaluation, note=HOSTILE,
    )  # fmt: skip


@dataclass(frozen=True)
class Served:
    """`sldagent ui` in a process of its own."""

    process: subprocess.Popen[str]
    line: str
    """What it said when it started."""

    @property
    def address(self) -> str:
        """Without a slash at the end."""
        return next(word for word in self.line.split() if word.startswith("http://")).partition("?")[0].rstrip("/")

    def end(self) -> tuple[int, str]:
        """Interrupt it; exit code and standard error."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err


def serve(*words: object) -> Served:
    """Start it, and wait until it says where it is."""
    command = [sys.executable, "-m", "sldagent", "ui", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, err = process.communicate(timeout=PATIENCE)
        raise AssertionError(f"sldagent ui did not start: {err}")
    return Served(process, line)
