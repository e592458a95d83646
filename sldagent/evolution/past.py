"""What earlier sessions of a run left, and the search as it stood after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sldagent.archive.records import CandidateRecord, Checkpoint
from sldagent.archive.sessions import Resumed
from sldagent.evolution.checkpoint import VERSION, CheckpointError, Standing, reach, restored
from sldagent.evolution.config import RunConfig
from sldagent.evolution.plan import Planner
from sldagent.evolution.stop import StopReason


@dataclass(frozen=True)
class Past:
    """Earlier sessions of a run that goes on."""

    run: str
    resumed: Resumed
    """What the present session, which has taken the run over, found."""
    ended: StopReason | None = None
    """Why the run ended when it was recorded, for a replay."""


class Memory(Protocol):
    """The part of the archive that a run which goes on reads."""

    def candidates(self, run: str, after: int = -1) -> Iterator[CandidateRecord]: ...

    def laws(self, run: str, ks: Sequence[int]) -> Sequence[CandidateRecord]: ...

    def checkpoint(self, run: str, most: int) -> Checkpoint | None: ...

    def traces(self, run: str, committed: int) -> Iterator[bytes]: ...

    def drop_checkpoints(self, run: str, after: int = -1) -> None: ...


@dataclass(frozen=True)
class Recollection:
    """Where a search begins, and what it has to read back from there."""

    standing: Standing
    candidates: Iterator[CandidateRecord]

    @property
    def committed(self) -> int:
        """Candidates that need not be read back."""
        return self.standing.state.committed


def recollected(past: Past, config: RunConfig, archive: Memory, planner: Planner) -> Recollection:
    """The search at its last checkpoint that is of use, or at its beginning where there is none.

    One of another release, or that does not fit the candidates, is let go of: then all candidates are read back, and new
    checkpoints are made on the way.
    """
    run, committed = past.run, past.resumed.committed
    if not committed:
        return Recollection(Standing.new(config), iter(()))
    found = archive.checkpoint(run, committed - reach(config))
    if found is not None and found.version == VERSION:
        try:
            traces = archive.traces(run, found.committed)
            standing = restored(found, traces, config, planner, partial(archive.laws, run))
        except CheckpointError:
            pass
        else:
            archive.drop_checkpoints(run, found.committed)
            return Recollection(standing, archive.candidates(run, found.committed - 1))
    archive.drop_checkpoints(run)
    return Recollection(Standing.new(config), archive.candidates(run))
