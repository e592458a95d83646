"""Sums over a run's candidates that can go on where they stopped: one pass over the new ones, in SQL.

Everything here is a fold over candidates in the order of their commits, and a finished candidate never changes, so that
a page on a run of a million candidates reads only those that came since it looked last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, text


class Point(NamedTuple):
    """A usable candidate's place in the plane of the front."""

    complexity: float
    x: float
    k: int


class Record(NamedTuple):
    """A usable candidate that beat all before it."""

    k: int
    x: float


@dataclass
class Tally:
    """What a set of candidates came to."""

    children: int = 0
    failures: int = 0
    usable: int = 0
    """Valid, finite and without a failure: may be on the front."""
    improvements: int = 0
    """Usable children with a lower X than each of their parents."""
    gain: float = 0.0
    """Sum over the improvements of the fall of X below the best parent's (nats)."""
    best: float | None = None
    """Lowest X of the usable ones."""
    evaluations: int = 0
    """Residual evaluations spent."""
    seconds: float = 0.0
    """Of evaluation."""

    def add(self, other: Tally) -> None:
        for name in ("children", "failures", "usable", "improvements", "gain", "evaluations", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.best is not None and (self.best is None or other.best < self.best):
            self.best = other.best


@dataclass
class ModelTally:
    """What a language model was asked for with one operator, and what came of it."""

    asked: int = 0
    programs: int = 0
    """Answers that held a program."""
    promises: int = 0
    """Promises of which it can be told whether they were kept."""
    kept: int = 0
    improvements: int = 0
    gain: float = 0.0
    best: float | None = None
    tokens: int = 0
    usd: float = 0.0
    uncounted: int = 0
    """Candidates whose tokens the provider did not say."""
    unpriced: int = 0
    """Candidates whose dollars are unknown."""


@dataclass
class FailureTally:
    """Candidates that failed for one reason."""

    count: int = 0
    first: int = 0
    """Index of the first of them."""
    last: int = 0


@dataclass
class Tallies:
    """The sums of one run over its candidates up to and with index `upto`."""

    upto: int = -1
    operators: dict[str, Tally] = field(default_factory=dict)
    islands: dict[int, Tally] = field(default_factory=dict)
    models: dict[tuple[str, str], ModelTally] = field(default_factory=dict)
    """By (model, operator)."""
    failures: dict[str, FailureTally] = field(default_factory=dict)
    progress: dict[int, list[Record]] = field(default_factory=dict)
    """By island: how its lowest X fell."""

    def fold(self, connection: Connection, run: str, last: int) -> None:
        """Take in the candidates from the first one not yet seen to `last`."""
        if last <= self.upto:
            return
        values = {"run": run, "after": self.upto, "last": last}
        self._candidates(connection, values)
        self._models(connection, values)
        self._failures(connection, values)
        self._progress(connection, values)
        self.upto = last

    def total(self) -> Tally:
        """Over all candidates."""
        found = Tally()
        for tally in self.operators.values():
            found.add(tally)
        return found

    def records(self) -> list[Record]:
        """How the run's lowest X fell, in the order of commits."""
        found: list[Record] = []
        for record in sorted(r for island in self.progress.values() for r in island):
            if not found or record.x < found[-1].x:
                found.append(record)
        return found

    def _candidates(self, connection: Connection, values: dict[str, Any]) -> None:
        for operator, island, *sums in connection.execute(text(CANDIDATES), values):
            children, failures, usable, improvements, gain, best, evaluations, seconds = sums
            found = Tally(
                int(children), int(failures), int(usable), int(improvements), float(gain or 0.0),
                None if best is None else float(best), int(evaluations or 0), float(seconds or 0.0),
            )  # fmt: skip
            self.operators.setdefault(operator, Tally()).add(found)
            self.islands.setdefault(int(island), Tally()).add(found)

    def _models(self, connection: Connection, values: dict[str, Any]) -> None:
        names = ("asked", "programs", "promises", "kept", "improvements", "gain", "tokens", "usd", "uncounted", "unpriced")
        for model, operator, best, *sums in connection.execute(text(MODELS), values):
            tally = self.models.setdefault((model, operator), ModelTally())
            for name, amount in zip(names, sums, strict=True):
                setattr(tally, name, getattr(tally, name) + (amount or 0))
            if best is not None and (tally.best is None or best < tally.best):
                tally.best = float(best)

    def _failures(self, connection: Connection, values: dict[str, Any]) -> None:
        for reason, count, first, last in connection.execute(text(FAILURES), values):
            tally = self.failures.setdefault(reason, FailureTally(first=int(first)))
            tally.count += int(count)
            tally.last = int(last)

    def _progress(self, connection: Connection, values: dict[str, Any]) -> None:
        for island, k, x in connection.execute(text(PROGRESS), values):
            records = self.progress.setdefault(int(island), [])
            if not records or x < records[-1].x:
                records.append(Record(int(k), float(x)))


def best_by_complexity(connection: Connection, run: str) -> list[Point]:
    """Of each complexity the usable candidate of lowest X (of equals the earlier), simplest first."""
    return [Point(float(c), float(x), int(k)) for c, x, k in connection.execute(text(BEST), {"run": run})]


def front_of(best: Sequence[Point]) -> list[Point]:
    """The non-dominated ones among the best of each complexity, simplest first: those of the view `pareto_front`."""
    found: list[Point] = []
    for point in best:
        if not found or point.x < found[-1].x:
            found.append(point)
    return found


_RANGE = "{0}.run = :run AND {0}.k > :after AND {0}.k <= :last"

# The lowest x among a candidate's parents; none for one without parents, or whose parents all failed.
_BEST_PARENT = f"""(
    SELECT p.k, MIN(pe.x) AS x
    FROM parentage AS p JOIN evaluation AS pe ON pe.run = p.run AND pe.k = p.parent
    WHERE {_RANGE.format("p")} GROUP BY p.k
)"""
_IMPROVED = "e.usable AND e.x < bp.x"

CANDIDATES = f"""
SELECT c.operator, c.island,
       COUNT(*),
       COUNT(f.k),
       SUM(CASE WHEN e.usable THEN 1 ELSE 0 END),
       SUM(CASE WHEN {_IMPROVED} THEN 1 ELSE 0 END),
       SUM(CASE WHEN {_IMPROVED} THEN bp.x - e.x END),
       MIN(CASE WHEN e.usable THEN e.x END),
       SUM(e.evaluations),
       SUM(e.seconds)
FROM candidate AS c
JOIN evaluation AS e ON e.run = c.run AND e.k = c.k
LEFT JOIN failure AS f ON f.run = c.run AND f.k = c.k
LEFT JOIN {_BEST_PARENT} AS bp ON bp.k = c.k
WHERE {_RANGE.format("c")}
GROUP BY c.operator, c.island
"""

MODELS = f"""
SELECT q.model, q.operator,
       MIN(CASE WHEN e.usable THEN e.x END),
       COUNT(*),
       SUM(CASE WHEN q.outcome = 'program' THEN 1 ELSE 0 END),
       COUNT(q.kept),
       SUM(CASE WHEN q.kept THEN 1 ELSE 0 END),
       SUM(CASE WHEN {_IMPROVED} THEN 1 ELSE 0 END),
       SUM(CASE WHEN {_IMPROVED} THEN bp.x - e.x END),
       CAST(SUM(q.tokens) AS BIGINT),
       SUM(q.usd),
       COUNT(*) - COUNT(q.tokens),
       COUNT(*) - COUNT(q.usd)
FROM proposal AS q
JOIN evaluation AS e ON e.run = q.run AND e.k = q.k
LEFT JOIN {_BEST_PARENT} AS bp ON bp.k = q.k
WHERE {_RANGE.format("q")}
GROUP BY q.model, q.operator
"""

FAILURES = f"""
SELECT f.reason, COUNT(*), MIN(f.k), MAX(f.k) FROM failure AS f WHERE {_RANGE.format("f")} GROUP BY f.reason
"""

# A skip-scan through the index of usable laws: from the best of one complexity to the best of the next, so that it costs
# as many look-ups as there are complexities.
BEST = """
WITH RECURSIVE step(k, complexity, x) AS (
    SELECT e.k, e.complexity, e.x FROM evaluation AS e
    WHERE e.run = :run AND e.k = (
        SELECT b.k FROM evaluation AS b WHERE b.run = :run AND b.usable
        ORDER BY b.complexity, b.x, b.k LIMIT 1
    )
    UNION ALL
    SELECT e.k, e.complexity, e.x FROM step
    JOIN evaluation AS e ON e.run = :run AND e.k = (
        SELECT b.k FROM evaluation AS b WHERE b.run = :run AND b.usable AND b.complexity > step.complexity
        ORDER BY b.complexity, b.x, b.k LIMIT 1
    )
)
SELECT complexity, x, k FROM step ORDER BY complexity
"""

PROGRESS = f"""
SELECT island, k, x FROM (
    SELECT c.island, c.k, e.x, MIN(e.x) OVER (
        PARTITION BY c.island ORDER BY c.k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS best_before
    FROM candidate AS c JOIN evaluation AS e ON e.run = c.run AND e.k = c.k
    WHERE {_RANGE.format("c")} AND e.usable
) AS ranked
WHERE best_before IS NULL OR x < best_before
ORDER BY k
"""
