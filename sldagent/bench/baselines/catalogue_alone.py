"""The published laws alone: no grammar, no search."""

from __future__ import annotations

from dataclasses import dataclass

from sldagent.bench.baselines.judging import Named, choose_among
from sldagent.bench.method import Answer, Job
from sldagent.laws.catalogue import bind, catalogue


@dataclass(frozen=True)
class CatalogueAlone:
    """Every published law, on every assignment of its variables to the task's columns, put to the choice rule."""

    name: str = "catalogue"

    def check(self) -> None:
        """It needs nothing that is not installed."""

    def refusal(self, job: Job) -> str:
        return "" if _bound(job) else "no published law fits its columns"

    def run(self, job: Job) -> Answer | None:
        minutes = job.settings.minutes
        return choose_among(job, _bound(job), None if minutes is None else 60.0 * minutes)


def _bound(job: Job) -> list[Named]:
    train = job.grounds.train
    return [Named(entry.name, program) for entry in catalogue() for program in bind(entry, train)]
