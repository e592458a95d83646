"""How figures look: colours, lines, marks, numbers on axes.

Text in figures is never read as mathematics, so that a dollar sign in a column's name is a dollar sign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Role = Literal["choice", "second", "third", "published", "next", "baseline"]
"""A law's place in a figure: the short list, then the best published laws (``published``, ``next``), then what any law
must beat."""
Mark = Literal["o", "^", "v", "x", "D", "s", "*", ""]
SMALL, TEXT = 6.5, 7.5
"""Points of numbers and of labels."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Look:
    """Colour, dashes (lengths on and off, in line widths; none: solid), width and mark of a line."""

    colour: str
    dashes: tuple[float, ...] = ()
    width: float = 1.3
    mark: Mark = ""

    @property
    def linestyle(self) -> Any:
        return (0, self.dashes) if self.dashes else "-"


# Okabe and Ito's palette, told apart with every common colour blindness; lines also differ in their dashes.
LOOKS: dict[Role, Look] = {
    "choice": Look("#0072B2", (), 1.8, "o"),
    "second": Look("#009E73", (5, 1.5), 1.3, "^"),
    "third": Look("#CC79A7", (5, 1.5, 1, 1.5), 1.3, "v"),
    "published": Look("#000000", (1, 1.2), 1.6, "x"),
    "next": Look("#E69F00", (3, 1, 1, 1, 1, 1), 1.3, "s"),
    "baseline": Look("#56B4E9", (8, 2), 1.3, "D"),
}
TRAIN, TEST, CATALOGUE, AXIS = "#777777", "#D55E00", "#E69F00", "#333333"


@dataclass(frozen=True)
class Key:
    """One entry of a legend."""

    label: str
    look: Look
    line: bool = True
    """Drawn as a line; False: as its mark."""


def role_key(role: Role, label: str, *, line: bool = True) -> Key:
    """The legend's entry of a law."""
    return Key(label, LOOKS[role], line)


def empty_axes(figure: Figure, *place: int) -> Axes:
    """Axes without a frame at the top and at the right."""
    axes = figure.add_subplot(*place)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)
    axes.tick_params(labelsize=SMALL, width=0.5)
    return axes


def plain(figure: Figure) -> Figure:
    """The figure with every text taken as it is; numbers on axes are this package's own and hold no dollar sign."""
    texts = [text for legend in figure.legends for text in legend.get_texts()]
    texts += list(figure.texts)
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    for text in texts:
        text.set_parse_math(False)
    return figure


def number_text(value: float) -> str:
    """A number on an axis: ``0.05``, ``2000``, ``3·10⁸``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    short = f"{float(mantissa):g}"
    return power if short == "1" else f"-{power}" if short == "-1" else f"{short}·{power}"


def logarithmic(axis: Axis, low: float, high: float, most: int = 6) -> None:
    """Ticks of a logarithmic axis: whole decades where there are enough of them, else also 2 and 5 times those."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        step = -(-(last - first + 1) // most)
        ticks = [10.0**e for e in range(first, last + 1, step)]
    else:
        fine = math.log10(high / low) < 0.5
        factors = (1, 1.5, 2, 3, 4, 5, 6, 8) if fine else (1, 2, 5)
        ticks = [m * 10.0**e for e in range(first - 1, last + 1) for m in factors]
        ticks = [t for t in ticks if low <= t <= high]
        ticks = ticks[:: -(-len(ticks) // most)] if ticks else ticks
    if len(ticks) < 2:
        ticks = [float(f"{t:.3g}") for t in np.geomspace(low, high, 4)[1:3]]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda v, _: number_text(v)))
    axis.set_minor_formatter(NullFormatter())


def linear(axis: Axis, most: int = 5) -> None:
    """Ticks of a linear axis."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most))
    axis.set_major_formatter(FuncFormatter(lambda v, _: number_text(float(f"{v:.6g}"))))


def set_log(axes: Axes, side: Literal["x", "y"], low: float, high: float) -> None:
    """A logarithmic axis from `low` to `high`."""
    if side == "x":
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        logarithmic(axes.xaxis, low, high, 5)
    else:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        logarithmic(axes.yaxis, low, high)
    axes.minorticks_off()
