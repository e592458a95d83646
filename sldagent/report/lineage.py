"""Where a candidate came from."""

from __future__ import annotations

from dataclasses import dataclass

from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.report.build import source_formula


@dataclass(frozen=True)
class Ancestor:
    """One law in a candidate's ancestry."""

    generation: int
    """0: the candidate itself, 1: its parents."""
    law: str
    operator: str
    x: float
    complexity: float
    formula: str
    parents: tuple[str, ...] = ()
    """Ids of the laws it was made from, best first."""


def ancestry(archive: Archive, run: str, record: CandidateRecord, depth: int = 6) -> list[Ancestor]:
    """The candidate, its parents, theirs and so on, each law once, nearest first; at most `depth` generations back."""
    out = []
    for n, generation in enumerate(archive.ancestry(run, record.k, depth)):
        for r in generation:
            e, parents = r.evaluation, tuple(f"{run}-{k}" for k in r.parents)
            out.append(Ancestor(n, f"{run}-{r.k}", r.operator, e.x, e.complexity, source_formula(r), parents))
    return out
