"""A symbolic-regression package as a baseline: its own choice, and our choice among its laws."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from sldagent.bench.baselines.features import View, view
from sldagent.bench.baselines.isolated import run_isolated
from sldagent.bench.baselines.judging import Named, choose_among
from sldagent.bench.baselines.package import Findings, Question, promising
from sldagent.bench.baselines.translate import translate
from sldagent.bench.method import Answer, Job
from sldagent.bench.results import Scored
from sldagent.bench.score import score, scored
from sldagent.errors import ConfigError
from sldagent.laws.canonical import structure_hash

FloatArray = NDArray[np.float64]
SEARCH_SHARE = 0.8
"""Share of the minutes that the package searches; the rest is for our evaluator to refit and judge its laws."""
EVALUATIONS_PER_CANDIDATE = 500
"""Evaluations of the package for one candidate of ours, where the budget is a number of candidates: a fit with its refits on
the cuts evaluates residuals some hundred to some thousand times."""
GRACE = 60.0
"""Seconds beyond its time after which a package is ended."""


@dataclass(frozen=True)
class SymbolicRegression:
    """A package that searches expressions by their training error.  It sees no groups, no cuts and no test targets."""

    name: str
    package: str
    search: Callable[[Question], Findings]
    """At the top level of a module: it runs in a process of its own."""
    threaded: bool
    """Whether one search uses all workers; else each worker runs a search with a seed of its own."""

    def check(self) -> None:
        if importlib.util.find_spec(self.package) is None:
            raise ConfigError(
                f"the baseline '{self.name}' needs the package '{self.package}', which is not installed: "
                "install sldagent with its extra 'bench' (pip install 'sldagent[bench]')"
            )

    def refusal(self, job: Job) -> str:
        """It applies to every task."""
        return ""

    def run(self, job: Job) -> Answer | None:
        seen = view(job.grounds.train)
        searches = [self._search(job, seen, t) for t in range(len(job.grounds.train.targets))]
        failed = [s for s in searches if isinstance(s, str)]
        if failed:
            return Answer(None, note=f"{self.package}: {failed[0]}")
        by_target = [s for s in searches if not isinstance(s, str)]
        programs, skipped = self._programs(job, seen, by_target)
        minutes = job.settings.minutes
        answer = choose_among(job, programs, None if minutes is None else 60.0 * minutes * (1.0 - SEARCH_SHARE))
        own = self._own(job, seen, by_target)
        return replace(answer, own_choice=own, skipped=skipped, candidates=sum(f.evaluations for f in by_target))

    def _search(self, job: Job, seen: View, target: int) -> Findings | str:
        """All workers on one target; a sentence where every search failed."""
        budget, targets = job.settings, len(job.grounds.train.targets)
        searches = 1 if self.threaded else budget.workers
        seconds = None if budget.minutes is None else SEARCH_SHARE * 60.0 * budget.minutes / targets
        evaluations = None
        if seconds is None and budget.candidates is not None:
            evaluations = max(1, EVALUATIONS_PER_CANDIDATE * budget.candidates // (targets * searches))
        wanted = seen.inputs(job.grounds.task.part("test"))
        seeds = np.random.default_rng([job.seed, target]).integers(2**31, size=searches)
        questions = [
            Question(seen.X, seen.Z[:, target], wanted, int(s), budget.workers if self.threaded else 1, seconds, evaluations)
            for s in seeds
        ]
        answers = run_isolated(self.search, questions, None if seconds is None else seconds + GRACE)
        good = [a for a in answers if not isinstance(a, str)]
        return _united(good, seen.Z[:, target]) if good else next(a for a in answers if isinstance(a, str))

    def _programs(self, job: Job, seen: View, found: list[Findings]) -> tuple[list[Named], int]:
        """Distinct programs, the most promising of every target first; how many expressions cannot be stated."""
        train = job.grounds.train
        programs: dict[str, Named] = {}
        skipped = 0
        for rank in zip_longest(*(f.expressions for f in found)):
            for target, expression in enumerate(rank):
                if expression is None:
                    continue
                translated = translate(expression, seen, train, target)
                skipped += not translated and not expression.constant
                for program in translated:
                    programs.setdefault(structure_hash(program.law), Named(f"{self.name}-{len(programs)}", program))
        named = list(programs.values())
        return named[: job.settings.candidates], skipped

    def _own(self, job: Job, seen: View, found: list[Findings]) -> Scored:
        """What a user of the package would take, with the package's own numbers."""
        test = job.grounds.task.part("test")
        predicted = seen.target(np.column_stack([f.own_wanted for f in found]), test.group)
        return scored(f"{self.name}-own", "; ".join(f.own_text for f in found), score(test, predicted))


def _united(found: list[Findings], z: FloatArray) -> Findings:
    """Searches with several seeds as one: all their expressions, and the own choice with the best criterion."""
    best = min(found, key=lambda f: f.own_error)
    expressions = [e for f in found for e in f.expressions]
    return replace(best, expressions=promising(expressions, z), evaluations=sum(f.evaluations for f in found))
