"""Programs: a law, its parameters' declarations and the fit recipe.

These are plain values; `sldagent.laws.parse` reads them from text and `sldagent.laws.render` writes them back.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
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
    """Random starts screened per fit, on top of any warm start; a thorough fit takes a number of its own."""
    ridge: tuple[tuple[str, float], ...] = ()
    """(parameter, weight): penalty on squares in standardised units, where a weight counts rows; see
    `sldagent.fitting.ridge`."""
    emphasis: float = 0.0
    """Weight of larger scale: a row's loss counts exp(emphasis * z), z its standardised log scale within its group."""
    shrink: tuple[tuple[str, float], ...] = ()
    """(parameter, weight): penalty weight * sum over groups of the squared deviation from their mean, in the parameter's own
    unit (relative for positive ones), relative to the mean squared residual's scale; see `sldagent.fitting.shrink`."""

    @property
    def penalised(self) -> frozenset[str]:
        """Parameters that a penalty names."""
        return frozenset(name for name, _ in (*self.ridge, *self.shrink))

    def only(self, parameters: Collection[str]) -> Recipe:
        """Without the penalties on other parameters."""
        ridge, shrink = (tuple(w for w in weights if w[0] in parameters) for weights in (self.ridge, self.shrink))
        return replace(self, ridge=ridge, shrink=shrink)

    def renamed(self, names: Mapping[str, str]) -> Recipe:
        """With the parameters that penalties name renamed; those not in `names` stay."""
        ridge, shrink = (tuple((names.get(n, n), w) for n, w in weights) for weights in (self.ridge, self.shrink))
        return replace(self, ridge=ridge, shrink=shrink)


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
