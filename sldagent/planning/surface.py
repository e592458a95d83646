"""A law of one group and target as a function of its inputs, for the fitted constants and for resampled ones at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import PlanError
from sldagent.fitted import Fitted
from sldagent.fitting.graph import Layout
from sldagent.fitting.public import predict
from sldagent.laws.program import Law

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Surface:
    """The law's prediction as a function of its inputs.

    Draw 0 holds the fitted constants, the others (if any) constants refitted to resampled rows.
    """

    law: Law
    layout: Layout
    target: int
    constants: Mapping[str, FloatArray]
    """By name; leading axis: draws."""
    draws: int

    def __call__(self, draw: IntArray, X: FloatArray) -> FloatArray:
        """(n,) predictions for inputs (n, variables), each with the constants of its draw (n,); infinite where undefined."""
        with np.errstate(all="ignore"):
            values = predict(self.law, self.constants, X, draw, self.layout)[:, self.target]
        return np.where(np.isfinite(values), values, np.inf)


def surface(law: Fitted, group: int, target: int, draws: Sequence[Mapping[str, FloatArray]] = ()) -> Surface:
    """The law of one of its groups; `draws` are further sets of constants with the axes of ``law.parameters``."""
    constants = {}
    for name in law.parameters:
        rows = [np.asarray(p[name])[group if len(p[name]) > 1 else 0] for p in (law.parameters, *draws)]
        if np.isnan(rows[0]).any():
            raise PlanError(f"{law.law} has no constants for the group '{law.groups[group]}': it had no training rows")
        constants[name] = np.stack(rows)
    return Surface(law.program.law, layout_of_card(law), target, constants, 1 + len(draws))


def layout_of_card(law: Fitted, targets: int | None = None) -> Layout:
    """Columns of the law's inputs, in the order of its card's variables."""
    columns = {str(v["symbol"]): k for k, v in enumerate(law.card["variables"])}
    vectors = {str(name): [columns[s] for s in members] for name, members in law.card.get("vectors", {}).items()}
    return Layout(columns, vectors, len(law.targets) if targets is None else targets)
