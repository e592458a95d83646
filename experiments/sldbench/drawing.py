"""Figures of one task with matplotlib: laws along the extrapolation axis, predictions against measurements, the front."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.sldbench.curves import Curve
from experiments.sldbench.slices import Panel, is_log
from sldagent.archive.records import CandidateRow
from sldagent.errors import ConfigError
from sldagent.report.formula import formula_text
from sldagent.tasks.task import Task, Variable

FloatArray = NDArray[np.float64]

# Okabe and Ito's palette, told apart with every common colour blindness; lines also differ in their dashes.
COLOURS = {"choice": "#0072B2", "second": "#009E73", "third": "#CC79A7", "human": "#000000", "test": "#D55E00",
           "train": "#777777", "published": "#E69F00"}  # fmt: skip
DASHES: Mapping[str, Any] = {"choice": "-", "second": (0, (5, 1.5)), "third": (0, (5, 1.5, 1, 1.5)), "human": (0, (1, 1.2))}
WIDTHS = {"choice": 1.8, "second": 1.3, "third": 1.3, "human": 1.6}
DRAWN = 300
"""Most training rows that one panel shows, evenly picked."""
DPI = 115
_TICKS = tuple(m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5))


def pyplot() -> Any:
    """matplotlib's drawing interface without a display.  Raises ConfigError where the package is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise ConfigError(
            "drawing figures needs the package 'matplotlib', which is not installed: "
            "install sldagent with its extra 'bench' (pip install 'sldagent[bench]')"
        ) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 8, "axes.titlesize": 7.5, "axes.spines.top": False, "axes.spines.right": False,
                         "legend.frameon": False, "axes.linewidth": 0.6, "lines.solid_capstyle": "round"})  # fmt: skip
    return plt


def draw_lines(task: Task, axis: int, panels: Sequence[Panel], curves: Sequence[Curve], title: str, path: Path) -> None:
    """Small multiples: measured rows and laws along one variable, one panel per slice."""
    plt = pyplot()
    figure, axes = _grid(plt, len(panels))
    X = np.concatenate([p.X for p in panels])
    group = np.concatenate([np.full(len(p.X), p.group, dtype=np.int64) for p in panels])
    ends = np.cumsum([0, *(len(p.X) for p in panels)])
    with np.errstate(all="ignore"):
        lines = [(c, c.predict(task, X, group), c.band(task, X, group)) for c in curves]
    log_y = _log_target(task)
    for number, (panel, ax) in enumerate(zip(panels, axes, strict=True)):
        span = slice(ends[number], ends[number + 1])
        _measured(ax, task, axis, panel)
        for curve, values, band in reversed(lines):
            x, t = panel.X[:, axis], panel.target
            ax.plot(x, values[span, t], color=COLOURS[curve.role], ls=DASHES[curve.role], lw=WIDTHS[curve.role], zorder=4)
            if band is not None:
                strength = 0.22 if curve.role == "choice" else 0.12
                low, high = band[0][span, t], band[1][span, t]
                ax.fill_between(x, low, high, color=COLOURS[curve.role], alpha=strength, lw=0, zorder=2)
        _scales(ax, task, axis, panel, [values[span, panel.target] for _, values, _ in lines], log_y)
        _head(ax, _title(task, panel))
    _label(axes, _axis_label(task.variables[axis]), _target_label(task))
    _finish(plt, figure, task, curves, title, path)


def draw_scatter(task: Task, curves: Sequence[Curve], title: str, path: Path) -> None:
    """Predicted against measured, a panel per target; intervals as vertical bars."""
    plt = pyplot()
    targets = range(min(len(task.targets), 9))
    figure, axes = _grid(plt, len(targets), square=True)
    shown = _shown(np.arange(len(task.X)), task)
    X, group, test = task.X[shown], task.group[shown], task.split[shown] == "test"
    with np.errstate(all="ignore"):
        lines = [(c, c.predict(task, X, group), c.band(task, X, group)) for c in curves]
    for t, ax in zip(targets, axes, strict=True):
        y = task.Y[shown, t]
        low, high = float(y.min()), float(y.max())
        pad = 0.06 * (high - low)
        ax.plot([low - pad, high + pad], [low - pad, high + pad], color="#555555", lw=0.7, zorder=1)
        for curve, values, band in reversed(lines):
            colour = COLOURS[curve.role]
            if curve.role == "choice":
                if band is not None:
                    ax.vlines(y, band[0][:, t], band[1][:, t], color=colour, alpha=0.35, lw=1.0, zorder=2)
                ax.scatter(y[~test], values[~test, t], s=9, color=colour, lw=0, alpha=0.75, zorder=4)
                ax.scatter(y[test], values[test, t], s=20, marker="D", color=COLOURS["test"], ec="black", lw=0.4, zorder=5)
            elif curve.role == "human":
                ax.scatter(y, values[:, t], s=13, marker="x", color=colour, lw=0.7, zorder=3)
            else:
                mark = {"second": "^", "third": "v"}[curve.role]
                ax.scatter(y, values[:, t], s=13, marker=mark, fc="none", ec=colour, lw=0.7, zorder=3)
        ax.set_xlim(low - pad, high + pad)
        ax.set_ylim(low - 3 * pad, high + 3 * pad)
        _head(ax, task.targets[t].name)
    _label(axes, "measured", "predicted")
    _finish(plt, figure, task, curves, title, path, scatter=True)


def draw_front(
    rows: Sequence[CandidateRow], front: Sequence[CandidateRow], shortlist: Sequence[CandidateRow], names: Mapping[str, str],
    title: str, path: Path,
) -> None:  # fmt: skip
    """Extrapolation error against complexity: all valid laws, the front, the short list and the published laws.

    Args:
        shortlist: the choice first.
        names: structure hash -> name of the published law that has it.
    """
    plt = pyplot()
    figure, ax = plt.subplots(figsize=(6.6, 4.3), layout="constrained")
    usable = [r for r in rows if r.valid and math.isfinite(r.x)]
    published: dict[str, CandidateRow] = {}
    for r in (r for r in rows if r.structure in names and not r.failure and math.isfinite(r.x)):
        name = names[r.structure]
        if name not in published or r.x < published[name].x:
            published[name] = r
    low, high = _front_limits(usable, shortlist, list(published.values()))
    above = sum(r.x > high for r in usable)
    ax.scatter([r.complexity for r in usable], [r.x for r in usable], s=6, color=COLOURS["train"], alpha=0.35, lw=0,
               rasterized=True, label=f"{len(usable)} valid laws" + (f" ({above} above)" if above else ""))  # fmt: skip
    ax.step([r.complexity for r in front], [r.x for r in front], where="post", color="#333333", lw=1.0, marker="o", ms=2.5,
            label="Pareto front")  # fmt: skip
    ax.scatter([r.complexity for r in published.values()], [r.x for r in published.values()], marker="^", s=34,
               color=COLOURS["published"], ec="black", lw=0.5, zorder=4, label="published laws")  # fmt: skip
    marks = {"choice": ("*", 150), "second": ("D", 34), "third": ("s", 34)}
    for (role, (mark, size)), r in reversed(list(zip(marks.items(), shortlist, strict=False))):
        ax.errorbar(r.complexity, r.x, yerr=r.x_se if math.isfinite(r.x_se) else None, color=COLOURS[role], lw=1.0,
                    capsize=2, zorder=5)  # fmt: skip
        ax.scatter(r.complexity, r.x, marker=mark, s=size, color=COLOURS[role], ec="black", lw=0.5, zorder=6,
                   label="choice" if role == "choice" else f"{role} of short list")  # fmt: skip
    ends = [r.complexity for r in (*front, *shortlist, *published.values())] or [1.0]
    ax.set_xscale("log")
    ax.set_xlim(0.8 * max(min(ends), 1.0), 1.6 * max(ends))
    ax.set_xticks([t for t in (1, 2, 5, 10, 20, 50, 100, 200) if 0.8 * min(ends) <= t <= 1.6 * max(ends)])
    ax.get_xaxis().set_major_formatter("{x:.0f}")
    ax.minorticks_off()
    ax.set_ylim(low, high)
    _name_published(ax, published, shortlist, low, high)
    ax.set_xlabel("complexity C")
    ax.set_ylabel("X: mean ln squared extrapolation error")
    right = ax.secondary_yaxis("right", functions=(lambda x: np.exp(x / 2), lambda z: 2 * np.log(np.maximum(z, 1e-300))))
    right.set_yticks([t for t in _TICKS if low < 2 * math.log(t) < high])
    right.get_yaxis().set_major_formatter("{x:g}")
    right.minorticks_off()
    right.set_ylabel("root mean square error / training spread")
    right.spines["right"].set_visible(True)
    figure.legend(loc="outside lower center", fontsize=7, ncols=3)
    figure.suptitle(title, fontsize=9)
    _save(plt, figure, path)


def _front_limits(
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
    ax: Any, published: Mapping[str, CandidateRow], shortlist: Sequence[CandidateRow], low: float, high: float
) -> None:
    """Names beside the published laws in sight, the best first, none over another or over the short list."""
    left, right = (math.log(end) for end in ax.get_xlim())

    def place(r: CandidateRow) -> tuple[float, float]:
        return (math.log(r.complexity) - left) / (right - left), (r.x - low) / (high - low)

    marks = [place(r) for r in (*shortlist, *published.values())]
    written: list[tuple[float, float, float]] = []
    for name, r in sorted(published.items(), key=lambda item: item[1].x):
        x, y = place(r)
        length = 0.013 * len(name) + 0.02
        for begin, side in ((x, 1), (x - length, -1)):
            covers = any(begin < a < begin + length and abs(b - y) < 0.03 and (a, b) != (x, y) for a, b in marks)
            meets = any(begin < e and b < begin + length and abs(h - y) < 0.035 for b, e, h in written)
            if 0 < y < 1 and begin > 0 and begin + length < 1 and not covers and not meets:
                written.append((begin, begin + length, y))
                ax.annotate(name, (r.complexity, r.x), xytext=(5 * side, 0), textcoords="offset points", fontsize=6.5,
                            va="center", ha="left" if side > 0 else "right", zorder=7)  # fmt: skip
                break


def _grid(plt: Any, count: int, *, square: bool = False) -> tuple[Any, list[Any]]:
    """A figure with `count` panels, at most three in a row."""
    across = count if count <= 3 else (2 if count == 4 else 3)
    down = -(-count // across)
    width = {1: 5.4, 2: 6.6}.get(across, 7.6)
    height = (width / across * 0.95 if square else {1: 3.4, 2: 2.4}.get(across, 2.0)) * down
    figure, axes = plt.subplots(down, across, figsize=(width, height + 1.35), squeeze=False, layout="constrained")
    flat = list(axes.ravel())
    for spare in flat[count:]:
        spare.set_visible(False)
    return figure, flat[:count]


def _measured(ax: Any, task: Task, axis: int, panel: Panel) -> None:
    """Rows of a panel's slice: training rows small and light, test rows distinct; a line where training ends."""
    own = task.X[(task.group == panel.group) & (task.split == "train"), axis]
    ax.axvline(float(own.max()), color="#BBBBBB", lw=0.8, ls=":", zorder=0)
    train = _shown(panel.rows[task.split[panel.rows] == "train"], task)
    test = panel.rows[task.split[panel.rows] == "test"]
    ax.scatter(
        task.X[train, axis], task.Y[train, panel.target], s=11, color=COLOURS["train"], ec="white", lw=0.4, zorder=4.5
    )
    ax.scatter(task.X[test, axis], task.Y[test, panel.target], s=24, marker="D", color=COLOURS["test"], ec="black", lw=0.5,
               zorder=5)  # fmt: skip


def _shown(rows: NDArray[np.int64], task: Task) -> NDArray[np.int64]:
    """All test rows and at most `DRAWN` of the others, evenly over the first target's values."""
    test = task.split[rows] == "test"
    others = rows[~test]
    if len(others) > DRAWN:
        ordered = others[np.argsort(task.Y[others, 0], kind="stable")]
        others = ordered[np.linspace(0, len(ordered) - 1, DRAWN).round().astype(int)]
    return np.concatenate([others, rows[test]])


def _scales(ax: Any, task: Task, axis: int, panel: Panel, lines: Sequence[FloatArray], log_y: bool) -> None:
    """Axes that hold the rows, the choice's line (the first) over their range, and the others as far as they stay near."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    x, own = panel.X[:, axis], task.X[task.group == panel.group, axis]
    if is_log(task.variables[axis]):
        ax.set_xscale("log")
        if x.max() < 1000 * x.min() and x.max() < 1e4:
            ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ax.xaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
    rows = task.Y[panel.rows, panel.target]
    near = 0.25 * max(float(np.ptp(rows)), 1e-12)
    inside = (x >= own.min()) & (x <= own.max())
    parts = [
        rows,
        *(np.clip(line, rows.min() - near, rows.max() + near) for line in lines),
        *(line[inside] for line in lines[:1]),
    ]
    values = np.concatenate([p[np.isfinite(p)] for p in parts])
    if log_y:
        ax.set_yscale("log")
        values = values[values > 0.1 * rows.min()]
        pad = float(values.max() / values.min()) ** 0.06
        ax.set_ylim(values.min() / pad, values.max() * pad)
    else:
        pad = 0.06 * max(float(np.ptp(values)), 1e-12)
        ax.set_ylim(values.min() - pad, values.max() + pad)
    ax.tick_params(labelsize=6.5, width=0.5)


def _head(ax: Any, text: str) -> None:
    """A panel's title, smaller where a line of it would not fit."""
    longest = max((len(line) for line in text.split("\n")), default=0)
    ax.set_title(text, pad=3, fontsize=7.5 if longest <= 30 else 6.2)


def _log_target(task: Task) -> bool:
    """Whether targets are drawn on logarithmic axes: positive, and over more than a factor of ten."""
    return bool(task.Y.min() > 0 and (task.Y.max(axis=0) > 10.0 * task.Y.min(axis=0)).any())


def _title(task: Task, panel: Panel) -> str:
    parts = [textwrap.shorten(task.groups[panel.group], 44, placeholder="...")] if len(task.groups) > 1 else []
    if len(task.targets) > 1:
        parts.append(task.targets[panel.target].name)
    parts += [f"{name} = {value:.3g}" for name, value in panel.fixed]
    return "\n".join(parts)


def _axis_label(variable: Variable) -> str:
    return variable.name + (f" ({variable.unit})" if variable.unit else "")


def _target_label(task: Task) -> str:
    if len(task.targets) > 1:
        return "target"
    target = task.targets[0]
    return target.name + (f" ({target.unit})" if target.unit else "")


def _label(axes: Sequence[Any], x: str, y: str) -> None:
    """Labels at the left and below the lowest panel of every column (the legend would cover figure-wide ones)."""
    across = axes[0].get_subplotspec().get_gridspec().ncols
    for number, ax in enumerate(axes):
        if number % across == 0:
            ax.set_ylabel(y, fontsize=7)
        if number + across >= len(axes):
            ax.set_xlabel(x, fontsize=7)


def _finish(
    plt: Any, figure: Any, task: Task, curves: Sequence[Curve], title: str, path: Path, *, scatter: bool = False
) -> None:
    """Title with the choice's formula, a legend with test scores, the file."""
    from matplotlib.lines import Line2D

    marks = {"choice": "o", "second": "^", "third": "v", "human": "x"}
    handles = []
    for c in curves:
        look: dict[str, Any] = {"ls": DASHES[c.role], "lw": WIDTHS[c.role]}
        if scatter:
            look = {"ls": "none", "marker": marks[c.role], "ms": 4, "mfc": "none" if c.role in ("second", "third") else None}
        handles.append(Line2D([], [], color=COLOURS[c.role], label=c.label + _scored(c.r2), **look))
    if not scatter:
        handles.append(Line2D([], [], ls="none", marker="o", ms=3, color=COLOURS["train"], label="training rows"))
    if (task.split == "test").any():
        handles.append(Line2D([], [], ls="none", marker="D", ms=4.5, color=COLOURS["test"], mec="black", mew=0.5,
                              label="test rows"))  # fmt: skip
    formula = formula_text(curves[0].fitted.program.law) if curves else ""
    lines = textwrap.wrap(formula, 118, max_lines=3, placeholder=" ...") if formula else []
    figure.suptitle("\n".join([title, *lines]), fontsize=7.5)
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if len(handles) > 4 else len(handles), fontsize=7)
    _save(plt, figure, path)


def _scored(r2: float | None) -> str:
    if r2 is None:
        return ""
    return f", test R2 {r2:.4f}" if math.isfinite(r2) and abs(r2) < 100 else ", not usable on the test rows"


def _save(plt: Any, figure: Any, path: Path) -> None:
    """A PNG without transparency, small enough to keep in a repository, from which no table can be read back."""
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    plt.close(figure)
    try:
        Image.open(buffer).convert("RGB").save(path, optimize=True)
    except OSError as error:
        raise ConfigError(f"the figure '{path}' cannot be written ({error}): name another folder") from None
