"""Errors of laws on every cut: inside the kept rows and on the held-out ones."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sldagent.evaluation.result import CutScore
from sldagent.report.figures.plot import Panel, Plot
from sldagent.report.figures.style import LOOKS, SMALL, Role, role_key, set_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 1e-6
"""Errors below this are drawn here."""
MOST = 24
"""Cuts drawn; further ones are in the report's table."""


@dataclass(frozen=True)
class CutErrors:
    """A law's errors, as root mean squares in units of the target's training spread."""

    role: Role
    label: str
    errors: Mapping[str, tuple[float, float]]
    """Cut (and target, where there are several) -> inside, beyond."""


def cut_errors(role: Role, label: str, scores: Sequence[CutScore]) -> CutErrors:
    """Of an evaluation's scores."""
    several = len({s.target for s in scores}) > 1
    return CutErrors(
        role, label, {cut_name(s, several): (rms(s.kept_log_mse), rms(s.log_mse)) for s in scores}
    )


def cut_name(score: CutScore, several: bool) -> str:
    """A cut's name, with the target where there are several."""
    return f"{score.cut}, {score.target}" if several else score.cut


def rms(log_mse: float) -> float:
    """Root mean square of a logarithm of a mean square."""
    return math.exp(0.5 * log_mse) if log_mse < 700 else math.inf


def cuts_plot(laws: Sequence[CutErrors], title: str) -> Plot:
    """A line per cut, the held-out error of each law as its mark and that on the kept rows as a short bar.

    Args:
        laws: the first says which cuts there are, and in which order.
    """
    names = list(laws[0].errors)[:MOST]
    draw = partial(_draw, laws=laws, names=names)
    keys = tuple(role_key(law.role, law.label, line=False) for law in laws)
    size = (5.2, 0.9 + 0.21 * len(names))
    x = "root mean square error / training spread (bar: on the rows kept)"
    return Plot(title, (Panel("", draw),), x, "", keys, size=size)


def _draw(axes: Axes, *, laws: Sequence[CutErrors], names: Sequence[str]) -> None:
    values = []
    for number, law in enumerate(laws):
        look = LOOKS[law.role]
        offset = 0.16 * (number - (len(laws) - 1) / 2)
        for place, name in enumerate(names):
            inside, beyond = law.errors.get(name, (math.nan, math.nan))
            y = place + offset
            if math.isfinite(inside):
                inside = max(inside, SMALLEST)
                values.append(inside)
                axes.plot([inside], [y], marker="|", ms=5, mew=1.1, color=look.colour, zorder=3)
            if math.isfinite(beyond):
                beyond = max(beyond, SMALLEST)
                values.append(beyond)
                if math.isfinite(inside):
                    axes.plot([inside, beyond], [y, y], color=look.colour, lw=0.7, alpha=0.6, zorder=2)
                hollow = look.mark in ("^", "v")
                axes.plot(
                    [beyond], [y], ls="none", marker=look.mark or "o", ms=4, mew=0.8, color=look.colour,
                    mfc="none" if hollow else look.colour, zorder=4,
                )  # fmt: skip
    short = [textwrap.shorten(n, 34, placeholder="...") for n in names]
    axes.set_yticks(range(len(names)), short, fontsize=SMALL, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for place in range(1, len(names)):
        axes.axhline(place - 0.5, color="#DDDDDD", lw=0.5, zorder=0)
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    pad = max((high / low) ** 0.06, 1.1)
    set_log(axes, "x", low / pad, high * pad)
    axes.tick_params(axis="y", length=0)
