"""The grammar without evolution: as many fresh laws as the budget allows, and the same choice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sldagent.bench.discovery import config_of, run_discovery
from sldagent.bench.method import Answer, Job


@dataclass(frozen=True)
class BestOfN:
    """The same loop, proposer, workers and choice rule, but no candidate has a parent."""

    name: str = "best-of-n"

    def check(self) -> None:
        """It needs nothing that is not installed."""

    def refusal(self, job: Job) -> str:
        """It applies to every task."""
        return ""

    def run(self, job: Job) -> Answer | None:
        # every child without parents is a fresh draw from the grammar; islands then differ by their motif bias alone
        return run_discovery(job, replace(config_of(job), fresh_share=1.0, migration_every=0, reset_every=0))
