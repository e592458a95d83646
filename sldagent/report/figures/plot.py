"""A plot before it is laid out: panels, axis labels and a legend, as one figure for a file or a figure each for a page."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sldagent.report.figures.style import AXIS, TEXT, Key, empty_axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PIECE = (3.4, 2.5)
"""Inches of a panel that is a figure of its own, beside others."""
ALONE = (4.7, 3.1)
"""The same where it is the only one."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    head: str
    """What it shows; lines are kept."""
    draw: Callable[[Axes], None]


@dataclass(frozen=True)
class Plot:
    """See the module's docstring."""

    title: str
    panels: tuple[Panel, ...]
    x: str
    """Label of every panel's horizontal axis."""
    y: str
    keys: tuple[Key, ...] = ()
    square: bool = False
    alt: str = ""
    """What there is to see, in a sentence, for people who do not."""
    size: tuple[float, float] | None = None
    """Inches of a single panel; None: `ALONE`."""

    def figure(self, note: str = "") -> Figure:
        """All panels, at most three in a row, with title and legend; `note` stands below the title."""
        from matplotlib.figure import Figure

        count = len(self.panels)
        across = count if count <= 3 else (2 if count == 4 else 3)
        down = -(-count // across)
        width = {1: 5.4, 2: 6.6}.get(across, 7.6)
        height = (width / across * 0.95 if self.square else {1: 3.4, 2: 2.4}.get(across, 2.0)) * down
        if count == 1 and self.size is not None:
            width, height = self.size
        figure = Figure(figsize=(width, height + 1.35), layout="constrained")
        for number, panel in enumerate(self.panels):
            axes = empty_axes(figure, down, across, number + 1)
            panel.draw(axes)
            _head(axes, panel.head)
            # Labels at the left and below the lowest panel of every column: the legend would cover figure-wide ones.
            if number % across == 0:
                axes.set_ylabel(self.y, fontsize=TEXT)
            if number + across >= count:
                axes.set_xlabel(self.x, fontsize=TEXT)
        lines = textwrap.wrap(note, 118, max_lines=3, placeholder=" ...") if note else []
        figure.suptitle("\n".join([self.title, *lines]), fontsize=TEXT)
        if self.keys:
            columns = 3 if len(self.keys) > 4 else len(self.keys)
            handles = [_handle(key) for key in self.keys]
            figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=TEXT - 0.5, frameon=False)
        return plain(figure)

    def pieces(self) -> list[Figure]:
        """A figure for every panel, without head and legend, for a page that says both in its own text."""
        from matplotlib.figure import Figure

        out = []
        size = (self.size or ALONE) if len(self.panels) == 1 else PIECE
        for panel in self.panels:
            figure = Figure(figsize=(size[1], size[1]) if self.square else size, layout="constrained")
            axes = empty_axes(figure)
            panel.draw(axes)
            axes.set_xlabel(self.x, fontsize=TEXT)
            axes.set_ylabel(self.y, fontsize=TEXT)
            out.append(plain(figure))
        return out


def _head(axes: Axes, text: str) -> None:
    """A panel's title, smaller where a line of it would not fit."""
    longest = max((len(line) for line in text.split("\n")), default=0)
    axes.set_title(text, pad=3, fontsize=TEXT if longest <= 30 else 6.2)


def _handle(key: Key) -> Line2D:
    from matplotlib.lines import Line2D

    look = key.look
    if key.line:
        return Line2D([], [], color=look.colour, ls=look.linestyle, lw=look.width, label=key.label)
    hollow = look.mark in ("^", "v")
    return Line2D(
        [], [], color=look.colour, ls="none", marker=look.mark, ms=4.5, label=key.label,
        mfc="none" if hollow else look.colour, mec=look.colour if hollow or look.mark == "x" else AXIS, mew=0.6,
    )  # fmt: skip
