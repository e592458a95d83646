"""What intervals of predictions need to know of a fit, as a value that the law's document can hold.

The variance of y - f(x) at an input x is taken to be

    s(x)^2 + J(x) S J(x)' + (tau d(x))^2 + spread of the short-listed laws

with s the residual noise, S the covariance of the parameters, J(x) the derivatives of f in them, d(x) the distance beyond
the training rows (see `reach`) and tau the growth of the error per unit of it over the run's cuts, less what noise and the
spread of the parameters on the kept rows explain of it.  The half width is the root of this times a quantile: of the
studentised leave-one-out residuals where there are enough (this needs no normal distribution, as the jackknife+ of Barber et
al. 2021), else Student's t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
"""Levels at which quantiles of the residuals are kept."""


@dataclass(frozen=True)
class Block:
    """Covariance of the parameters that one group's predictions of one target (or all) depend on."""

    group: int
    target: int
    """-1: all targets."""
    names: tuple[tuple[str, tuple[int, ...]], ...]
    """Parameter and index of each, with the leading axis (the group, or 0) first."""
    covariance: FloatArray


@dataclass(frozen=True)
class Spread:
    """See the module's docstring.  Axes (targets, groups) unless said otherwise."""

    relative: bool
    """Residual noise is proportional to the prediction."""
    column: str | None
    """Column of relative standard deviations that noise follows."""
    typical: float
    """Its typical value over the training rows, for tables that lack it (1 without one)."""
    noise: FloatArray
    """Standard deviation of the residual noise, per unit of prediction (`relative`) and of the column."""
    freedom: FloatArray
    """(targets,) degrees of freedom of the residuals over all groups."""
    tail: FloatArray
    """(targets, LEVELS) quantile of |studentised residuals| over Student's t; ones where there are few rows."""
    blocks: tuple[Block, ...]
    box: Mapping[str, Any]
    """`Box.plain` of the training rows."""
    growth: FloatArray
    """Standard deviation per unit of distance beyond the training rows, in the units of `noise`; zeros: not known."""
    cuts: tuple[Mapping[str, Any], ...] = ()
    """Per cut and target: cut, target, reach (root mean square distance of its held rows beyond the kept), and the root
    mean square errors `inside` and `beyond`, in standard deviations of the target."""
    growth_relative: bool = False
    """`growth` is proportional to the prediction."""

    def factor(self, level: float) -> FloatArray:
        """(targets,) half width of a central interval, in standard deviations."""
        from scipy.special import stdtrit

        shape = np.array([np.interp(level, LEVELS, row) for row in self.tail])
        return np.asarray(shape * stdtrit(np.maximum(self.freedom, 1.0), 0.5 + 0.5 * level))

    def plain(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return {
            "relative": self.relative,
            "column": self.column,
            "typical": self.typical,
            "noise": self.noise.tolist(),
            "freedom": self.freedom.tolist(),
            "levels": list(LEVELS),
            "tail": self.tail.tolist(),
            "covariance": [
                {
                    "group": b.group,
                    "target": b.target,
                    "names": [[name, list(index)] for name, index in b.names],
                    "values": b.covariance.tolist(),
                }
                for b in self.blocks
            ],
            "box": dict(self.box),
            "growth": self.growth.tolist(),
            "growth_relative": self.growth_relative,
            "cuts": [dict(c) for c in self.cuts],
        }

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Spread:
        """What `plain` returned.  Raises KeyError, TypeError or ValueError where it is something else."""
        tail, levels = np.asarray(values["tail"], dtype=float), np.asarray(values["levels"], dtype=float)
        return cls(
            relative=bool(values["relative"]),
            column=values["column"],
            typical=float(values["typical"]),
            noise=np.asarray(values["noise"], dtype=float),
            freedom=np.asarray(values["freedom"], dtype=float),
            tail=np.array([np.interp(LEVELS, levels, row) for row in tail]),
            blocks=tuple(
                Block(
                    int(b["group"]),
                    int(b["target"]),
                    tuple((str(name), tuple(int(i) for i in index)) for name, index in b["names"]),
                    np.asarray(b["values"], dtype=float),
                )
                for b in values["covariance"]
            ),
            box=dict(values["box"]),
            growth=np.asarray(values["growth"], dtype=float),
            growth_relative=bool(values["growth_relative"]),
            cuts=tuple(dict(c) for c in values["cuts"]),
        )
