"""Run functions in processes of their own, all at once: a package that crashes or hangs takes no benchmark with it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sldagent.workers.environment import worker_environment

Q = TypeVar("Q")
A = TypeVar("A")
CHILD = "sldagent.bench.baselines.child"


def run_isolated(function: Callable[[Q], A], questions: Sequence[Q], seconds: float | None) -> list[A | str]:
    """What `function`, at the top level of a module, returns for every question; why not, in one sentence, where it fails.

    Args:
        seconds: processes that take longer are ended; None: no bound.
    """
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(k) for k in range(len(questions))]
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for folder, question in zip(folders, questions, strict=True):
                folder.mkdir()
                (folder / "job").write_bytes(pickle.dumps((function, question)))
                with (folder / "log").open("wb") as log:
                    processes.append(
                        subprocess.Popen(
                            [sys.executable, "-P", "-m", CHILD, str(folder)],
                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=worker_environment(),
                        )
                    )
            deadline = None if seconds is None else time.monotonic() + seconds
            return [_answer(p, folder, deadline) for p, folder in zip(processes, folders, strict=True)]
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _answer(process: subprocess.Popen[bytes], folder: Path, deadline: float | None) -> A | str:
    try:
        status = process.wait(None if deadline is None else max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "it was ended because it did not keep to its time"
    if status == 0:
        answer: A = pickle.loads((folder / "answer").read_bytes())
        return answer
    last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
    return f"it ended with status {status}" + (f": {last[0][:200]}" if last else "")
