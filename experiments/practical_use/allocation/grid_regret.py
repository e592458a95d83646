"""The regret of every plan's size by the runs of tiny_lm alone, without training anything.

    python experiments/practical_use/allocation/grid_regret.py

At the compute of a plan each size of tiny_lm has some number of tokens; where that lies among the measured ones, the loss
at the (nearly) best learning rate follows by a straight line of ln loss in ln D between the two neighbours.  A cubic spline
in ln N through these losses gives the loss at every size in between, and its lowest point the least regret.  Test cells
are among them: this judges, it plans nothing.  It says nothing of a plan's learning rate, nor of sizes whose tokens were
not measured.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

if __package__ in (None, ""):  # started as a file: make the packages importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experiments.practical_use.allocation.cases import Case, Plan, cases, load_plans, tokens_for

FloatArray = NDArray[np.float64]
TABLE = Path(__file__).resolve().parents[2] / "tiny_lm" / "tiny_lm.csv"
BEYOND = 1.05
"""Tokens may exceed the largest measured ones by this factor, along the last line."""
FEWEST = 4
"""Sizes that a spline needs."""
POINTS = 2001


@dataclass(frozen=True)
class Curve:
    """Loss against size at one compute."""

    sizes: FloatArray
    losses: FloatArray

    def __call__(self, size: FloatArray) -> FloatArray:
        """Loss at sizes; NaN beyond the measured ones."""
        spline = CubicSpline(np.log(self.sizes), self.losses, extrapolate=False)
        return np.asarray(spline(np.log(size)))

    def lowest(self) -> tuple[float, float]:
        """The best size, and its loss."""
        fine = np.geomspace(self.sizes[0], self.sizes[-1], POINTS)[1:-1]
        values = self(fine)
        best = int(np.argmin(values))
        return float(fine[best]), float(values[best])


def curve(table: pd.DataFrame, compute: float) -> Curve | None:
    """The losses of all sizes at a compute in FLOPs; None where fewer than `FEWEST` have measured neighbours.

    Args:
        table: columns N, D and loss.
    """
    sizes, losses = [], []
    for size, rows in table.sort_values("D").groupby("N"):
        tokens = tokens_for(float(size), compute)
        D, loss = rows["D"].to_numpy(dtype=float), rows["loss"].to_numpy(dtype=float)
        if D[0] <= tokens <= BEYOND * D[-1]:
            k = min(int(np.searchsorted(D, tokens)), len(D) - 1)
            share = np.log(tokens / D[k - 1]) / np.log(D[k] / D[k - 1])
            sizes.append(float(size))
            losses.append(float(np.exp(np.log(loss[k - 1]) + share * np.log(loss[k] / loss[k - 1]))))
    return Curve(np.array(sizes), np.array(losses)) if len(sizes) >= FEWEST else None


def lines(plans: Sequence[Plan], case: Case, seen: Curve) -> list[str]:
    """A row for every method of a case, and one for the best size."""
    best, floor = seen.lowest()
    out = []
    for plan in plans:
        if (plan.part, plan.factor) != (case.part, case.factor):
            continue
        name = "**plan**" if plan.method == "sldagent" else plan.method
        loss = float(seen(np.array([plan.N]))[0])
        said = f"{loss:.3f} | {100 * (loss / floor - 1):.2f} %" if np.isfinite(loss) else "not measured |"
        out.append(f"| {case.name} | {name} | {plan.N:,.0f} | {plan.D:,.0f} | {said} |")
    tokens = tokens_for(best, case.compute)
    return [*out, f"| {case.name} | best of the curve | {best:,.0f} | {tokens:,.0f} | {floor:.3f} | 0 |"]


def text(plans: Sequence[Plan], table: pd.DataFrame) -> str:
    """All cases that can be judged, as Markdown."""
    out = ["| case | by | N | D | loss | regret |", "|---|---|---|---|---|---|"]
    for case in cases(plans):
        seen = curve(table, case.compute)
        if seen is not None:
            out += lines(plans, case, seen)
    return "\n".join(out)


def main() -> None:
    """Print the table."""
    print(text(load_plans(), pd.read_csv(TABLE)))


if __name__ == "__main__":
    main()
