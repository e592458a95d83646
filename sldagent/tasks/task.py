"""A task: a table of experiments with roles, as arrays.

Everything below the command line works on this value; nothing in it changes after construction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal["scale", "setting", "proportion"]
Direction = Literal["decreasing", "increasing"]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Variable:
    """One input column."""

    name: str
    """Column name in the table."""
    symbol: str
    """Python identifier that laws use for it (equal to `name` where that is an identifier)."""
    role: Role
    log: bool = False
    """True where the column already holds a logarithm."""
    log_base: float = math.e
    """Base of that logarithm; used to extend a range by a decade."""
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class Target:
    """One predicted column."""

    name: str
    range: tuple[float, float] = (-math.inf, math.inf)
    """Values a valid law may predict."""
    unit: str = ""
    description: str = ""
    monotone: Mapping[str, Direction] = field(default_factory=dict)
    """Declared monotonicity by variable symbol."""
    limit: tuple[float, float] | None = None
    """Interval that the prediction must lie in when every scale variable is taken four decades beyond the
    data; None: unknown.
    """


@dataclass(frozen=True)
class Noise:
    """How residuals are scaled before they are judged."""

    kind: Literal["constant", "proportional", "column"] = "constant"
    column: str | None = None


@dataclass(frozen=True)
class Task:
    """A table of experiments with roles.

    Arrays have one entry per row of the table, in table order: `X` (n, variables), `Y` (n, targets), `group`
    (n,) indices into `groups`, `split` (n,) of 'train'/'test' and so on (all 'train' without a split column),
    `run` (n,) integer ids or None, `noise_scale` (n,) relative standard deviations (ones for constant noise).
    """

    name: str
    variables: tuple[Variable, ...]
    targets: tuple[Target, ...]
    X: FloatArray
    Y: FloatArray
    group: NDArray[np.int64]
    groups: tuple[str, ...]
    split: NDArray[np.str_]
    description: str = ""
    group_column: str | None = None
    split_column: str | None = None
    run: NDArray[np.int64] | None = None
    noise: Noise = Noise()
    noise_scale: FloatArray = field(default_factory=lambda: np.ones(0))
    vectors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Vector name -> symbols of its variables (proportions that sum to one), e.g. ``{"r": ("r1", "r2")}``."""
    max_parameters: int | None = None
    """The card's own limit on fitted scalars per group and target."""
    at: FloatArray | None = None
    """(m, variables): inputs at which predictions are wanted (targeted mode), or None."""
    source: str = ""
    """Where the table was read from, for messages."""
    notes: tuple[str, ...] = ()
    """Guesses made while reading (roles, ranges, columns ignored); printed to the user."""

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(v.symbol for v in self.variables)

    def rows(self, mask: NDArray[np.bool_]) -> Task:
        """The same task with the selected rows only (groups keep their indices)."""
        return replace(
            self,
            X=self.X[mask],
            Y=self.Y[mask],
            group=self.group[mask],
            split=self.split[mask],
            run=None if self.run is None else self.run[mask],
            noise_scale=self.noise_scale[mask],
        )

    def part(self, split: str) -> Task:
        """Rows of one split.  Discovery only ever sees ``part('train')``."""
        return self.rows(self.split == split)


def inputs(task: Task, X: FloatArray, group: NDArray[np.int64]) -> Task:
    """Rows without measurements under the roles of a task: `X` (n, variables), `group` (n,)."""
    n = len(X)
    return replace(
        task, X=X, Y=np.full((n, len(task.targets)), np.nan), group=group, split=np.full(n, "train"), run=None,
        noise_scale=np.ones(n), at=None,
    )  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """One division of training rows into kept (smaller scale) and held out (larger scale)."""

    name: str
    """Readable, e.g. ``D: top level`` or ``joint: top 20 %``."""
    variable: str
    """Symbol of the variable cut, ``joint``, ``mixture``, ``mixture-fold`` (``setting``, ``setting-fold``
    without proportions) or ``target`` (targeted mode): scores average within it first.
    """
    kept: NDArray[np.bool_]
    held: NDArray[np.bool_]
    reach: float
    """Largest held-out over largest kept value of the variable, as a ratio (for several variables: of their
    geometric mean along the joint direction; for mixtures: of the distance from the centre).
    """
    extrapolates: bool = True
    """False for the folds that only interpolate (mixtures)."""
