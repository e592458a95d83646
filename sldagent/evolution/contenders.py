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
    misfit: float
    """Share of the training variance that the law leaves unexplained."""
    valid: bool

    @classmethod
    def of(cls, evaluation: Evaluation) -> Figures:
        return cls(evaluation.x, evaluation.mdl, 1.0 - evaluation.train_r2, evaluation.valid)

    def outdoes(self, other: Figures, margin: float = 0.0) -> bool:
        """Whether the other is worse in X by more than `margin`, and in nothing better."""
        return self.mdl <= other.mdl and self.misfit <= other.misfit and self.x + margin <= other.x


class Contenders:
    """The front, the catalogue's laws and the laws within reach of the choice.

    Which laws the choice believes depends on the law of lowest MDL, which changes as the search goes on.  But a law that is
    believed is so together with every law that is better in MDL and in misfit; so one that such a law beats in X by more
    than `BAND` can go.  Of more than `limit` laws that stay those of lowest MDL are kept.  This bounds the memory of a
    run whatever its length.
    """

    def __init__(self, limit: int = 2000) -> None:
        self._limit = limit
        self._kept: dict[int, Figures] = {}
        self._always: set[int] = set()
        self._best: dict[int, Figures] = {}
        """Valid laws that no other outdoes."""

    def add(self, k: int, evaluation: Evaluation, front: tuple[int, ...], always: bool = False) -> None:
        """Keep candidate `k` where it may matter.

        `front` holds the indices of the present front; with `always` it is kept whatever its figures.
        """
        if always:
            self._always.add(k)
        figures = Figures.of(evaluation)
        usable = evaluation.failure is None and math.isfinite(evaluation.x)
        if usable and evaluation.valid:
            self._rank(k, figures)
        if always or k in front or (usable and self._in_reach(figures)):
            self._kept[k] = figures
        if len(self._kept) > 2 * self._limit:
            self._prune(set(front))

    @property
    def kept(self) -> dict[int, Figures]:
        """The candidates kept, in order."""
        return dict(sorted(self._kept.items()))

    @property
    def always(self) -> tuple[int, ...]:
        """Those that are kept whatever their figures."""
        return tuple(sorted(self._always))

    def restore(self, kept: dict[int, Figures], always: Iterable[int]) -> None:
        """Be as another one was whose `kept` and `always` these are."""
        self._kept, self._always, self._best = dict(kept), set(always), {}
        for k, figures in sorted(kept.items()):
            if figures.valid and math.isfinite(figures.x):
                self._rank(k, figures)

    def _rank(self, k: int, figures: Figures) -> None:
        if not any(best.outdoes(figures) for best in self._best.values()):
            self._best = {j: best for j, best in self._best.items() if not figures.outdoes(best)}
            self._best[k] = figures

    def _in_reach(self, figures: Figures) -> bool:
        return not any(best.outdoes(figures, BAND) for best in self._best.values())

    def _prune(self, front: set[int]) -> None:
        needed = self._always | front | self._best.keys()
        near = [(not f.valid, f.mdl, k) for k, f in self._kept.items() if k not in needed and self._in_reach(f)]
        kept = needed.union(k for *_, k in sorted(near)[: self._limit])
        self._kept = {k: f for k, f in self._kept.items() if k in kept}
