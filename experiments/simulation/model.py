"""A run as a discrete-event simulation: one coordinator, workers, an archive, and language models.

The coordinator does one thing at a time: it takes results, commits them in order, proposes the next candidate and, every
so often, writes a batch.  Candidate k is proposed after candidate k - look_back is committed, as in
`sldagent.evolution.search`; a slot of a language model is asked for `llm_look_back` candidates ahead and evaluated when its
answer is there.  All times are seconds.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

STEPS = ("workers", "propose", "commit", "archive", "dispatch")
BATCH = 64
"""Candidates after which the journal writes, at the latest."""
BATCH_SECONDS = 0.5


@dataclass(frozen=True)
class Costs:
    """What each step takes: samples that are drawn from, or a number."""

    evaluate: Sequence[float]
    """One candidate in a worker, the fits of its cuts included."""
    propose: float
    """One proposal by the grammar."""
    commit: float
    """State, front and contenders of one candidate."""
    write_batch: float
    """One transaction, whatever it holds."""
    write_record: float
    """One candidate in it."""
    dispatch: float
    """One candidate handed to a worker and its answer taken, at the coordinator."""
    duplicates: float = 0.0
    """Share of candidates that are not evaluated."""
    jailed: float = 0.0
    """Share of programs that bring fitting code of their own."""
    jail: float = 0.0
    """One fit in the jail beyond the fit itself, for each of a candidate's fits."""
    fits: int = 1
    """Fits of a candidate: all rows, and the kept rows of every cut."""
    llm_share: float = 0.0
    """Share of slots that a language model fills."""
    llm: Sequence[float] = (0.0,)
    """Seconds until an answer is there."""
    llm_calls: int = 64
    """Requests that may be under way at the same time."""


@dataclass
class Outcome:
    """What a simulated run did."""

    candidates: int
    seconds: float
    workers: int
    busy: dict[str, float] = field(default_factory=dict)
    """Seconds of work by who did it: workers (all together), propose, commit, archive, dispatch."""
    llm_waits: float = 0.0
    """Seconds in which the next commit waited for a language model's answer."""

    @property
    def throughput(self) -> float:
        """Candidates per second."""
        return self.candidates / self.seconds

    @property
    def utilisation(self) -> float:
        """Share of the workers' time spent on candidates."""
        return self.busy["workers"] / (self.seconds * self.workers)

    @property
    def coordinator(self) -> float:
        """Share of the coordinator's time spent on anything."""
        return sum(v for k, v in self.busy.items() if k != "workers") / self.seconds

    @property
    def bottleneck(self) -> str:
        """What bounds the throughput: whoever has no time left, else what everybody waits for."""
        if self.coordinator >= 0.9:
            own = {k: v for k, v in self.busy.items() if k != "workers"}
            return f"coordinator ({max(own, key=lambda k: own[k])})"
        if self.utilisation >= 0.85:
            return "workers"
        if self.llm_waits >= 0.3 * self.seconds:
            return "language model"
        return "look-back"


class Simulation:
    """One simulated run."""

    def __init__(
        self, costs: Costs, workers: int, candidates: int, look_back: int, *, llm_look_back: int = 0, seed: int = 0
    ) -> None:
        self._costs = costs
        self._workers = workers
        self._limit = candidates
        self._look_back = look_back
        self._ahead = max(look_back, llm_look_back)
        rng = np.random.default_rng(seed)
        self._service = rng.choice(np.asarray(costs.evaluate), candidates)
        self._service += (rng.random(candidates) < costs.jailed) * costs.jail * costs.fits
        self._evaluated = rng.random(candidates) >= costs.duplicates
        self._from_llm = rng.random(candidates) < costs.llm_share
        self._latency = rng.choice(np.asarray(costs.llm), candidates)
        self._now = 0.0
        self._running: list[tuple[float, int]] = []
        self._waiting: deque[tuple[int, float]] = deque()
        self._late: list[tuple[float, int]] = []
        self._ready: set[int] = set()
        self._answers = np.zeros(candidates)
        self._slots = [0.0] * costs.llm_calls
        self._asked = 0
        self._next = 0
        self._free = workers
        self._out = Outcome(candidates, 0.0, workers, dict.fromkeys(STEPS, 0.0))

    def run(self) -> Outcome:
        """Until the last candidate is committed."""
        committed, unwritten, written = 0, 0, 0.0
        for _ in range(self._look_back):
            self._propose(committed)
        while committed < self._limit:
            self._collect()
            if committed not in self._ready:
                self._wait(committed)
                continue
            self._ready.discard(committed)
            self._work("commit", self._costs.commit)
            committed += 1
            unwritten += 1
            if unwritten == BATCH or self._now - written >= BATCH_SECONDS or committed == self._limit:
                self._work("archive", self._costs.write_batch + unwritten * self._costs.write_record)
                unwritten, written = 0, self._now
            self._propose(committed)
        self._out.seconds = self._now
        return self._out

    def _work(self, what: str, seconds: float) -> None:
        self._out.busy[what] += seconds
        self._now += seconds

    def _propose(self, committed: int) -> None:
        """The next candidate, and the requests to language models that are due."""
        while self._asked < min(self._limit, committed + self._ahead):
            if self._from_llm[self._asked]:
                begin = max(self._now, heapq.heappop(self._slots))
                self._answers[self._asked] = begin + self._latency[self._asked]
                heapq.heappush(self._slots, self._answers[self._asked])
            self._asked += 1
        if self._next >= self._limit:
            return
        k, self._next = self._next, self._next + 1
        self._work("propose", 0.0 if self._from_llm[k] else self._costs.propose)
        if not self._evaluated[k]:
            self._ready.add(k)
        elif self._answers[k] > self._now:
            heapq.heappush(self._late, (self._answers[k], k))
        else:
            self._submit(k, self._now)

    def _submit(self, k: int, at: float) -> None:
        self._work("dispatch", self._costs.dispatch)
        self._waiting.append((k, max(at, self._now)))
        self._start(self._now)

    def _start(self, at: float) -> None:
        """Give waiting candidates to free workers."""
        while self._free and self._waiting:
            k, since = self._waiting.popleft()
            self._free -= 1
            self._out.busy["workers"] += self._service[k]
            heapq.heappush(self._running, (max(at, since) + self._service[k], k))

    def _collect(self) -> None:
        """Take what has come until now: answers of models, and results (a worker goes on with its queue at once)."""
        while self._late and self._late[0][0] <= self._now:
            _, k = heapq.heappop(self._late)
            self._submit(k, self._now)
        while self._running and self._running[0][0] <= self._now:
            ended, k = heapq.heappop(self._running)
            self._ready.add(k)
            self._free += 1
            self._start(ended)

    def _wait(self, committed: int) -> None:
        """Nothing to do: until the next result or answer."""
        times = [heap[0][0] for heap in (self._running, self._late) if heap]
        until = max(min(times), self._now)
        if any(k == committed for _, k in self._late):
            self._out.llm_waits += until - self._now
        self._now = until
