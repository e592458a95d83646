"""What the grammar knows about a task: its variables with their ranges, and what values its targets take.

Only training rows are read, and of the targets only signs, spread and the direction of the trend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks.task import FloatArray, Role, Task


@dataclass(frozen=True)
class View:
    """One scalar variable as the grammar sees it."""

    symbol: str
    role: Role
    log: bool
    base: float
    low: float
    """Smallest and largest value in the training rows (of the column, so of the logarithm where `log`)."""
    high: float
    trend: float
    """Mean rank correlation with the targets, within groups: -1 (falling) to 1 (rising)."""

    @property
    def positive(self) -> bool:
        """A positive quantity in raw units: may stand in powers, ratios and logarithms."""
        return not self.log and self.low > 0 and self.role != "proportion"

    @property
    def loggable(self) -> bool:
        """Has a logarithm that laws may use: the column itself where it already is one."""
        return self.log or self.positive

    @property
    def log_range(self) -> tuple[float, float]:
        """Range of the expression that stands for log x."""
        return (self.low, self.high) if self.log else (math.log(self.low), math.log(self.high))


@dataclass(frozen=True)
class VectorView:
    """A vector variable (proportions that sum to one)."""

    symbol: str
    size: int
    own: bool
    """True where element i belongs to target i, so that laws may use ``r[i]``."""


Slot = View | VectorView


@dataclass(frozen=True)
class Profile:
    """A task as the grammar sees it."""

    views: tuple[View, ...]
    """Scalar variables that vary; members of vectors are not among them."""
    vectors: tuple[VectorView, ...]
    members: tuple[View, ...]
    """The vectors' members, as scalars."""
    targets: int
    groups: int
    rows: int
    """Training rows of the median group."""
    loss_like: bool
    """Every target is declared non-negative and does not rise with scale: floors and amplitudes are positive."""
    positive: bool
    """Every training value of every target is positive: relative and log residuals are possible."""
    nonzero: bool
    bounds: tuple[float, float] | None
    """The targets' common finite range, if it is (0, 1), (-1, 0) or (-1, 1)."""
    spread: float
    """Median standard deviation of a target within a group, in the target's units."""
    pairs: tuple[tuple[View, View], ...]
    """(unique, total): positive scale variables with unique <= total on all rows, < on some."""
    max_parameters: int | None
    sizes: dict[str, int]
    """Length of each vector of the task."""
    reserved: frozenset[str]
    """Names that parameters must not have."""

    def slot(self, code: str) -> tuple[Slot, ...]:
        """The variables that fit a slot (see `assignments`)."""
        match code:
            case "x":
                return tuple(v for v in self.views if v.loggable)
            case "n":
                return tuple(v for v in self.views if v.loggable and v.role == "scale")
            case "s":
                return tuple(v for v in self.views if v.loggable and v.role == "setting")
            case "p":
                return tuple(v for v in self.views if v.positive)
            case "z":
                return tuple(v for v in self.views if not v.loggable)
            case "v":
                return self.vectors
            case "o":
                return tuple(v for v in self.vectors if v.own)
            case "m":
                return self.members
            case "1":
                return tuple(v for v in self.views if v.positive and v.low >= 1)
            case _:
                raise KeyError(code)

    def assignments(self, slots: str) -> tuple[tuple[Slot, ...], ...]:
        """All ordered choices of distinct variables for a string of slot codes.

        ``x`` any variable with a logarithm, ``n`` such a scale, ``s`` such a setting, ``p`` a positive quantity, ``1``
        one that is at least 1, ``z`` a variable without logarithm (zeros or negative values), ``v`` a vector, ``o`` a
        vector with one element per target, ``m`` a single member of a vector, ``ud`` a (unique, total) pair, ``*`` all
        variables with a logarithm, at least two.
        """
        if slots == "*":
            every = self.slot("x")
            return (every,) if len(every) > 1 else ()
        if slots.startswith("ud"):
            rest = slots[2:]
            if not rest:
                return self.pairs
            return tuple((*pair, *more) for pair in self.pairs for more in self._rest(rest, pair))
        return tuple(self._rest(slots, ()))

    def _rest(self, slots: str, used: tuple[Slot, ...]) -> Iterator[tuple[Slot, ...]]:
        if not slots:
            yield ()
            return
        for v in self.slot(slots[0]):
            if v not in used:
                for more in self._rest(slots[1:], (*used, v)):
                    yield (v, *more)


def profile(task: Task) -> Profile:
    """Read a task's training rows."""
    train = task.part("train")
    if not len(train.X):
        train = task
    members = {s for symbols in task.vectors.values() for s in symbols}
    views: list[View] = []
    parts: list[View] = []
    for j, variable in enumerate(task.variables):
        column = train.X[:, j]
        if not len(column) or column.min() == column.max():
            continue
        (parts if variable.symbol in members else views).append(View(
            variable.symbol, variable.role, variable.log, variable.log_base, float(column.min()), float(column.max()),
            _trend(column, train.Y, train.group),
        ))
    m = len(task.targets)
    vectors = tuple(VectorView(name, len(s), m > 1 and len(s) == m) for name, s in task.vectors.items())
    ranges = {t.range for t in task.targets}
    low = min(t.range[0] for t in task.targets)
    scales = [v for v in views if v.role == "scale"]
    rising = bool(scales) and float(np.mean([v.trend for v in scales])) > 0.3
    counts = np.bincount(train.group) if len(train.group) else np.ones(1, dtype=np.int64)
    bounds = next(iter(ranges)) if len(ranges) == 1 else None
    return Profile(
        views=tuple(views), vectors=vectors, members=tuple(parts), targets=m, groups=max(1, int((counts > 0).sum())),
        rows=int(np.median(counts[counts > 0])),
        loss_like=low >= 0 and not rising, positive=bool((train.Y > 0).all()), nonzero=bool((train.Y != 0).all()),
        bounds=bounds if bounds in ((0.0, 1.0), (-1.0, 0.0), (-1.0, 1.0)) else None,
        spread=_spread(train.Y, train.group), pairs=_pairs(views, task.symbols, train.X),
        max_parameters=task.max_parameters, sizes={k: len(s) for k, s in task.vectors.items()},
        reserved=frozenset(task.symbols) | frozenset(task.vectors),
    )


def _ranks(x: FloatArray) -> FloatArray:
    """Ranks with ties shared, so that a column with few levels still correlates fully."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[inverse]


def _trend(x: FloatArray, y: FloatArray, group: NDArray[np.int64]) -> float:
    """Rank correlation of x with each target within each group, averaged with the groups' sizes as weights."""
    total, weight = 0.0, 0
    for g in np.unique(group):
        rows = group == g
        a = _ranks(x[rows])
        if len(a) < 3 or a.std() == 0:
            continue
        for t in range(y.shape[1]):
            b = _ranks(y[rows, t])
            if b.std() > 0:
                total += len(a) * float(np.corrcoef(a, b)[0, 1])
            weight += len(a)
    return total / weight if weight else 0.0


def _spread(y: FloatArray, group: NDArray[np.int64]) -> float:
    deviations = [y[group == g].std(axis=0) for g in np.unique(group)]
    value = float(np.median(np.concatenate(deviations))) if deviations else 1.0
    return value if value > 0 and math.isfinite(value) else 1.0


def _pairs(views: list[View], symbols: tuple[str, ...], X: FloatArray) -> tuple[tuple[View, View], ...]:
    """Pairs in which one quantity never exceeds the other and equals it somewhere within a factor of 1.5."""
    positive = [v for v in views if v.positive and v.role == "scale"]
    found = []
    for u, d in permutations(positive, 2):
        ratio = X[:, symbols.index(d.symbol)] / X[:, symbols.index(u.symbol)]
        if ratio.min() >= 1.0 - 1e-9 and ratio.min() < 1.5 and ratio.max() > 1.0:
            found.append((u, d))
    return tuple(found)
