"""A discovery that takes a second, in a process of its own where it is to be killed.

    python tests/llm/small_run.py begin|resume TABLE ARCHIVE SPEC
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sldagent import session
from sldagent.archive.store import Archive
from sldagent.chat.policy import Policy
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evolution import loop
from sldagent.evolution.config import RunConfig
from sldagent.llm import LiveModels
from sldagent.origin import origin_of
from sldagent.proposers.base import Proposal
from sldagent.proposers.grammar import GrammarProposer
from sldagent.session import Grounds, Outcome
from sldagent.tasks.load import load_task
from sldagent.workers.base import WorkerPool
from sldagent.workers.serial import SerialPool

QUICK = Policy(attempts=2, base=0.01, cap=0.02, breaker_failures=4, breaker_seconds=60.0, concurrency=8)
RUN = "small"
EVERY = 7
"""Candidates between checkpoints."""


def write_table(path: Path) -> Path:
    """loss = 1.7 + 400 N^-0.35 + 900 D^-0.4 on a grid of 16 rows."""
    rng = np.random.default_rng(3)
    lines = ["N,D,loss"]
    for N in 1e5 * 4.0 ** np.arange(4):
        for D in 1e6 * 5.0 ** np.arange(4):
            lines.append(f"{N:.0f},{D:.0f},{1.7 + 400 * N**-0.35 + 900 * D**-0.4 + rng.normal(0, 0.002):.5f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def config(spec: str, **changes: Any) -> RunConfig:
    """Half of the candidates after the first eight are dealt to the model."""
    values: dict[str, Any] = {
        "seed": 5, "islands": 2, "workers": 1, "candidates": 44, "look_back": 4, "llm_look_back": 12, "population": 12,
        "emphasis_at": 0, "migration_every": 15, "llm": (spec,) if spec else (), "answer_tokens": 500,
    }  # fmt: skip
    return RunConfig(**{**values, **changes})


class FewSeeds(GrammarProposer):
    """The grammar, with a generation 0 of eight laws."""

    def seeds(self) -> tuple[Proposal, ...]:
        return tuple(super().seeds())[:8]


def here(place: object, grounds: Grounds, config: RunConfig, jail: object) -> WorkerPool:
    """Evaluation in this process."""
    return SerialPool(partial(Evaluator, grounds.train, grounds.cuts))


def shrink() -> None:
    """Let sessions of this process be small."""
    session.GrammarProposer = FewSeeds  # type: ignore[misc]
    session.make_pool = here
    session.discover = partial(loop.discover, checkpoint_every=EVERY)
    loop.resume = partial(loop.resume, checkpoint_every=EVERY)


def begin(table: Path, place: Path, cfg: RunConfig, policy: Policy = QUICK) -> Outcome:
    """A new run, under a fixed id."""
    task = load_task(str(table))
    with Archive.open(str(place)) as archive:
        archive.new_run_id = lambda *_: RUN  # type: ignore[method-assign]
        return session.run(
            session.prepare(task), cfg, archive, origin=origin_of(task, table), models=LiveModels(cfg, {}, policy=policy)
        )


def go_on(place: Path, policy: Policy = QUICK) -> Outcome:
    """The same run, after its process ended."""
    with Archive.open(str(place)) as archive:
        cfg = RunConfig.from_mapping(archive.run(RUN).config)
        return session.resume(RUN, archive, models=LiveModels(cfg, {}, policy=policy))


if __name__ == "__main__":
    shrink()
    verb, table, place, spec = sys.argv[1:]
    outcome = begin(Path(table), Path(place), config(spec)) if verb == "begin" else go_on(Path(place))
    sys.exit(0 if outcome.summary.status == "complete" else 3)
