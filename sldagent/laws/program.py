"""Programs: a law, its parameters' declarations and the fit recipe.

These are plain values; `sldagent.laws.parse` reads them from text and `sldagent.laws.render` writes them back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from sldagent.laws.expr import Expr

Kind = Literal["positive", "real", "interval"]
Scope = Literal["group", "shared"]
Loss = Literal["squared", "huber", "absolute"]
Space = Literal["raw", "relative", "log"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Declaration of one fitted parameter (scalar, or an array when the law indexes it)."""

    name: str
    kind: Kind = "real"
    """``positive`` (0, inf), ``real`` (-inf, inf) or ``interval`` [lower, upper]."""
    lower: float = -math.inf
    upper: float = math.inf
    start: tuple[float, float] | None = None
    """Range that random starts are drawn from; None: inferred from the law and the data's scale."""
    scope: Scope = "group"
    """``group``: own value per group; ``shared``: one value for all groups."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a law's parameters are found."""

    loss: Loss = "squared"
    space: Space = "raw"
    """Residuals are f - y (raw), (f - y) / |y| (relative) or log f - log y (log)."""
    delta: float = 1e-3
    """Threshold of the Huber loss, in units of the residual."""
    starts: int = 16
    """Random starts screened per fit, on top of any warm start."""
    ridge: tuple[tuple[str, float], ...] = ()
    """(parameter, weight): penalty weight * sum(parameter**2), relative to the mean squared residual's scale."""
    emphasis: float = 0.0
    """Weight of larger scale: a row's loss counts exp(emphasis * z), z its standardised log scale within its group."""


@dataclass(frozen=True, slots=True)
class Law:
    """A formula over task variables and parameters.

    `vectors` are named lists of expressions (``z = [log(N), log(D)]``) that sums run over; vectors of task variables (a
    group of proportions) come from the task and are not listed here.
    """

    variables: tuple[str, ...]
    """Symbols of the scalar task variables and of the task's vectors that the law uses."""
    expr: Expr
    parameters: tuple[Parameter, ...]
    vectors: tuple[tuple[str, tuple[Expr, ...]], ...] = ()

    def parameter(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)


@dataclass(frozen=True, slots=True)
class Program:
    """A law with its fit recipe: what a proposer writes and evolution mutates."""

    law: Law
    recipe: Recipe = field(default_factory=Recipe)
    custom_fit: str | None = None
    """Source of a custom fitting function; untrusted, runs only in the jail.  None for declared recipes."""
