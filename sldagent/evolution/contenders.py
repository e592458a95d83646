"""The candidates whose whole record is kept in memory: those that the choice and the report may need."""

from __future__ import annotations

import math

from sldagent.archive.records import CandidateRecord
from sldagent.evaluation.result import Evaluation

BAND = math.log(2.0) + 0.1
"""The choice looks at laws whose X is at most ln 2 above the best; a little more is kept."""


class Contenders:
    """Records of the front, of the catalogue's laws and of the laws within reach of the choice.

    The choice takes the lowest MDL among laws whose X is nearly the best, so of more than `limit` laws within
    `BAND` of the best X those of lowest MDL stay.  This bounds the memory of a run whatever its length.
    """

    def __init__(self, limit: int = 2000) -> None:
        self._limit = limit
        self._records: dict[int, CandidateRecord] = {}
        self._always: set[int] = set()
        self._best = math.inf

    def add(self, record: CandidateRecord, front: tuple[int, ...], always: bool = False) -> None:
        """Keep `record` where it may matter.

        `front` holds the indices of the present front; with `always` it is kept whatever its figures.
        """
        if always:
            self._always.add(record.k)
        evaluation = record.evaluation
        usable = evaluation.failure is None and math.isfinite(evaluation.x)
        if usable and evaluation.valid:
            self._best = min(self._best, evaluation.x)
        near = usable and evaluation.x <= self._best + BAND
        if always or near or record.k in front:
            self._records[record.k] = record
        if len(self._records) > 2 * self._limit:
            self._prune(set(front))

    def get(self, k: int) -> CandidateRecord:
        return self._records[k]

    def entries(self) -> list[tuple[int, Evaluation]]:
        """Usable candidates for the choice, in order of k."""
        return [(k, r.evaluation) for k, r in sorted(self._records.items()) if r.evaluation.failure is None]

    def _prune(self, front: set[int]) -> None:
        needed = self._always | front
        worst = self._best + BAND
        near = [r for k, r in self._records.items() if k not in needed and r.evaluation.x <= worst]
        near.sort(key=lambda r: (not r.evaluation.valid, r.evaluation.mdl, r.k))
        kept = needed.union(r.k for r in near[: self._limit])
        self._records = {k: r for k, r in self._records.items() if k in kept}
