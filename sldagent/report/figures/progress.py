"""How a search went on: the extrapolation error of its candidates, and the lowest so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sldagent.archive.records import CandidateRow
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.style import LOOKS, TRAIN, Key, Look, linear

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def progress_plot(rows: Sequence[CandidateRow], title: str, choice: int | None = None) -> Plot:
    """X by candidate, valid laws only; `choice` is the recommended one's index."""
    usable = [r for r in rows if r.valid and not r.failure and math.isfinite(r.x)]
    keys = [
        Key("a valid law", Look(TRAIN, mark="o"), line=False),
        Key("lowest X so far", Look(LOOKS["choice"].colour, (), 1.6)),
    ]
    if choice is not None:
        keys.append(Key("choice", Look(LOOKS["choice"].colour, mark="*"), line=False))
    last = max((r.k for r in rows), default=0)
    draw = partial(_draw, usable=usable, last=last, choice=choice)
    return Plot(title, (Panel("", draw),), "candidate", "X: mean ln squared extrapolation error", tuple(keys))


def _draw(axes: Axes, *, usable: Sequence[CandidateRow], last: int, choice: int | None) -> None:
    colour = LOOKS["choice"].colour
    k, x = np.array([r.k for r in usable], dtype=float), np.array([r.x for r in usable], dtype=float)
    linear(axes.xaxis)
    linear(axes.yaxis)
    if not len(x):
        return
    best = np.minimum.accumulate(x)
    axes.scatter(k, x, s=5, color=TRAIN, alpha=0.35, lw=0, rasterized=True, zorder=2)
    axes.step([*k, last], [*best, best[-1]], where="post", color=colour, lw=1.6, zorder=3)
    for r in usable:
        if r.k == choice:
            axes.scatter([r.k], [r.x], marker="*", s=110, color=colour, ec="black", lw=0.5, zorder=4)
    low, high = float(best[-1]), float(max(np.percentile(x, 80), best[0] if best[0] < np.percentile(x, 95) else -np.inf))
    pad = 0.06 * max(high - low, 0.5)
    axes.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
    axes.set_ylim(low - pad, high + pad)
