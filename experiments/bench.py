"""How fast the pieces are on this machine: ``make bench``.  Prints one line per figure; nothing is asserted."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from statistics import median

from sldagent import api, session
from sldagent.evaluation.evaluate import Evaluator
from sldagent.fitting.public import fit_program
from sldagent.fitting.warm import warm
from sldagent.laws.catalogue import bind, catalogue
from sldagent.laws.program import Program
from sldagent.tasks.load import load_task

REPEATS = 5
CANDIDATES = 120


def seconds_of_help() -> float:
    """Wall seconds of ``sldagent --help``, the fastest of a few."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sldagent", "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def cpu_of(work: object, *args: object) -> float:
    """Median CPU seconds of a call."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work(*args)  # type: ignore[operator]
        times.append(time.process_time() - start)
    return median(times)


def main() -> None:
    print(f"sldagent --help                     {seconds_of_help():8.2f} s wall")
    print(f"kernels, compiled or from the cache {warm():8.2f} s wall")
    grounds = session.prepare(load_task("tiny_lm"))
    evaluator = Evaluator(grounds.train, grounds.cuts)
    programs: list[tuple[str, Program]] = [(e.name, p) for e in catalogue() for p in bind(e, grounds.train)[:1]]
    for name, program in programs:
        fit = 1e3 * cpu_of(fit_program, program, grounds.train)
        judge = 1e3 * cpu_of(evaluator.evaluate, program)
        print(f"{name:<24} fit {fit:8.1f} ms   fit and {len(grounds.cuts)} cuts {judge:8.1f} ms CPU")
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            found = api.discover(
                grounds.task, candidates=CANDIDATES, workers=workers, archive=f"sqlite:///{folder}/bench.db"
            )
        print(f"discover tiny_lm, {workers} worker(s)        {found.candidates / found.seconds:8.1f} candidates per second")


if __name__ == "__main__":
    main()
