"""Discoveries by the evolutionary loop as a benchmark's method."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sldagent import session
from sldagent.archive.store import Archive
from sldagent.bench.method import Answer, Job
from sldagent.bench.results import OURS, Scored
from sldagent.bench.score import score, scored
from sldagent.evolution.config import RunConfig
from sldagent.tasks.task import Task


@dataclass(frozen=True)
class Discovery:
    """The project's own method: evolution from the grammar's proposals."""

    name: str = OURS

    def check(self) -> None:
        """It needs nothing that is not installed."""

    def refusal(self, job: Job) -> str:
        """It applies to every task."""
        return ""

    def run(self, job: Job) -> Answer | None:
        return run_discovery(job, config_of(job))


def config_of(job: Job) -> RunConfig:
    """A run within the job's budget."""
    budget = job.settings
    return RunConfig(seed=job.seed, minutes=budget.minutes, candidates=budget.candidates, workers=budget.workers)


def run_discovery(job: Job, config: RunConfig) -> Answer | None:
    """One discovery, scored; None where the user ended it early (such a result is not one of the settings')."""
    with Archive.open(job.archive) as store:
        outcome = session.run(job.grounds, config, store)
        summary = outcome.summary
        if summary.status == "stopped":
            return None
        test = job.grounds.task.part("test")
        laws = tuple(_score(outcome, k, test, store) for k in summary.shortlist)
    return Answer(
        choice=laws[0] if laws else None,
        shortlist=laws,
        candidates=summary.candidates,
        failures=sum(summary.failures.values()),
    )


def _score(outcome: session.Outcome, k: int, test: Task, store: Archive) -> Scored:
    """One law of the short list; the archive notes that test rows were read."""
    record = outcome.summary.records[k]
    law = outcome.fitted(k, store)
    figures = score(test, law.predict_rows(test)) if len(test.X) else None
    if figures is not None:
        store.log_scoring(law.law, "test", test.source, len(test.X), {**asdict(figures), "per_target": {}})
    return scored(law.law, record.formula, figures, record.evaluation)
