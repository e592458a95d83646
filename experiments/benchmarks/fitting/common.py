"""Interleaved timing in CPU seconds of one thread, and the table that every benchmark prints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from sldagent.fitting.rows import Rows

DATA = Path(os.environ.get("SLDAGENT_DATA", Path(__file__).parents[4] / "shared" / "data"))


@dataclass(frozen=True)
class Timed:
    """Median CPU seconds of a method and the worst objective that it reached in any repeat."""

    seconds: float
    objective: float


def interleaved(methods: Mapping[str, Callable[[int], float]], repeats: int) -> dict[str, Timed]:
    """Run the methods in turn, `repeats` times; each takes the repeat's number as its seed and returns its objective."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    reached: dict[str, list[float]] = {name: [] for name in methods}
    for repeat in range(repeats):
        for name, run in methods.items():
            start = time.process_time()
            reached[name].append(run(repeat))
            seconds[name].append(time.process_time() - start)
    return {name: Timed(median(seconds[name]), max(reached[name])) for name in methods}


def show(title: str, settings: str, results: Mapping[str, Timed], scale: Mapping[str, float] | None = None) -> bool:
    """Print one table of ratios to the first method; returns whether its objective is at least as good as all others'.

    `scale` multiplies the seconds of a method that ran only a share of its work.
    """
    times = {name: r.seconds * (scale or {}).get(name, 1.0) for name, r in results.items()}
    ours = next(iter(results))
    print(f"\n{title}\n  {settings}")
    print(f"  {'method':<46}{'CPU ms':>12}{'ratio':>10}   objective")
    for name, r in results.items():
        print(f"  {name:<46}{1e3 * times[name]:>12.2f}{times[name] / times[ours]:>10.0f}   {r.objective:.12g}")
    good = results[ours].objective <= min(r.objective for r in results.values()) * (1 + 1e-9)
    print(f"  objective of '{ours}' at least as good as every other: {'yes' if good else 'NO'}")
    return good


def rows_of(X: np.ndarray, y: np.ndarray, group: np.ndarray | None = None) -> Rows:
    """Unweighted rows of one target."""
    labels = np.zeros(len(X), np.int64) if group is None else group
    return Rows(X, y[None], labels, int(labels.max()) + 1, np.ones((1, len(X))))
