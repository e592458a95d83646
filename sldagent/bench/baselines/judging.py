"""Programs that someone else wrote, judged by our evaluator and put to our choice rule."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sldagent.bench.method import Answer, Job
from sldagent.bench.score import score_program
from sldagent.errors import ConfigError
from sldagent.evaluation.choice import choose
from sldagent.evaluation.evaluate import Evaluator
from sldagent.evaluation.result import Evaluation
from sldagent.evolution.config import RunConfig
from sldagent.fitting.warm import warm
from sldagent.laws.program import Program
from sldagent.workers.base import WorkerStartError
from sldagent.workers.local import LocalPool

WAIT = 0.2
"""Seconds between looks at the clock."""


@dataclass(frozen=True)
class Named:
    """A program and what to call it."""

    name: str
    program: Program


def judge(job: Job, programs: Sequence[Named], seconds: float | None) -> list[tuple[int, Evaluation]]:
    """Evaluations by index, of as many programs as `seconds` allow, in their order.

    The time runs from the first result on: what workers need to start is not the programs' fault.

    Raises ConfigError where no worker process can be started.
    """
    if not programs:
        return []
    make = partial(Evaluator, job.grounds.train, job.grounds.cuts)
    done: list[tuple[int, Evaluation]] = []
    try:
        with LocalPool(make, job.settings.workers, RunConfig().time_limit, warm=warm) as pool:
            for k, named in enumerate(programs):
                pool.submit(k, named.program)
            end = math.inf
            while pool.pending() and time.monotonic() < end:
                done.extend(pool.results(WAIT))
                if done and math.isinf(end) and seconds is not None:
                    end = time.monotonic() + seconds
    except WorkerStartError as error:
        raise ConfigError(f"no worker process could be started: {error}") from None
    return sorted(done, key=lambda entry: entry[0])


def choose_among(job: Job, programs: Sequence[Named], seconds: float | None) -> Answer:
    """Judge, choose by the rule and score the short list on the test rows."""
    done = judge(job, programs, seconds)
    chosen = choose(done)
    by_index = dict(done)
    laws = tuple(
        score_program(programs[k].name, programs[k].program, by_index[k], job.grounds.task)
        for k in (() if chosen is None else chosen.shortlist)
    )
    return Answer(
        choice=laws[0] if laws else None,
        shortlist=laws,
        candidates=len(programs),
        failures=sum(e.failure is not None for _, e in done),
        judged=len(done),
        note="" if laws else "no valid law",
    )
