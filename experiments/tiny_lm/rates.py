"""Learning rates: the parabola of a cell, its vertex and flags, and the law lr*(N, D).  Needs NumPy only."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from . import grid


@dataclass(frozen=True)
class Run:
    """The columns of one row of ``runs.csv`` that the tables use."""

    phase: str
    width: int
    n_params: int
    total_params: int
    tokens: int
    lr: float
    seed: int
    flops: int
    loss: float
    diverged: bool
    seconds: float


@dataclass(frozen=True)
class Point:
    """The mean loss of a cell's seeds at one learning rate."""

    lr: float
    loss: float
    seeds: int


P = TypeVar("P", Run, Point)


@dataclass(frozen=True)
class Vertex:
    """The vertex of a parabola in ln lr through three runs of one cell."""

    lr: float
    loss: float
    curvature: float
    edge: bool


def load_runs(path: Path) -> list[Run]:
    """Read ``runs.csv``; an absent file has no runs."""
    if not path.exists():
        return []
    with path.open(newline="") as handle:
        return [
            Run(
                phase=row["phase"],
                width=int(row["width"]),
                n_params=int(row["n_params"]),
                total_params=int(row["total_params"]),
                tokens=int(row["tokens"]),
                lr=float(row["lr"]),
                seed=int(row["seed"]),
                flops=int(row["flops"]),
                loss=float(row["val_loss"]),
                diverged=row["diverged"] == "1",
                seconds=float(row["train_seconds"]) + float(row["eval_seconds"]),
            )
            for row in csv.DictReader(handle)
        ]


def cell_runs(runs: Sequence[Run], width: int, tokens: int, seed: int = 0) -> list[Run]:
    """Return a cell's finished runs of one seed in the order of the learning rate, without diverged ones."""
    found = [r for r in runs if (r.width, r.tokens, r.seed) == (width, tokens, seed) and not r.diverged]
    return sorted(found, key=lambda r: r.lr)


def cell_points(runs: Sequence[Run], width: int, tokens: int) -> list[Point]:
    """Return a cell's points: means over all its seeds where these share three rates, else seed 0 alone."""
    groups: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        if (run.width, run.tokens) == (width, tokens) and not run.diverged:
            groups[run.lr].append(run.loss)
    most = max(map(len, groups.values()), default=0)
    shared = [rate for rate, losses in sorted(groups.items()) if len(losses) == most]
    if most > 1 and len(shared) >= 3:
        return [Point(rate, sum(groups[rate]) / most, most) for rate in shared]
    return [Point(r.lr, r.loss, 1) for r in cell_runs(runs, width, tokens)]


def _bracket(points: Sequence[P]) -> Sequence[P]:
    """Return the best point and its neighbours, the last three at an end of the range."""
    best = min(range(len(points)), key=lambda i: points[i].loss)
    first = min(max(best - 1, 0), len(points) - 3)
    return points[first : first + 3]


def bracket_rates(runs: Sequence[Run], width: int, tokens: int) -> list[float]:
    """Return the three learning rates of seed 0 around its best one; fewer where there are fewer."""
    points = cell_runs(runs, width, tokens)
    return [r.lr for r in (_bracket(points) if len(points) >= 3 else points)]


def vertex(points: Sequence[P]) -> Vertex | None:
    """Fit the parabola through the best run and its neighbours in learning rate.

    At the end of the measured range the last three runs are used.  A vertex outside the range, or a parabola
    that is not convex, is flagged as an edge; the best run then stands in for the vertex.
    """
    if len(points) < 3:
        return None
    best = min(points, key=lambda p: p.loss)
    three = _bracket(points)
    x = np.array([math.log(r.lr) for r in three])
    a, b, c = np.polyfit(x - x[1], [r.loss for r in three], 2)
    low, high = x[0] - x[1], x[2] - x[1]
    at = -b / (2 * a) if a > 0 else math.inf
    if not low <= at <= high:
        return Vertex(best.lr, best.loss, float(2 * a), True)
    return Vertex(math.exp(at + x[1]), float(c - b * b / (4 * a)), float(2 * a), False)


def _beyond(points: Sequence[P]) -> float | None:
    """Return a learning rate a factor of two beyond the end at which the best point lies, or None."""
    best = min(points, key=lambda p: p.loss)
    if best.lr == points[0].lr:
        return grid.round_rate(best.lr / 2)
    return grid.round_rate(best.lr * 2) if best.lr == points[-1].lr else None


def next_edge_rate(runs: Sequence[Run], width: int, tokens: int) -> float | None:
    """Return one more learning rate beyond the end of seed 0's range where its best run lies, or None."""
    points = cell_runs(runs, width, tokens)
    return _beyond(points) if len(points) >= 3 else None


def refined_rate(runs: Sequence[Run], width: int, tokens: int) -> float | None:
    """Return one more learning rate for all seeds of a cell, or None where its mean parabola is sound.

    It is the rate beyond the end where the best mean lies, or the vertex itself where its loss is far below
    the best measured mean: such a parabola spans a steep side, and its vertex should be measured.
    """
    points = cell_points(runs, width, tokens)
    found = vertex(points)
    if found is None:
        return None
    beyond = _beyond(points)
    if beyond is not None:
        nearby = [
            r.lr for r in runs if (r.width, r.tokens) == (width, tokens) and abs(r.lr / beyond - 1) < 0.01
        ]
        return nearby[0] if nearby else beyond
    if found.edge or min(p.loss for p in points) - found.loss <= grid.STEEP_GAP:
        return None
    return grid.round_rate(found.lr)


def fit_rate_law(runs: Sequence[Run]) -> tuple[np.ndarray, float, int]:
    """Fit ln lr* = a + b ln N + c ln D on the unflagged vertices with D <= 1M.

    Returns the three coefficients, the residual standard deviation in ln lr and the number of vertices.
    """
    rows, y = [], []
    for width, tokens in grid.cells():
        if tokens <= grid.SHORT_TOKENS:
            found = vertex(cell_points(runs, width, tokens))
            if found is not None and not found.edge:
                rows.append([1.0, math.log(grid.non_embedding(width)), math.log(tokens)])
                y.append(math.log(found.lr))
    if len(y) < 6:
        raise ValueError(f"only {len(y)} unflagged vertices: too few for the law of the learning rate")
    design, target = np.array(rows), np.array(y)
    coefficients = np.linalg.lstsq(design, target, rcond=None)[0]
    residual = target - design @ coefficients
    return coefficients, float(np.sqrt(residual @ residual / (len(y) - 3))), len(y)


def predicted_rate(runs: Sequence[Run], width: int, tokens: int) -> float:
    """Return the predicted best learning rate; one already used for the cell is kept."""
    for run in runs:
        if run.phase == "predicted" and (run.width, run.tokens) == (width, tokens):
            return run.lr
    a, b, c = fit_rate_law(runs)[0]
    return grid.round_rate(math.exp(a + b * math.log(grid.non_embedding(width)) + c * math.log(tokens)))
