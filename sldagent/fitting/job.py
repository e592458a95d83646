"""One fit to be done, as a value: what the engines take in batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sldagent.fitting.result import Effort, Point
from sldagent.fitting.rows import Rows
from sldagent.fitting.tape import CompiledLaw
from sldagent.laws.program import Recipe


@dataclass(frozen=True)
class Job:
    """A law to be fitted to rows, once for every weight set."""

    law: CompiledLaw
    """Compiled for the rows' task."""
    rows: Rows
    recipe: Recipe
    rng: np.random.Generator
    """Of the random starts."""
    weights: NDArray[np.float64] | None = None
    """(sets, targets, rows) factors of the weights of squared residuals, rows in the order of `rows`: 0 leaves a row out
    (a cut), counts make a bootstrap.  None: one set of ones."""
    warm: Point | None = None
    """A further start; its blocks are those of `rows`."""
    effort: Effort | None = None
    """How hard to try; default from the recipe."""

    @property
    def tries(self) -> Effort:
        """The effort, or its default."""
        return self.effort or Effort(starts=self.recipe.starts)

    @property
    def warm_alone(self) -> bool:
        """Whether the CPU engine goes on from the warm start and tries no other."""
        return self.warm is not None and self.effort is not None and self.effort.starts == 0

    @property
    def starts(self) -> int:
        """Random starts of every problem: more where more parameters are not affine, one where all are."""
        bent = int((~self.law.linear).sum())
        most = max(self.tries.starts, 1)
        return int(np.clip(most * (0.25 + 0.375 * bent), 2, 3 * most)) if bent else 1

    @property
    def work(self) -> int:
        """Weight sets x targets x rows x starts: what the time of a fit is about proportional to."""
        return (1 if self.weights is None else len(self.weights)) * self.rows.Y.size * self.starts
