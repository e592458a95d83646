"""What the table is: ranges, levels, how variables are combined, and what the cuts hold out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.diagnosis.axes import Axes
from sldagent.tasks.levels import level_labels
from sldagent.tasks.task import Cut, Task

FloatArray = NDArray[np.float64]

CROSSED = 0.8
"""Share of all combinations of levels that must be present for a pair to count as crossed."""


@dataclass(frozen=True)
class Column:
    """One variable over the training rows."""

    symbol: str
    low: float
    high: float
    decades: float
    """log10 of high over low where the coordinate is a logarithm, else NaN."""
    levels: tuple[float, ...]
    """Typical value of each level; empty where the variable is continuous."""
    zeros: int
    """Rows where it is zero."""


@dataclass(frozen=True)
class Pairing:
    """How two variables are combined."""

    first: str
    second: str
    kind: str
    """``crossed``, ``nested`` (each level of one comes with one level of the other), ``partial`` or ``continuous``."""
    present: int
    possible: int
    correlation: float
    """Of the two coordinates."""


@dataclass(frozen=True)
class CutRange:
    """What one cut keeps and holds out, as ranges of the scale variables; no targets."""

    name: str
    variable: str
    rows: int
    reach: float
    kept: tuple[tuple[str, float, float], ...]
    """(symbol, low, high)."""
    held: tuple[tuple[str, float, float], ...]


def columns(task: Task, axes: Axes) -> tuple[Column, ...]:
    """Every variable, in the task's order; `axes` are of the task's rows."""
    out = []
    for k, v in enumerate(task.variables):
        x, z = task.X[:, k], axes.values[:, k]
        labels, continuous = level_labels(z)
        typical = () if continuous else tuple(float(np.median(x[labels == j])) for j in range(int(labels.max()) + 1))
        decades = float(np.ptp(z)) / np.log(10.0) if axes.logged[k] else float("nan")
        out.append(Column(v.symbol, float(x.min()), float(x.max()), decades, typical, int((x == 0).sum())))
    return tuple(out)


def pairings(axes: Axes) -> tuple[Pairing, ...]:
    """Every pair of scale variables and settings that vary."""
    chosen = [k for k in axes.varies if axes.variables[k].role != "proportion"]
    labels = {k: level_labels(axes.values[:, k]) for k in chosen}
    out = []
    for j, k in itertools.combinations(chosen, 2):
        correlation = float(np.corrcoef(axes.values[:, j], axes.values[:, k])[0, 1])
        (a, a_continuous), (b, b_continuous) = labels[j], labels[k]
        na, nb = int(a.max()) + 1, int(b.max()) + 1
        present, possible = len(np.unique(a * nb + b)), na * nb
        if a_continuous or b_continuous:
            kind = "continuous"
        elif present == max(na, nb) and min(na, nb) > 1:
            kind = "nested"
        else:
            kind = "crossed" if present >= CROSSED * possible else "partial"
        out.append(Pairing(axes.symbols[j], axes.symbols[k], kind, present, possible, correlation))
    return tuple(out)


def cut_ranges(task: Task, cuts: tuple[Cut, ...]) -> tuple[CutRange, ...]:
    """Ranges of the scale variables (of the shares, in a table without any) on both sides of every cut."""
    chosen = [k for k, v in enumerate(task.variables) if v.role == "scale"]

    def ranges(mask: NDArray[np.bool_]) -> tuple[tuple[str, float, float], ...]:
        X = task.X[mask]
        return tuple((task.variables[k].symbol, float(X[:, k].min()), float(X[:, k].max())) for k in chosen)

    return tuple(CutRange(c.name, c.variable, int(c.held.sum()), c.reach, ranges(c.kept), ranges(c.held)) for c in cuts)
