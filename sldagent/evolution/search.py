"""The steady state of a run: propose, hand to the pool, commit in order, until something says stop.

With L the look-back, candidate k is proposed right after candidate k - L has been committed and before any
later one is, so it sees exactly that state; results that came early wait.  At most L are in flight.

A run that goes on walks the same way over the candidates it has: they are read back instead of proposed, and are
ready at once.  Whatever was in flight is then proposed again from the state that it was proposed from before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from sldagent.archive.records import CandidateRecord
from sldagent.errors import ArchiveError
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.contenders import Contenders
from sldagent.evolution.journal import Journal
from sldagent.evolution.observer import Event, EventKind, Observer
from sldagent.evolution.plan import Planned, Planner
from sldagent.evolution.state import Change, SearchState
from sldagent.evolution.stop import StopReason, StopRule
from sldagent.workers.base import WorkerPool

WAIT = 0.2
"""Seconds between looks at the clock and at the user's wish to stop while evaluations are waited for."""


class Search:
    """One run's loop; `run` may be called once.

    Attributes:
        state: after the last commit.
        contenders: records kept for the choice and the report.
        catalogue: indices of committed seeds that are published laws.
    """

    def __init__(
        self, state: SearchState, planner: Planner, pool: WorkerPool, journal: Journal, observer: Observer,
        rule: StopRule, clock: Callable[[], float], past: Iterable[CandidateRecord] = (),
    ) -> None:
        """`past` are the run's candidates from earlier sessions, in order."""
        self.state = state
        self.contenders = Contenders()
        self.catalogue: list[int] = []
        self._planner = planner
        self._pool = pool
        self._journal = journal
        self._observer = observer
        self._rule = rule
        self._clock = clock
        self._past = iter(past)
        self._recalled: dict[int, CandidateRecord] = {}
        self._planned: dict[int, Planned] = {}
        self._ready: dict[int, Evaluation] = {}
        self._next = 0
        self._give_up = math.inf

    @property
    def caught_up(self) -> bool:
        """Whether every candidate of earlier sessions is in the state."""
        return not self._recalled

    def run(self) -> StopReason:
        """Search until a bound is met; all that is committed is then in the journal."""
        reason: StopReason | None = None
        for _ in range(self.state.config.look_back):
            self._propose()
        self._begin()
        while self.state.committed < self._next:
            if not self.caught_up:
                if self._rule.interrupted():
                    return "interrupted"
                self._observer.on_wait(self.state)
            elif math.isinf(self._give_up) and (outside := self._rule.from_outside()):
                reason = outside
                self._give_up = self._clock() + (self.state.config.drain if outside == "time" else 0.0)
            if self._clock() >= self._give_up:
                break
            if not self._collect():
                continue
            self._commit()
            if reason is None:
                reason = self._rule.by_count(self.state.committed, self.state.last_change)
            if reason is None:
                self._propose()
        return reason or "candidates"

    def _begin(self) -> None:
        """Start the run's clock once the past is caught up with."""
        if not self.caught_up:
            return
        self._rule.start()
        if committed := self.state.committed:
            message = f"goes on after {committed} candidates and {self._rule.seconds:.0f} s"
            self._observer.on_event(Event("resume", committed, message, self._rule.seconds))

    def _propose(self) -> None:
        """Plan the next candidate and hand it to the pool, unless it repeats an earlier form or is there already."""
        k, limit = self._next, self.state.config.candidates
        if limit is not None and k >= limit:
            return
        record = next(self._past, None)
        if record is None:
            planned = self._planner.plan(k, self.state)
        elif record.k == k:
            planned = self._planner.recall(record)
            self._recalled[k] = record
        else:
            raise ArchiveError(f"candidate {k} is missing from the archive, so the run cannot go on")
        self._planned[k] = planned
        self._next += 1
        if record is not None:
            self._ready[k] = record.evaluation
        elif planned.duplicate_of is None:
            self._pool.submit(k, planned.proposal.program)
        else:
            self._ready[k] = planned.duplicate()

    def _collect(self) -> bool:
        """Take finished evaluations; True when the next candidate to commit is among them."""
        due = self.state.committed
        timeout = 0.0 if due in self._ready else min(WAIT, max(0.0, self._give_up - self._clock()))
        if timeout > 0:
            if not self._pool.pending():
                raise RuntimeError(f"the worker pool lost candidate {due}")
            self._journal.tick()
            self._observer.on_wait(self.state)
        self._ready.update(self._pool.results(timeout))
        return due in self._ready

    def _commit(self) -> None:
        k = self.state.committed
        planned, evaluation = self._planned.pop(k), self._ready.pop(k)
        recalled = self._recalled.get(k)
        record = recalled or planned.record(self.state.settle(evaluation))
        change = self.state.apply(record, planned.proposal.program)
        published = k < len(self._planner.seeds) and planned.proposal.operator == CATALOGUE
        if published:
            self.catalogue.append(k)
        self.contenders.add(record, self.state.front.indices, always=published)
        if recalled is not None:
            del self._recalled[k]
            self._begin()
            return
        events = self._events(change)
        self._journal.add(record)
        for event in events:
            self._journal.note(event.note)
        self._observer.on_commit(self.state, record)
        for event in events:
            self._observer.on_event(event)
        self._journal.tick()

    def _events(self, change: Change) -> list[Event]:
        """What a commit did, where it is worth a line."""
        found: list[tuple[EventKind, str]] = []
        if self.state.committed == len(self._planner.seeds):
            found.append(("seeds", f"generation 0 done: {self.state.committed} laws"))
        if change.migrated:
            found.append(("migration", "islands exchanged members"))
        if change.reset is not None:
            found.append(("reset", f"island {change.reset} starts again from the front"))
        if change.decided:
            trial = self.state.trial
            verdict = "fits use it from now on" if trial.emphasis else "fits go on weighing all rows alike"
            effect = f"more weight on larger scale multiplies extrapolation errors by {trial.ratio:.2f}"
            found.append(("emphasis", f"{effect}: {verdict}"))
        return [Event(kind, self.state.committed, message) for kind, message in found]


CATALOGUE = "catalogue"
"""Operator of the seeds that are published laws."""

STOP_WORDS: dict[StopReason, str] = {
    "candidates": "the number of candidates is reached",
    "stagnation": "the front has not changed for long",
    "time": "time is up",
    "interrupted": "interrupted: all that is finished is saved",
}
