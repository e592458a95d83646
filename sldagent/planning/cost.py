"""Costs of a run as formulas over a law's variables, such as 6*N*D (FLOPs of training; Kaplan et al. 2020, 2001.08361)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.errors import LawError, PlanError
from sldagent.fitting.graph import Layout
from sldagent.fitting.public import predict
from sldagent.laws.parse import parse_formula
from sldagent.laws.program import Law

FloatArray = NDArray[np.float64]

STEP = 1e-5
"""Step in the logarithm of a variable for the slope of the cost."""
ROUNDS = 60
FAR = 1e40
"""Where the search for a variable's value begins."""
EXACT = 1e-12


@dataclass(frozen=True)
class Cost:
    """A positive cost that a formula gives to every input of a law."""

    text: str
    law: Law
    layout: Layout
    """Columns of the inputs."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Symbols that the cost depends on."""
        return self.law.variables

    def __call__(self, X: FloatArray) -> FloatArray:
        """(n,) cost of inputs (n, variables)."""
        return predict(self.law, {}, X, np.zeros(len(X), dtype=np.int64), self.layout)[:, 0]

    def solve(self, X: FloatArray, column: int, amount: FloatArray) -> FloatArray:
        """(n,) values of one variable at which inputs cost `amount` (n,), the others as in `X`.

        Newton's method on the logarithms of cost and variable.  A sum of products of powers with positive factors is convex
        there, so that from far above the steps come down on the solution without passing it; a single product takes one.
        NaN where there is no such value: what the other variables cost is too much already.

        Raises PlanError where the cost does not grow with the variable.
        """
        X = X.copy()
        X[:, column] = FAR
        wanted = np.log(amount)
        with np.errstate(all="ignore"):
            for k in range(ROUNDS):
                gap = np.log(self(X)) - wanted
                if not (np.abs(gap) > EXACT * np.maximum(1.0, np.abs(wanted))).any():
                    break
                ahead = X.copy()
                ahead[:, column] *= np.exp(STEP)
                slope = (np.log(self(ahead)) - np.log(self(X))) / STEP
                if k == 0 and not (slope > 0).any():
                    raise PlanError(f"the cost '{self.text}' does not grow with the variable that is to spend the compute")
                X[:, column] *= np.exp(-np.clip(gap / np.maximum(slope, 1e-9), -60.0, 60.0))
            value = X[:, column]
            return np.where(np.abs(np.log(self(X)) - wanted) < 1e-9 * np.maximum(1.0, np.abs(wanted)), value, np.nan)


def read_cost(text: str, symbols: Sequence[str], layout: Layout) -> Cost:
    """The cost in `text`.  Raises PlanError naming what is not a variable of the law."""
    try:
        law = parse_formula(text, symbols)
    except LawError as error:
        raise PlanError(f"the cost '{text}' cannot be read: {error}") from None
    if law.parameters:
        raise PlanError(
            f"the cost '{text}' names '{law.parameters[0].name}', which is no variable of the law: "
            f"it has {', '.join(symbols)}"
        )
    if not law.variables:
        raise PlanError(f"the cost '{text}' depends on no variable of the law, which has {', '.join(symbols)}")
    return Cost(text, law, layout)
