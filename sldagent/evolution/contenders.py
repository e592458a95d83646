"""The candidates that the choice and the report may need: which, not what they hold; the archive has that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from sldagent.evaluation.result import Evaluation

BAND = math.log(2.0) + 0.1
"""The choice looks at laws whose X is at most ln 2 above the best; a little more is kept."""


class Figures(NamedTuple):
    """What decides whether a candidate stays a contender."""

    x: float
    mdl: float
    valid: bool


class Contenders:
    """The front, the catalogue's laws and the laws within reach of the choice.

    The choice takes the lowest MDL among laws whose X is nearly the best, so of more than `limit` laws within
    `BAND` of the best X those of lowest MDL stay.  This bounds the memory of a run whatever its length.
    """

    def __init__(self, limit: int = 2000) -> None:
        self._limit = limit
        self._kept: dict[int, Figures] = {}
        self._always: set[int] = set()
        self._best = math.inf

    def add(self, k: int, evaluation: Evaluation, front: tuple[int, ...], always: bool = False) -> None:
        """Keep candidate `k` where it may matter.

        `front` holds the indices of the present front; with `always` it is kept whatever its figures.
        """
        if always:
            self._always.add(k)
        usable = evaluation.failure is None and math.isfinite(evaluation.x)
        if usable and evaluation.valid:
            self._best = min(self._best, evaluation.x)
        near = usable and evaluation.x <= self._best + BAND
        if always or near or k in front:
            self._kept[k] = Figures(evaluation.x, evaluation.mdl, evaluation.valid)
        if len(self._kept) > 2 * self._limit:
            self._prune(set(front))

    @property
    def indices(self) -> tuple[int, ...]:
        """Of the candidates kept, in order."""
        return tuple(sorted(self._kept))

    @property
    def always(self) -> tuple[int, ...]:
        """Of those that are kept whatever their figures."""
        return tuple(sorted(self._always))

    @property
    def best(self) -> float:
        """Lowest X of a valid law so far."""
        return self._best

    def restore(self, kept: dict[int, Figures], always: Iterable[int], best: float) -> None:
        """Be as another one was whose `indices`, `always` and `best` these are."""
        self._kept, self._always, self._best = dict(kept), set(always), best

    def _prune(self, front: set[int]) -> None:
        needed = self._always | front
        worst = self._best + BAND
        near = [(not f.valid, f.mdl, k) for k, f in self._kept.items() if k not in needed and f.x <= worst]
        kept = needed.union(k for *_, k in sorted(near)[: self._limit])
        self._kept = {k: f for k, f in self._kept.items() if k in kept}
