"""Coverage of 90 % prediction intervals: on simulated rows inside the training range, and on test rows beyond it.

    python -m experiments.uncertainty.coverage simulated
    python -m experiments.uncertainty.coverage tasks

The first draws 500 data sets from known laws and noises, fits the true form and asks for intervals at 100 new rows of the
same range each.  The second makes a short run on each table (blind cuts, 300 candidates, one worker) and reads the test rows
for the intervals of the run's choice.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import sldagent
from sldagent.api import as_task
from sldagent.tasks.load import task_from_frame
from sldagent.tasks.task import Noise, Task

FloatArray = NDArray[np.float64]
DATA = Path(os.environ.get("SLDAGENT_DATA", Path(__file__).parents[3] / "shared" / "data"))
LEVEL = 0.9
SETS = 500
NEW_ROWS = 100
CANDIDATES = 300
TASKS = ("moe", "vocab", "sft", "parallel", "tiny_lm")


@dataclass(frozen=True)
class Case:
    """A true law with its own noise, and how many rows are seen."""

    name: str
    formula: str
    variables: tuple[str, ...]
    truth: Callable[[FloatArray], FloatArray]
    """Of rows (n, variables)."""
    noise: str
    """normal, laplace, outliers (one row in twenty has ten times the noise) or proportional."""
    rows: int
    groups: int = 1
    loss: str = "mse"


def _chinchilla(X: FloatArray) -> FloatArray:
    return np.asarray(1.8 + 400 * X[:, 0] ** -0.34 + 900 * X[:, 1] ** -0.33)


def _power(X: FloatArray) -> FloatArray:
    return np.asarray(1.5 + 30 * X[:, 0] ** -0.25)


def _rectified(X: FloatArray) -> FloatArray:
    return np.asarray(1.0 + 900.0 / (X[:, 0] ** 0.5 + 200.0))


def _quadratic(X: FloatArray) -> FloatArray:
    return np.asarray(2.0 + 0.03 * (np.log(X[:, 0]) - 17.0) ** 2 + 5 * X[:, 1] ** -0.1)


CASES = (
    Case("Chinchilla's form", "E + A*N**-a + B*D**-b", ("N", "D"), _chinchilla, "normal", 60),
    Case("Chinchilla's form", "E + A*N**-a + B*D**-b", ("N", "D"), _chinchilla, "laplace", 60),
    Case("Chinchilla's form", "E + A*N**-a + B*D**-b", ("N", "D"), _chinchilla, "outliers", 120, 1, "huber:0.001"),
    Case("Chinchilla's form", "E + A*N**-a + B*D**-b", ("N", "D"), _chinchilla, "proportional", 40, 1, "log"),
    Case("power law", "E + A*N**-a", ("N",), _power, "normal", 12),
    Case("power law", "E + A*N**-a", ("N",), _power, "proportional", 25),
    Case("power law, 5 groups", "E + A*N**-a", ("N",), _power, "normal", 60, 5),
    Case("rectified law", "E + A/(N**a + B)", ("N",), _rectified, "normal", 40),
    Case("optimum of a setting", "E + c*(log(N) - m)**2 + B*D**-b", ("N", "D"), _quadratic, "laplace", 50),
    Case("optimum of a setting", "E + c*(log(N) - m)**2 + B*D**-b", ("N", "D"), _quadratic, "normal", 50),
)
SIZE = 0.02
"""Standard deviation of the noise (relative where it is proportional)."""


def draw(case: Case, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """New rows of a case, over three decades of every variable."""
    X = np.exp(rng.uniform(np.log(1e6), np.log(1e9), (rows, len(case.variables))))
    f = case.truth(X)
    e = rng.laplace(0, SIZE / np.sqrt(2), rows) if case.noise == "laplace" else rng.normal(0, SIZE, rows)
    if case.noise == "outliers":
        e = np.where(rng.random(rows) < 0.05, 10.0, 1.0) * e
    y = f * np.exp(e) if case.noise == "proportional" else f + e
    frame = pd.DataFrame(X, columns=list(case.variables)).assign(loss=y)
    if case.groups > 1:
        label = np.arange(rows) % case.groups
        frame = frame.assign(family=[f"g{g}" for g in label], loss=y + 0.2 * label)
    return frame


def task_of(case: Case, frame: pd.DataFrame) -> Task:
    """The rows as a task that declares the noise it has."""
    group = "family" if case.groups > 1 else None
    task = task_from_frame(frame, targets="loss", variables=list(case.variables), group=group)
    return replace(task, noise=Noise("proportional")) if case.noise == "proportional" else task


def coverage(case: Case, seed: int) -> float:
    """Share of new rows inside their intervals, for one data set."""
    rng = np.random.default_rng([seed, 11])
    seen, new = draw(case, case.rows, rng), draw(case, NEW_ROWS, rng)
    fitted = sldagent.fit(task_of(case, seen), case.formula, loss=case.loss, seed=seed)
    made = replace(fitted, cuts=()).predict(new, interval=LEVEL)
    y = new["loss"].to_numpy()
    return float(np.mean((y >= made.low) & (y <= made.high)))


def simulated(sets: int = SETS) -> float:
    """Coverage over all data sets; prints a line per case."""
    last = sets // len(CASES) - 1
    print(f"{sets} data sets, {NEW_ROWS} new rows each, {LEVEL:.0%} intervals; seeds 0 to {last} of each case\n")
    print("| law | noise | rows | coverage | 5 % and 95 % points over data sets |")
    print("|---|---|---|---|---|")
    means = []
    for case in CASES:
        shares = np.array([coverage(case, seed) for seed in range(sets // len(CASES))])
        low, high = np.percentile(shares, [5, 95])
        means.append(shares.mean())
        print(f"| {case.name} | {case.noise} | {case.rows} | {shares.mean():.1%} | {low:.0%} to {high:.0%} |", flush=True)
    print(f"\nall: {np.mean(means):.1%}")
    return float(np.mean(means))


def tasks(names: tuple[str, ...] = TASKS, candidates: int = CANDIDATES) -> None:
    """Coverage on the test rows of each task, for the choice of one short run."""
    print(f"{candidates} candidates, blind cuts, seed 0, {LEVEL:.0%} intervals\n")
    print("| task | test rows | coverage | mean width / spread of the target | coverage without growth and short list |")
    print("|---|---|---|---|---|")
    for name, rows in _tables(names):
        with tempfile.TemporaryDirectory() as folder:
            archive = f"sqlite:///{Path(folder) / 'archive.db'}"
            found = sldagent.discover(rows, candidates=candidates, seed=0, workers=1, archive=archive)
        law = found.choice
        assert law is not None
        law = replace(law, training=rows.part("train"), others=found.shortlist[1:])
        test = rows.part("test")
        low, high = law.interval_rows(test, LEVEL)
        inside = (low <= test.Y) & (high >= test.Y)
        alone = replace(law, others=(), cuts=())
        low0, high0 = alone.interval_rows(test, LEVEL)
        plain = np.mean((low0 <= test.Y) & (high0 >= test.Y))
        width = np.mean((high - low) / np.std(rows.part("train").Y, axis=0))
        print(f"| {name} | {len(test.X)} | {inside.mean():.1%} | {width:.2f} | {plain:.1%} |", flush=True)


def _tables(names: tuple[str, ...]) -> Iterator[tuple[str, Task]]:
    for name in names:
        yield name, as_task(name, data=DATA)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["simulated"]:
        simulated(int(words[1]) if len(words) > 1 else SETS)
    elif words[:1] == ["tasks"]:
        tasks(tuple(words[1:]) or TASKS)
    else:
        sys.exit(__doc__)
