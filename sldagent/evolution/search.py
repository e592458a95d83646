"""The steady state of a run: propose, hand to the pool, commit in order, until something says stop.

With L the look-back, candidate k is proposed right after candidate k - L has been committed and before any
later one is, so it sees exactly that state; results that came early wait.  At most L are in flight.  A language model is
asked for its candidates with a longer look-back (`sldagent.evolution.slots`); an answer that is late is waited for when its
turn to commit comes, and meanwhile the workers are busy with the grammar's candidates behind it.

A run that goes on walks the same way over the candidates it has since its last checkpoint: they are read back instead of
proposed, and are ready at once.  Whatever was in flight is then proposed again from the state that it was proposed from
before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from sldagent.archive.records import CandidateRecord
from sldagent.errors import ArchiveError, ChatError
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.checkpoint import Checkpoints, Standing
from sldagent.evolution.journal import Journal
from sldagent.evolution.observer import Event, EventKind, Observer
from sldagent.evolution.plan import Planned, Planner
from sldagent.evolution.state import Change
from sldagent.evolution.stop import StopReason, StopRule
from sldagent.workers.base import WorkerPool

WAIT = 0.2
"""Seconds between looks at the clock and at the user's wish to stop while evaluations are waited for."""
LISTEN = 0.02
"""Seconds between looks at the answers of language models while evaluations are waited for, too."""


class Search:
    """One run's loop; `run` may be called once.

    Attributes:
        state: after the last commit.
        contenders: candidates that the choice and the report may need.
        catalogue: indices of committed seeds that are published laws.
        trouble: why no language model could be asked, where that ended the search.
    """

    def __init__(
        self, standing: Standing, planner: Planner, pool: WorkerPool, journal: Journal, observer: Observer,
        rule: StopRule, clock: Callable[[], float], checkpoints: Checkpoints, past: Iterable[CandidateRecord] = (),
        earlier: int = 0,
    ) -> None:
        """`past` are the run's candidates from earlier sessions that `standing` does not know, in order; the run has
        `earlier` candidates."""
        self.state = standing.state
        self.contenders = standing.contenders
        self.catalogue = standing.catalogue
        self.trouble: ChatError | None = None
        self._standing = standing
        self._checkpoints = checkpoints
        self._planner = planner
        self._pool = pool
        self._journal = journal
        self._observer = observer
        self._rule = rule
        self._clock = clock
        self._past = iter(past)
        self._earlier = earlier
        self._recalled: dict[int, CandidateRecord] = {}
        self._planned: dict[int, Planned] = {}
        self._ready: dict[int, Evaluation] = {}
        self._awaited: set[int] = set()
        self._next = self.state.committed
        self._give_up = math.inf

    @property
    def caught_up(self) -> bool:
        """Whether every candidate of earlier sessions is in the state."""
        return self.state.committed >= self._earlier

    def run(self) -> StopReason:
        """Search until a bound is met; all that is committed is then in the journal."""
        reason: StopReason | None = None
        for k in range(self.state.config.llm_look_back):
            self._ask(self.state.committed + k)
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
            try:
                if not self._collect():
                    continue
            except ChatError as error:
                self.trouble = error
                return "provider"
            self._commit()
            if reason is None:
                reason = self._rule.by_count(self.state.committed, self.state.last_change)
            if reason is None:
                self._ask(self.state.committed + self.state.config.llm_look_back - 1)
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

    def _ask(self, k: int) -> None:
        """Deal candidate `k` to a model or the grammar, unless it is there already."""
        limit = self.state.config.candidates
        if k >= self._earlier and (limit is None or k < limit):
            self._planner.ask(k, self.state)

    def _propose(self) -> None:
        """Plan the next candidate and hand it to the pool, unless it repeats an earlier form, is awaited or is there
        already."""
        k, limit = self._next, self.state.config.candidates
        if limit is not None and k >= limit:
            return
        record = next(self._past, None)
        if record is not None:
            self._recall(k, record)
        elif (planned := self._planner.plan(k, self.state)) is not None:
            self._hand_over(planned)
        else:
            self._awaited.add(k)
        self._next += 1

    def _recall(self, k: int, record: CandidateRecord) -> None:
        if record.k != k:
            raise ArchiveError(f"candidate {k} is missing from the archive, so the run cannot go on")
        self._planned[k], self._recalled[k] = self._planner.recall(record), record
        self._ready[k] = record.evaluation

    def _hand_over(self, planned: Planned) -> None:
        """To the pool, unless there is nothing to evaluate."""
        self._planned[planned.k] = planned
        known = self._planner.without_evaluation(planned)
        if known is not None:
            self._ready[planned.k] = known
        elif planned.program is not None:
            self._pool.submit(planned.k, planned.program)

    def _collect(self) -> bool:
        """Take finished evaluations and answers; True when the next candidate to commit is among them.

        Raises ChatError when its turn has come and no model can be asked for it.
        """
        due = self.state.committed
        self._listen(0.0)
        timeout = 0.0 if due in self._ready else min(WAIT, max(0.0, self._give_up - self._clock()))
        busy = self._pool.pending() > 0
        if timeout > 0:
            if not busy and due not in self._awaited:
                raise RuntimeError(f"the worker pool lost candidate {due}")
            self._journal.tick()
            self._observer.on_wait(self.state)
        if busy:
            self._ready.update(self._pool.results(min(timeout, LISTEN) if self._awaited else timeout))
        elif timeout > 0:
            self._listen(timeout)
        return due in self._ready

    def _listen(self, timeout: float) -> None:
        """Hand over what models have answered; waits up to `timeout` seconds for that."""
        if not self._awaited:
            return
        self._planner.models.listen(timeout)
        for message in self._planner.models.notices():
            self._observer.on_event(Event("model", self.state.committed, message))
        for k in sorted(self._awaited):
            try:
                planned = self._planner.arrived(k, self.state.config.islands)
            except ChatError:
                if k == self.state.committed:  # what was asked for before may still come
                    raise
                continue
            if planned is not None:
                self._awaited.remove(k)
                self._hand_over(planned)

    def _commit(self) -> None:
        k = self.state.committed
        planned, evaluation = self._planned.pop(k), self._ready.pop(k)
        recalled = self._recalled.get(k)
        record = recalled or self._finished(planned, evaluation)
        change = self.state.apply(record, planned.program)
        self._planner.remember(planned)
        published = k < len(self._planner.seeds) and planned.operator == CATALOGUE
        if published:
            self.catalogue.append(k)
        self.contenders.add(k, record.evaluation, self.state.front.indices, always=published)
        if recalled is not None:
            del self._recalled[k]
            self._keep(planned, record)
            self._journal.tick()
            self._begin()
            return
        events = self._events(change)
        self._journal.add(record)
        self._keep(planned, record)
        for event in events:
            self._journal.note(event.note)
        self._observer.on_commit(self.state, record)
        for event in events:
            self._observer.on_event(event)
        self._journal.tick()

    def _keep(self, planned: Planned, record: CandidateRecord) -> None:
        """Make a checkpoint where one is due; candidates that are read back have none yet where theirs was of no use."""
        if (checkpoint := self._checkpoints.add(planned, record, self._standing)) is not None:
            self._journal.mark(checkpoint)

    def _finished(self, planned: Planned, evaluation: Evaluation) -> CandidateRecord:
        """The candidate to commit.  Only now is it certain whether it repeats one that a model wrote."""
        evaluation = self._planner.without_evaluation(planned) or self.state.settle(evaluation)
        return self._planner.judged(planned.record(evaluation), planned)

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
    "provider": "paused, because no language model can be asked: all that is finished is saved",
}
