"""The table of the README from ``plans.csv`` and ``runs.csv``.  Needs NumPy only.

    python experiments/practical_use/allocation/table.py

Regret of a run: its loss (mean over seeds) less the lowest loss among the eight alternatives around the plan, in per
cent of it.  The lowest of eight noisy losses lies too low, so that the regret is given a second time by a smooth surface:
a polynomial of second order in ln N and ln lr through the nine runs of the plan and its alternatives, all at equal
compute; its regret is the height at a run above the lowest height within the nine.  Runs outside the nine have none.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

if __package__ in (None, ""):  # started as a file: make the packages importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experiments.practical_use.allocation.cases import (
    AROUND,
    RUNS,
    Case,
    Plan,
    Setup,
    cases,
    label,
    load_plans,
    trainable,
    wanted,
)
from experiments.tiny_lm.rates import Run, load_runs
from experiments.tiny_lm.train import RUNS as SMALL_RUNS

FloatArray = NDArray[np.float64]
NINE = frozenset(label(by_size, by_rate) for by_size in AROUND for by_rate in AROUND)
LINES = 101
"""Points per axis among which the surface's lowest one is sought."""


@dataclass(frozen=True)
class Result:
    """One run of a case."""

    name: str
    setup: Setup
    losses: tuple[float, ...]
    """By seed."""

    @property
    def loss(self) -> float:
        return statistics.fmean(self.losses)


@dataclass(frozen=True)
class Surface:
    """A polynomial of second order in x = (ln N, ln lr), relative to the plan's."""

    centre: FloatArray
    coefficients: FloatArray
    low: FloatArray
    high: FloatArray
    """Corners of the nine runs."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """(n,) heights at points (n, 2)."""
        return np.asarray(_terms(x - self.centre) @ self.coefficients)

    def inside(self, x: FloatArray) -> bool:
        """Whether a point (2,) lies within the nine runs."""
        return bool((x >= self.low - 1e-9).all() and (x <= self.high + 1e-9).all())

    def lowest(self) -> float:
        """The least height within the nine runs."""
        axes = [np.linspace(low, high, LINES) for low, high in zip(self.low, self.high, strict=True)]
        return float(self(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)).min())


def place(setup: Setup) -> FloatArray:
    """(2,) ln N and ln lr."""
    return np.array([math.log(setup.size), math.log(setup.lr)])


def surface(results: Mapping[str, Result]) -> Surface:
    """The surface through the plan and its alternatives."""
    nine = [r for name, r in results.items() if name in NINE]
    x = np.stack([place(r.setup) for r in nine])
    centre = place(results["plan"].setup)
    y = np.array([r.loss for r in nine])
    return Surface(centre, np.linalg.lstsq(_terms(x - centre), y, rcond=None)[0], x.min(axis=0), x.max(axis=0))


def _terms(z: FloatArray) -> FloatArray:
    u, v = z[:, 0], z[:, 1]
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)


def results(plans: Sequence[Plan], case: Case, runs: Sequence[Run]) -> dict[str, Result]:
    """What was measured of a case."""
    out = {}
    for name, setup in wanted(plans, case).items():
        same = {r.seed: r.loss for r in runs if (r.width, r.tokens, r.lr) == (setup.width, setup.tokens, setup.lr)}
        if same:
            out[name] = Result(name, setup, tuple(same[seed] for seed in sorted(same)))
    return out


def lines(found: Mapping[str, Result]) -> list[str]:
    """The rows of a case whose nine runs are all measured."""
    seen = surface(found)
    floor, reference = seen.lowest(), min(r.loss for name, r in found.items() if name in NINE - {"plan"})
    names = ["plan", *(n for n in found if n not in NINE), *(n for n in found if n in NINE - {"plan"})]
    out = []
    for name in names:
        r = found[name]
        x = place(r.setup)
        smooth = f"{100 * (float(seen(x[None])[0]) - floor) / floor:.2f} %" if seen.inside(x) else "outside"
        regret = f"{100 * (r.loss - reference) / reference:+.2f} %"
        shown = f"**{name}**" if name == "plan" else name
        out.append(
            f"| {shown} | {r.setup.size:,} | {r.setup.tokens:,} | {r.setup.lr:.4g} | {r.loss:.4f} | {len(r.losses)} "
            f"| {regret} | {smooth} |"
        )
    return out


def text(plans: Sequence[Plan], runs: Sequence[Run]) -> str:
    """All cases as Markdown."""
    out = []
    for case in cases(plans):
        found = results(plans, case, runs)
        out += [f"### {case.name}: {case.compute:.3g} FLOPs", ""]
        if not trainable(plans, case):
            longest = max(run.tokens for run in wanted(plans, case).values())
            out += [f"Not trained: one of the runs reads {longest:,} bytes, more than the corpus has.", ""]
        elif not set(found) >= NINE:
            out += [f"Not trained: {len(NINE - set(found))} of the nine runs are missing.", ""]
        else:
            out += ["| run | N | D | lr | loss | seeds | regret | regret, smooth |", "|---|---|---|---|---|---|---|---|"]
            out += [*lines(found), ""]
    return "\n".join(out)


def main() -> None:
    """Print the table."""
    print(text(load_plans(), [*load_runs(SMALL_RUNS), *load_runs(RUNS)]))


if __name__ == "__main__":
    main()
