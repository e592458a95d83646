"""Does the language model help?  The same budget three times: evolution with models, best of N with models, grammar alone.

All three have the same task, cuts, seed, number of candidates and choice rule.  *Best of N* asks the same models, but no
child knows of an earlier candidate: what evolution adds is the difference.  *Grammar* asks none: what the models add is
the difference to that.  Each of the two that ask has the whole budget for itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from sldagent import session
from sldagent.archive.store import Archive
from sldagent.bench.score import score
from sldagent.errors import ConfigError
from sldagent.evolution.config import RunConfig
from sldagent.evolution.observer import Observer
from sldagent.session import Grounds, Outcome

ARMS = ("evolution", "best of N", "grammar")


@dataclass(frozen=True)
class Result:
    """One arm with one seed."""

    arm: str
    seed: int
    run: str
    candidates: int
    asked: int
    """Candidates dealt to models."""
    programs: int
    """Of these, with a program that could be read."""
    calls: int
    tokens: int
    usd: float | None
    """None: a price is unknown."""
    best_x: float
    """Lowest extrapolation error of a valid law."""
    x: float
    """Of the law that the run recommends."""
    complexity: float
    formula: str
    test_r2: float | None
    """Of that law on the test rows, where there are any; the archive notes the reading."""


@dataclass(frozen=True)
class Comparison:
    """Medians over seeds."""

    arm: str
    seeds: int
    best_x: float
    x: float
    test_r2: float | None
    calls: float
    usd: float | None
    wins: int
    """Seeds in which the recommended law has a lower X than the grammar's."""


def configs(config: RunConfig) -> dict[str, RunConfig]:
    """The three configurations.  Raises ConfigError where `config` asks no model or only time would end it."""
    if not config.llm:
        raise ConfigError("there is nothing to compare without a language model: name one with --llm")
    if config.candidates is None:
        raise ConfigError("runs are compared at the same number of candidates: give --candidates")
    alone = replace(
        config, llm=(), llm_fallbacks=(), llm_extra="", budget_usd=None, max_calls=None, max_tokens=None, prices=(),
        blind_names=False,
    )  # fmt: skip
    apart = replace(config, independent=True, migration_every=0, reset_every=0)
    return dict(zip(ARMS, (config, apart, alone), strict=True))


def ablate(
    grounds: Grounds, config: RunConfig, archive: Archive, seeds: int = 1, observer: Observer | None = None
) -> Iterator[Result]:
    """Run the three arms with each of `seeds` seeds from the configuration's own on, one after another.

    Raises ConfigError (see `configs`), and ChatError where a run was paused because no model can be asked.
    """
    for seed in range(config.seed, config.seed + seeds):
        for arm, own in configs(replace(config, seed=seed)).items():
            outcome = session.run(grounds, own, archive, observer)
            if outcome.summary.status != "complete":
                why = outcome.summary.trouble or "it was interrupted"
                raise ConfigError(f"run {outcome.summary.run} did not end, so there is nothing to compare: {why}")
            yield _result(arm, seed, outcome, archive)


def _result(arm: str, seed: int, outcome: Outcome, archive: Archive) -> Result:
    summary = outcome.summary
    asked = [r.asked for r in archive.candidates(summary.run) if r.asked is not None]
    charged = [a for a in archive.chats().attempts(summary.run) if a.state != "refused"]
    usd = [a.usd for a in charged]
    chosen = None if summary.choice is None else summary.records[summary.choice.index]
    front = [summary.records[k].evaluation.x for k in summary.front]
    return Result(
        arm=arm, seed=seed, run=summary.run, candidates=summary.candidates, asked=len(asked),
        programs=sum(a.outcome == "program" for a in asked), calls=len(charged), tokens=sum(a.tokens for a in charged),
        usd=None if any(u is None for u in usd) else math.fsum(u for u in usd if u is not None),
        best_x=min(front, default=math.inf), x=math.inf if chosen is None else chosen.evaluation.x,
        complexity=math.inf if chosen is None else chosen.evaluation.complexity,
        formula="" if chosen is None else chosen.formula, test_r2=_test_r2(outcome, archive),
    )  # fmt: skip


def _test_r2(outcome: Outcome, archive: Archive) -> float | None:
    """R2 of the recommended law on the test rows, noted in the archive; None without either."""
    test, choice = outcome.grounds.task.part("test"), outcome.summary.choice
    if choice is None or not len(test.X):
        return None
    law = outcome.fitted(choice.index, archive)
    figures = score(test, law.predict_rows(test))
    if figures is None:
        return None
    archive.log_scoring(law.law, "test", test.source, len(test.X), {**asdict(figures), "per_target": {}})
    return float(figures.r2) if math.isfinite(figures.r2) else None


def compare(results: list[Result]) -> list[Comparison]:
    """Medians by arm."""
    grammar: Mapping[int, float] = {r.seed: r.x for r in results if r.arm == ARMS[-1]}
    found = []
    for arm in ARMS:
        own = [r for r in results if r.arm == arm]
        tested = [r.test_r2 for r in own if r.test_r2 is not None]
        usd = [r.usd for r in own if r.usd is not None]
        found.append(
            Comparison(
                arm, len(own), _median([r.best_x for r in own]), _median([r.x for r in own]),
                _median(tested) if tested else None, _median([r.calls for r in own]),
                _median(usd) if len(usd) == len(own) else None, sum(r.x < grammar.get(r.seed, -math.inf) for r in own),
            )
        )  # fmt: skip
    return found


def _median(values: list[float] | list[int]) -> float:
    return float(np.median(values)) if values else math.nan
