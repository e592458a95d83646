"""Extrapolation error against complexity: all laws of a run, its front, its short list and the published laws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sldagent.archive.records import CandidateRow
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.style import AXIS, CATALOGUE, LOOKS, SMALL, TEXT, TRAIN, Key, Look, Role

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]
MARKS: dict[Role, tuple[str, float]] = {"choice": ("*", 150.0), "second": ("D", 34.0), "third": ("s", 34.0)}
SIZE = (5.2, 3.7)
_TICKS = tuple(m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5))


def front_plot(
    rows: Sequence[CandidateRow],
    front: Sequence[CandidateRow],
    shortlist: Sequence[CandidateRow],
    names: Mapping[str, str],
    title: str,
) -> Plot:
    """X against C.

    Args:
        rows: every candidate of the run.
        shortlist: the choice first; may be empty.
        names: structure hash -> name of the published law that has it.
    """
    usable = [r for r in rows if r.valid and math.isfinite(r.x)]
    published: dict[str, CandidateRow] = {}
    for r in (r for r in rows if r.structure in names and not r.failure and math.isfinite(r.x)):
        name = names[r.structure]
        if name not in published or r.x < published[name].x:
            published[name] = r
    low, high = _limits(usable, shortlist, list(published.values()))
    above = sum(r.x > high for r in usable)
    keys = [Key(f"{len(usable)} valid laws" + (f" ({above} above)" if above else ""), Look(TRAIN, mark="o"), line=False)]
    if front:
        keys.append(Key("Pareto front", Look(AXIS, (), 1.0)))
    if published:
        keys.append(Key("published laws", Look(CATALOGUE, mark="^"), line=False))
    for role, _ in zip(MARKS, shortlist, strict=False):
        mark: Look = Look(LOOKS[role].colour, mark=MARKS[role][0])  # type: ignore[arg-type]
        keys.append(Key("choice" if role == "choice" else f"{role} of short list", mark, line=False))
    draw = partial(_draw, usable=usable, front=front, shortlist=shortlist, published=published, low=low, high=high)
    y = "X: mean ln squared extrapolation error"
    return Plot(title, (Panel("", draw),), "complexity C", y, tuple(keys), size=SIZE)


def _draw(
    axes: Axes,
    *,
    usable: Sequence[CandidateRow],
    front: Sequence[CandidateRow],
    shortlist: Sequence[CandidateRow],
    published: Mapping[str, CandidateRow],
    low: float,
    high: float,
) -> None:
    axes.scatter(
        [r.complexity for r in usable], [r.x for r in usable], s=6, color=TRAIN, alpha=0.35, lw=0, rasterized=True
    )
    axes.step([r.complexity for r in front], [r.x for r in front], where="post", color=AXIS, lw=1.0, marker="o", ms=2.5)
    known = list(published.values())
    axes.scatter(
        [r.complexity for r in known], [r.x for r in known], marker="^", s=34, color=CATALOGUE, ec="black", lw=0.5, zorder=4
    )
    for (role, (mark, size)), r in reversed(list(zip(MARKS.items(), shortlist, strict=False))):
        colour = LOOKS[role].colour
        if math.isfinite(r.x_se):
            axes.errorbar(r.complexity, r.x, yerr=r.x_se, color=colour, lw=1.0, capsize=2, zorder=5)
        axes.scatter(r.complexity, r.x, marker=mark, s=size, color=colour, ec="black", lw=0.5, zorder=6)
    ends = [r.complexity for r in (*front, *shortlist, *known)] or [r.complexity for r in usable] or [1.0]
    axes.set_xscale("log")
    axes.set_xlim(0.8 * max(min(ends), 1.0), 1.6 * max(ends))
    axes.set_xticks([t for t in (1, 2, 5, 10, 20, 50, 100, 200) if 0.8 * min(ends) <= t <= 1.6 * max(ends)])
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.set_ylim(low, high)
    _name_published(axes, published, shortlist, low, high)
    right = axes.secondary_yaxis("right", functions=(_root, _log_square))
    right.set_yticks([t for t in _TICKS if low < 2 * math.log(t) < high])
    right.yaxis.set_major_formatter("{x:g}")
    right.minorticks_off()
    right.tick_params(labelsize=SMALL, width=0.5)
    right.set_ylabel("root mean square error / training spread", fontsize=TEXT)
    right.spines["right"].set_visible(True)


def _root(x: Any) -> FloatArray:
    """Root mean square error of X."""
    return np.asarray(np.exp(np.asarray(x, dtype=float) / 2))


def _log_square(error: Any) -> FloatArray:
    """X of a root mean square error."""
    return np.asarray(2 * np.log(np.maximum(np.asarray(error, dtype=float), 1e-300)))


def _limits(
    usable: Sequence[CandidateRow], shortlist: Sequence[CandidateRow], published: Sequence[CandidateRow]
) -> tuple[float, float]:
    """Limits of X that leave the bulk of the laws in sight; a few hopeless ones would flatten everything else."""
    values = np.array([r.x for r in usable] or [0.0])
    known = [r.x for r in shortlist] + sorted(r.x for r in published)[:6]
    top = max([float(np.percentile(values, 70)), *known])
    low = min([float(values.min()), *(r.x - r.x_se for r in shortlist if math.isfinite(r.x_se))])
    pad = 0.08 * max(top - low, 0.5)
    return low - pad, top + pad


def _name_published(
    axes: Axes, published: Mapping[str, CandidateRow], shortlist: Sequence[CandidateRow], low: float, high: float
) -> None:
    """Names beside the published laws in sight, the best first, none over another or over the short list."""
    left, right = (math.log(end) for end in axes.get_xlim())

    def place(r: CandidateRow) -> tuple[float, float]:
        return (math.log(r.complexity) - left) / (right - left), (r.x - low) / (high - low)

    marks = [place(r) for r in (*shortlist, *published.values())]
    written: list[tuple[float, float, float]] = []
    for name, r in sorted(published.items(), key=lambda item: item[1].x):
        x, y = place(r)
        length = 0.018 * len(name) + 0.02
        for begin, side in ((x, 1), (x - length, -1)):
            covers = any(begin < a < begin + length and abs(b - y) < 0.03 and (a, b) != (x, y) for a, b in marks)
            meets = any(begin < e and b < begin + length and abs(h - y) < 0.045 for b, e, h in written)
            if 0 < y < 1 and begin > 0 and begin + length < 1 and not covers and not meets:
                written.append((begin, begin + length, y))
                axes.annotate(
                    name, (r.complexity, r.x), xytext=(5 * side, 0), textcoords="offset points", fontsize=SMALL,
                    va="center", ha="left" if side > 0 else "right", zorder=7,
                )  # fmt: skip
                break
