"""How a run is doing: what ``status`` prints, and what ``discover`` prints of a run that was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sldagent.archive.records import CandidateRecord, RunRecord, SessionRecord
from sldagent.report.tables import number, table

if TYPE_CHECKING:
    from sldagent.archive.store import Archive
    from sldagent.report.tables import Table

STATES = {
    "complete": "complete",
    "stopped": "stopped; go on with: sldagent resume {run}",
    "failed": "failed ({reason}); go on with: sldagent resume {run}",
    "running": "running: {who} works on it",
    "stopping": "running: {who} was asked to end it",
    "silent": "running, as far as can be seen from here: last sign of life of {who} {ago:.0f} s ago",
    "dead": "left: {who} died; go on with: sldagent resume {run}",
}


@dataclass(frozen=True)
class Status:
    """A run at one moment."""

    record: RunRecord
    sessions: tuple[SessionRecord, ...]
    front: tuple[CandidateRecord, ...]
    """Its Pareto front, simplest first."""
    state: str
    """A key of `STATES`."""
    ago: float
    """Seconds since the last sign of life, by this machine's clock."""

    @property
    def sentence(self) -> str:
        who = self.sessions[-1].owner.words if self.sessions else "an older release"
        return STATES[self.state].format(run=self.record.run, who=who, ago=self.ago, reason=self.record.reason)

    @property
    def best(self) -> CandidateRecord | None:
        """The front's law of lowest X."""
        return self.front[-1] if self.front else None

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        r, best = self.record, self.best
        return {
            "run": r.run, "task": r.task, "status": r.status, "state": self.state, "seed": r.seed,
            "candidates": r.candidates, "failures": r.failures, "seconds": r.seconds, "started": r.started,
            "finished": r.finished, "front": len(self.front),
            "best": None
            if best is None
            else {"law": f"{r.run}-{best.k}", "x": best.evaluation.x, "complexity": best.evaluation.complexity},
            "bounds": {name: r.config.get(name) for name in ("candidates", "minutes", "stagnation")},
            "choice": None if r.choice is None else f"{r.run}-{r.choice}",
            "sessions": [
                {
                    "host": s.owner.host, "pid": s.owner.pid, "version": s.version, "pool": s.pool, "started": s.started,
                    "last_sign_of_life": s.beat, "seconds": s.seconds, "ended": s.ended, "outcome": s.outcome or None,
                    "asked_to_stop": s.stop,
                }
                for s in self.sessions
            ],
        }  # fmt: skip


def run_status(archive: Archive, run: str, now: datetime | None = None) -> Status:
    """The status of a run.  Raises ArchiveError for an unknown one."""
    record = archive.run(run)
    sessions = tuple(archive.sessions().of_run(record.run))
    moment = now or datetime.now(record.started.tzinfo)
    last = sessions[-1] if sessions else None
    ago = 0.0 if last is None else max(0.0, (moment - last.beat).total_seconds())
    return Status(record, sessions, tuple(archive.front(record.run)), state_of(record, last), ago)


def state_of(record: RunRecord, last: SessionRecord | None) -> str:
    """A key of `STATES` for a run whose newest session is `last`."""
    if record.status != "running" or last is None:
        return record.status
    lives = last.owner.lives()
    if lives is None:
        return "silent"
    if not lives:
        return "dead"
    return "stopping" if last.stop else "running"


def status_text(status: Status) -> Iterator[str | Table]:
    """What a terminal shows."""
    r = status.record
    bounds = {name: r.config.get(name) for name in ("candidates", "minutes")}
    of = f" of {bounds['candidates']}" if bounds["candidates"] else ""
    minutes = f" of {60 * bounds['minutes']:.0f}" if bounds["minutes"] else ""
    yield f"Run {r.run} on {r.task}, seed {r.seed}: {status.sentence}"
    yield f"  {r.candidates}{of} candidates, {r.failures} of them not used; {r.seconds:.0f}{minutes} s of search"
    if (best := status.best) is not None:
        x, c = number(best.evaluation.x), number(best.evaluation.complexity)
        yield f"  {len(status.front)} laws on the front; lowest X {x} at C {c}: {best.formula}"
    if r.choice is not None:
        yield f"  choice so far: {r.run}-{r.choice}" if r.status == "stopped" else f"  choice: {r.run}-{r.choice}"
    rows = [
        (
            f"{s.owner.host}:{s.owner.pid}", s.pool, s.started.strftime("%Y-%m-%d %H:%M:%S"), f"{s.seconds:.0f}",
            s.outcome or "at work",
        )
        for s in status.sessions
    ]  # fmt: skip
    if rows:
        yield table(["process", "workers", "started (UTC)", "seconds", "end"], rows, numbers=["seconds"])
