"""One question about a law, from a user's words to its answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sldagent.errors import PlanError
from sldagent.fitted import Fitted
from sldagent.planning.cost import Cost, read_cost
from sldagent.planning.draws import evidence
from sldagent.planning.next_runs import NextRun, Region, next_runs
from sldagent.planning.plans import Allocation, Frontier, allocate, cheapest, frontier
from sldagent.planning.space import Space, axis, space
from sldagent.planning.surface import Surface, layout_of_card, surface
from sldagent.report.formula import formula_text

FLOPS = "6*N*D"
"""Training compute of a dense transformer, N parameters on D tokens (Kaplan et al. 2020, arXiv 2001.08361, section 2.1)."""
DRAWS = 500
LEVEL = 0.9
SEARCHED = (1e-6, 1e12)
"""Factors on the compute of the training rows between which the least compute for a target is sought."""
POINTS = 13


@dataclass(frozen=True)
class Question:
    """What is asked; exactly one of `compute`, `span`, `minimise` and `target_loss`."""

    compute: float | None = None
    """The best inputs for this much."""
    span: tuple[float, float] | None = None
    """The frontier between two amounts of compute."""
    minimise: tuple[str, ...] = ()
    """The best values of these, all others fixed."""
    target_loss: float | None = None
    """The least compute that reaches it."""
    flops: str | None = None
    """The cost of a run over the law's variables; None: `FLOPS` where the law has N and D."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    group: str | None = None
    target: str | None = None
    next_runs: int = 0
    budget: float | None = None
    """Compute of all further runs together; None: that of the largest training row, for each."""
    draws: int = DRAWS
    level: float = LEVEL
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What came out; one of `allocation` and `frontier`.  Prints as on the command line."""

    law: str
    formula: str
    target: str
    group: str | None
    cost: str | None
    allocation: Allocation | None
    frontier: Frontier | None
    others: Mapping[str, Mapping[str, float]]
    """The optimum by each other law of the short list, at the largest compute that was asked; their range is in every
    estimate (``laws_low``, ``laws_high``)."""
    further: tuple[NextRun, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        from sldagent.report.plan import answer_text
        from sldagent.report.tables import plain

        return plain(answer_text(self))


def answer(question: Question, law: Fitted, others: Sequence[Fitted] = (), table: Any = None) -> Answer:
    """Answer a question.

    Args:
        others: further laws of the same run, to see how far the optimum depends on the form.
        table: the law's training rows, for intervals; None: see `evidence`.

    Raises PlanError for a question that has no answer, naming what to change.
    """
    _check(question)
    group, target = _group(law, question.group), _target(law, question.target)
    cost = _cost(law, question)
    rows = evidence(law, table, question.draws, question.seed) if question.draws else None
    seen = surface(law, group, target, rows.draws if rows else ())
    area = _space(law, question, cost)
    notes = [rows.missing] if rows and rows.missing else []
    allocation, curve = _solve(seen, area, question, law, cost)
    shown = _shown(allocation, curve)
    _bounded(law, shown, question)
    notes += _warnings(law, shown)
    asked = _by_others(others, group, target, question, cost, notes)
    more: tuple[NextRun, ...] = ()
    if question.next_runs:
        noise = float(rows.noise[group, target]) if rows is not None and rows.noise is not None else math.nan
        more = next_runs(seen, shown, _region(law, area, cost, question), question.next_runs, noise)
    return Answer(
        law.law,
        formula_text(law.program.law),
        law.targets[target],
        law.groups[group] if len(law.groups) > 1 else None,
        None if area.cost is None else area.cost.text,
        None if allocation is None else allocation.among([a for a, _ in asked.values() if a is not None]),
        None if curve is None else curve.among([c for _, c in asked.values() if c is not None]),
        {name: _values(_shown(*said)) for name, said in asked.items()},
        more,
        tuple(notes),
    )


def _check(question: Question) -> None:
    asked = (question.compute, question.span, question.minimise or None, question.target_loss)
    if sum(part is not None for part in asked) != 1:
        raise PlanError(
            "a plan answers one question: give one of compute, curve (two amounts), minimise (variables) and target_loss"
        )
    if question.compute is not None and not question.compute > 0:
        raise PlanError(f"a compute of {question.compute:g} buys nothing: name a positive amount")
    if question.span is not None and not 0 < question.span[0] < question.span[1]:
        raise PlanError(f"the curve from {question.span[0]:g} to {question.span[1]:g} is not two positive amounts in order")
    if not 0 < question.level < 1:
        raise PlanError(f"an interval of {question.level:g} is not a share between 0 and 1: write for example 0.9")


def _solve(
    seen: Surface, area: Space, question: Question, law: Fitted, cost: Cost | None
) -> tuple[Allocation | None, Frontier | None]:
    if question.span is not None:
        return None, frontier(seen, area, *question.span, POINTS, question.level)
    if question.target_loss is not None:
        assert cost is not None
        middle = float(cost(_largest(law, area))[0])
        low, high = (middle * factor for factor in SEARCHED)
        return cheapest(seen, area, question.target_loss, low, high, question.level), None
    return allocate(seen, area, [math.nan if question.compute is None else question.compute], question.level)[0], None


def _space(law: Fitted, question: Question, cost: Cost | None) -> Space:
    symbols = [str(v["symbol"]) for v in law.card["variables"]]
    members = {s for name in law.program.law.variables for s in law.card.get("vectors", {}).get(name, ())}
    used = [s for s in symbols if s in law.program.law.variables or s in members]
    if question.minimise:
        return space(law.card, used, question.minimise, question.fixed, question.bounds)
    assert cost is not None
    used = [s for s in symbols if s in used or s in cost.variables]
    free = [s for s in used if s not in question.fixed]
    return space(law.card, used, free, question.fixed, question.bounds, cost)


def _cost(law: Fitted, question: Question) -> Cost | None:
    symbols = [str(v["symbol"]) for v in law.card["variables"]]
    needed = question.compute is not None or question.span is not None or question.target_loss is not None
    if question.flops is None and not {"N", "D"} <= set(symbols):
        if not needed and not question.next_runs:
            return None
        raise PlanError(
            f"what does a run cost?  The law's variables are {', '.join(symbols)}: write a formula over them with --flops, "
            f"such as --flops \"{'*'.join(symbols[:2])}\""
        )
    return read_cost(question.flops or FLOPS, symbols, layout_of_card(law, 1))


def _group(law: Fitted, name: str | None) -> int:
    if name is None:
        if len(law.groups) > 1:
            raise PlanError(f"the law has constants for {len(law.groups)} groups: name one, as --group {law.groups[0]}")
        return 0
    if name not in law.groups:
        raise PlanError(f"the law has no group '{name}': it has {', '.join(law.groups[:8])}")
    return law.groups.index(name)


def _target(law: Fitted, name: str | None) -> int:
    if name is None:
        if len(law.targets) > 1:
            raise PlanError(f"the law predicts {', '.join(law.targets)}: name one, as --target {law.targets[0]}")
        return 0
    if name not in law.targets:
        raise PlanError(f"the law has no target '{name}': it has {', '.join(law.targets)}")
    return law.targets.index(name)


def _largest(law: Fitted, area: Space) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(1, variables) the inputs with every free variable at its largest training value."""
    X = area.fixed[None, :].copy()
    for ax in area.all_axes:
        X[0, ax.column] = float(law.card["variables"][ax.column]["max"])
    return X


def _region(law: Fitted, area: Space, cost: Cost | None, question: Question) -> Region:
    """Further runs may lie within the training range and up to what the budget affords."""
    assert cost is not None
    bounds = {}
    for ax in area.all_axes:
        v = law.card["variables"][ax.column]
        bounds[ax.symbol] = question.bounds.get(ax.symbol, (float(v["min"]), float(v["max"]) * (4.0 if ax.log else 1.0)))
    axes = tuple(axis(law.card, name, span) for name, span in bounds.items())
    budget = question.budget
    if budget is None:
        budget = question.next_runs * float(cost(_largest(law, area))[0])
    return Region(axes, area.fixed, cost, budget)


def _bounded(law: Fitted, plan: Allocation, question: Question) -> None:
    """Raise PlanError where the law falls all the way to a bound that nobody named."""
    free = next((s for s in plan.edges if s not in question.bounds), None)
    if free is not None:
        raise PlanError(
            f"{law.law} has no optimum in {free}: its prediction keeps falling up to {plan.inputs[free].value:.3g}; "
            f"name how far {free} may go with --bounds {free}=LOW:HIGH, or fix it with --fix"
        )


def _warnings(law: Fitted, plan: Allocation) -> list[str]:
    """Bounds that bind, and how far beyond the training rows the optimum lies."""
    out = [f"{s} stands at the edge of its bounds: the optimum may lie beyond" for s in plan.edges]
    for v in law.card["variables"]:
        found = plan.inputs.get(str(v["symbol"]))
        if found is None or v.get("log"):
            continue
        low, high = float(v["min"]), float(v["max"])
        at = f"{v['symbol']} = {found.value:.3g} lies"
        if found.value > high * (1 + 1e-9) and high > 0:
            out.append(f"{at} {found.value / high:.3g}x beyond the largest training row ({high:.3g})")
        elif found.value < low * (1 - 1e-9) and found.value > 0:
            out.append(f"{at} {low / found.value:.3g}x below the smallest training row ({low:.3g})")
    return out


def _by_others(
    others: Sequence[Fitted], group: int, target: int, question: Question, cost: Cost | None, notes: list[str]
) -> dict[str, tuple[Allocation | None, Frontier | None]]:
    """The same question to each other law, without resampling; one that has no answer leaves a note."""
    out = {}
    for law in others:
        try:
            found = _solve(surface(law, group, target), _space(law, question, cost), question, law, cost)
            _bounded(law, _shown(*found), question)
        except PlanError as error:
            notes.append(f"{law.law}, of the short list, has no answer: {error}")
            continue
        out[law.law] = found
    return out


def _shown(allocation: Allocation | None, curve: Frontier | None) -> Allocation:
    """The optimum, or the frontier's at its largest compute."""
    if allocation is not None:
        return allocation
    assert curve is not None
    return curve.points[-1]


def _values(found: Allocation) -> dict[str, float]:
    return {**{s: e.value for s, e in found.inputs.items()}, "prediction": found.prediction.value}
