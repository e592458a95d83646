"""Discoveries by the evolutionary loop as a benchmark's method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sldagent import session
from sldagent.archive.records import CandidateRecord
from sldagent.archive.store import Archive
from sldagent.bench.method import Answer, Job
from sldagent.bench.results import OURS, Scored
from sldagent.bench.score import finite, score, scored
from sldagent.blend import Blend
from sldagent.evaluation.metrics import Metrics
from sldagent.evolution.config import RunConfig
from sldagent.fitted import Fitted, from_candidate
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
        laws, blend = score_shortlist(summary.run, [summary.records[k] for k in summary.shortlist], job.grounds.task, store)
    return Answer(
        choice=laws[0] if laws else None,
        shortlist=laws,
        candidates=summary.candidates,
        failures=sum(summary.failures.values()),
        blend=blend,
    )


def score_shortlist(
    run: str, records: Sequence[CandidateRecord], task: Task, store: Archive
) -> tuple[tuple[Scored, ...], float | None]:
    """The short list of an archived run and its blend on the task's test rows."""
    test, header = task.part("test"), store.run(run)
    fitted = [from_candidate(header, record) for record in records]
    laws = tuple(_score(law, record, test, store) for law, record in zip(fitted, records, strict=True))
    return laws, _score_blend(Blend(run, tuple(fitted)), test, store) if fitted else None


def _score(law: Fitted, record: CandidateRecord, test: Task, store: Archive) -> Scored:
    """One law of the short list."""
    return scored(law.law, record.formula, _read(law.law, law, test, store), record.evaluation)


def _score_blend(blend: Blend, test: Task, store: Archive) -> float | None:
    """Test R2 of the blend; None where it is not finite or there are no test rows."""
    figures = _read(blend.name, blend, test, store)
    return None if figures is None else finite(figures.r2)


def _read(name: str, predictor: Fitted | Blend, test: Task, store: Archive) -> Metrics | None:
    """Figures on the test rows, if there are any; the archive notes that they were read."""
    figures = score(test, predictor.predict_rows(test)) if len(test.X) else None
    if figures is not None:
        store.log_scoring(name, "test", test.source, len(test.X), {**asdict(figures), "per_target": {}})
    return figures
