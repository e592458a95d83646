"""What the jail costs, and how late it kills.

    python experiments/benchmarks/jail.py [CALLS]

Processor time is the kernel's account of the zygote and all its calls (host's own added where said), so that other work on
the machine disturbs it little; wall times are medians.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from sldagent.sandbox import Jail, Job, Limits, guest

X = np.geomspace(1.0, 1e4, 40)[:, None]
ROWS = {"X": X, "Y": 1.0 + 3.0 * X**-0.3, "group": np.zeros(40)}
NOTHING = "def fit_scaling_law(x, y):\n    return [1.0]\n"
TYPICAL = """
import numpy as np
from scipy.optimize import curve_fit

def scaling_law_func(data_points, params):
    return params[0] + params[1] * data_points[:, 0] ** -params[2]

def fit_scaling_law(data_points, loss_values):
    law = lambda x, e, a, b: e + a * x ** -b
    return curve_fit(law, data_points[:, 0], loss_values, p0=[1, 1, 0.5], maxfev=5000)[0]
"""
FRESH = (
    TYPICAL
    + """
x = np.geomspace(1.0, 1e4, 40)[:, None]
p = fit_scaling_law(x, 1.0 + 3.0 * x[:, 0] ** -0.3)
scaling_law_func(x, p)
"""
)
EMPTY_FORKS = """
import os, resource, sys
sys.path.insert(0, {folder!r})
import libraries, gc
libraries.load("numpy", [])
gc.collect(); gc.disable(); gc.freeze()
def used():
    return sum(getattr(resource.getrusage(who), t) for who in (0, -1) for t in ("ru_utime", "ru_stime"))
before = used()
for _ in range({calls}):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
print((used() - before) / {calls})
"""


def tree_seconds(process: int) -> float:
    """Processor seconds of a process, its children and all they have reaped."""
    total = 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    for one in [process, *map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]:
        words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(word) for word in words[11:15]) / ticks
    return total


def own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def per_call(jail: Jail, jobs: list[Job], calls: int) -> tuple[float, float, float]:
    """Milliseconds of one round of `jobs`: processor of the guest, of the host, wall."""
    for job in jobs:
        jail.call(job)
    process = jail._backend._zygote.pid  # type: ignore[attr-defined]
    guest_before, own_before = tree_seconds(process), own_seconds()
    wall = []
    for _ in range(calls):
        start = time.perf_counter()
        for job in jobs:
            failure = jail.call(job).failure
            assert failure is None, failure
        wall.append(time.perf_counter() - start)
    guest_used, own_used = tree_seconds(process) - guest_before, own_seconds() - own_before
    return 1e3 * guest_used / calls, 1e3 * own_used / calls, 1e3 * statistics.median(wall)


def subprocess_cpu(text: str, runs: int) -> float:
    """Milliseconds of processor time of a fresh interpreter that runs `text`."""
    plain = {name: value for name, value in guest.environment().items() if name not in ("PYTHONMALLOC", "GLIBC_TUNABLES")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(runs):
        subprocess.run([sys.executable, "-c", text], check=True, env=plain)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / runs


def main(calls: int) -> None:
    text = EMPTY_FORKS.format(folder=str(guest.folder()), calls=calls)
    line = [sys.executable, "-c", text]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env=guest.environment())
    print(f"empty fork of the loaded process        {1e3 * float(done.stdout):7.2f} ms processor")
    nothing = [Job(NOTHING, "fit", ROWS)]
    both = [Job(TYPICAL, "fit", ROWS), Job(TYPICAL, "predict", {"X": X, "group": ROWS["group"], "params/0": np.ones(3)})]
    base = 0.0
    for name, mode in (
        ("bare fork, no lockdown", "unsafe-local"),
        ("without namespaces", "no-namespaces"),
        ("all layers", "auto"),
    ):
        with Jail(mode=mode) as jail:  # type: ignore[arg-type]
            inside, host, wall = per_call(jail, nothing, calls)
            base = base or inside
            print(
                f"{name:24} nothing         {inside:7.2f} ms processor, {host:5.2f} host, {wall:6.1f} wall, "
                f"{inside - base:+.2f} over the bare fork"
            )
            inside, host, wall = per_call(jail, both, calls)
            print(f"{name:24} fit + predict   {inside:7.2f} ms processor, {host:5.2f} host, {wall:6.1f} wall")
    fresh = subprocess_cpu(FRESH, 5)
    print(
        f"fresh subprocess         fit + predict   {fresh:7.2f} ms processor: {fresh / (inside + host):.0f} times as much, "
        f"{2 * fresh / (inside + host):.0f} times with a subprocess each, as the jail has"
    )
    late = []
    with Jail() as jail:
        for _ in range(max(20, calls // 5)):
            answer = jail.call(Job("while True: pass", "fit", ROWS), Limits(wall_seconds=0.1))
            assert answer.failure is not None
            assert answer.failure.kind == "wall-time"
            late.append(1e3 * (answer.wall_seconds - 0.1))
    print(
        f"kill at the wall limit: late by {statistics.median(late):.1f} ms (median), {max(late):.1f} (worst of {len(late)})"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
