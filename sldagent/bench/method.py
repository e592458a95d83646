"""The one interface behind which everything stands that a benchmark compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sldagent.bench.results import Scored, Settings
from sldagent.session import Grounds


@dataclass(frozen=True)
class Job:
    """One task for one method.  Of `grounds.task`'s test rows a method may read the inputs to predict at, and nothing to
    choose by.
    """

    grounds: Grounds
    human: str
    """The published law of the task: a catalogue entry's name or a formula; '' where its card names none."""
    seed: int
    settings: Settings
    archive: str
    """URL of the archive that discoveries are kept in."""


@dataclass(frozen=True)
class Answer:
    """What a method found; fields as in `sldagent.bench.results.Result`."""

    choice: Scored | None
    shortlist: tuple[Scored, ...] = ()
    own_choice: Scored | None = None
    candidates: int = 0
    failures: int = 0
    judged: int | None = None
    skipped: int = 0
    note: str = ""
    blend: float | None = None


class Method(Protocol):
    """A way from training rows to a law."""

    @property
    def name(self) -> str:
        """What results and tables call it."""
        ...

    def check(self) -> None:
        """Raises ConfigError where the method cannot run at all, such as for a package that is not installed."""
        ...

    def refusal(self, job: Job) -> str:
        """Why the method does not apply to this task, in one sentence; '' where it does."""
        ...

    def run(self, job: Job) -> Answer | None:
        """Find a law within the job's budget and score it; None where the user ended it early."""
        ...
