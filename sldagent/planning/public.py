"""``sldagent.plan``: the questions of the command line's ``plan`` about a law in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sldagent.errors import FitError
from sldagent.fitted import Fitted
from sldagent.planning.question import DRAWS, LEVEL, Answer, Question, answer

if TYPE_CHECKING:
    import pandas

    from sldagent.api import Discovery


def plan(
    law: Fitted | Discovery,
    *,
    compute: float | None = None,
    curve: tuple[float, float] | None = None,
    target_loss: float | None = None,
    minimise: str | Sequence[str] = (),
    flops: str | None = None,
    fix: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    group: str | None = None,
    target: str | None = None,
    next_runs: int = 0,
    budget: float | None = None,
    table: str | Path | pandas.DataFrame | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Answer:
    """Plan with a law; the answer prints as the command line does.

    Exactly one of `compute`, `curve`, `target_loss` and `minimise` is the question.

    Args:
        law: a law, or a finished run: its choice, with the other laws of its short list beside it.
        compute: the best inputs for this much, in units of `flops`.
        curve: the best inputs between two amounts of compute, and how they grow.
        target_loss: the least compute that reaches this prediction.
        minimise: the best values of these variables, all others given by `fix`.
        flops: what a run costs, a formula over the law's variables; None: 6*N*D.
        fix: values of variables that are not chosen.
        bounds: where chosen variables may lie.
        group, target: of a law with several.
        next_runs: how many further runs to name that would narrow the plan most, for `budget` together.
        table: the rows that the law was fitted to; None: those that it brings along, or its table where it still lies there.
        draws: refits to resampled rows for the intervals; 0: none.
        level: share that an interval holds.

    Raises PlanError for a question that has no answer, and FitError for a run that recommends no law.
    """
    if not isinstance(law, Fitted):
        if law.choice is None:
            raise FitError(f"run {law.run} recommends no law: none could be fitted to '{law.task}'")
        law = law.choice
    question = Question(
        compute=compute,
        span=curve,
        minimise=(minimise,) if isinstance(minimise, str) else tuple(minimise),
        target_loss=target_loss,
        flops=flops,
        fixed=fix or {},
        bounds=bounds or {},
        group=group,
        target=target,
        next_runs=next_runs,
        budget=budget,
        draws=draws,
        level=level,
        seed=seed,
    )
    return answer(question, law, law.others, table)
