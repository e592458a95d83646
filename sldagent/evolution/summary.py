"""What a run hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sldagent.archive.records import CandidateRecord, FinalStatus
from sldagent.evaluation.choice import Choice
from sldagent.evolution.stop import StopReason


@dataclass(frozen=True)
class RunSummary:
    """The end of a run, in memory; everything in it is in the archive too."""

    run: str
    status: FinalStatus
    """``complete``, or ``stopped`` when the user ended it or no language model could be asked."""
    stopped_by: StopReason
    seconds: float
    candidates: int
    """Committed, failures included."""
    failures: Mapping[str, int]
    """Number of candidates by reason."""
    front: tuple[int, ...]
    """Candidate indices by rising complexity."""
    choice: Choice | None
    """None when no valid law was found, or the run was interrupted before one could be chosen."""
    catalogue: tuple[int, ...]
    """Indices of the published laws that were refitted as seeds."""
    reason: str
    """Why that law, or why none, in one sentence."""
    records: Mapping[int, CandidateRecord]
    """Whole records of the front, the choice, the short list and the catalogue's laws, by candidate index."""
    trouble: str = ""
    """Why no language model could be asked, where that paused the run."""

    @property
    def shortlist(self) -> tuple[int, ...]:
        """Candidate indices, best first; empty without a choice."""
        return () if self.choice is None else tuple(self.choice.shortlist)

    def law(self, k: int) -> str:
        """The law id of a candidate."""
        return f"{self.run}-{k}"
