"""A plan as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import RenderableType

from sldagent.fitted import Fitted
from sldagent.planning.contest import Contest
from sldagent.planning.plans import Allocation, Estimate, Frontier
from sldagent.planning.question import Answer
from sldagent.report.formula import formula_text
from sldagent.report.tables import number, table


def answer_text(found: Answer) -> Iterator[str | RenderableType]:
    """The law, the optimum with its intervals, how much it matters, and what to beware of."""
    group = "" if found.group is None else f" (group {found.group})"
    yield f"{found.target}{group} = {found.formula}"
    if found.cost is not None:
        yield f"cost of a run: {found.cost}"
    yield ""
    if found.frontier is not None:
        yield from _frontier(found.frontier, found.target)
    if found.allocation is not None:
        yield from _allocation(found.allocation, found.target)
    if found.others:
        yield ""
        yield "By the other laws of the short list:"
        names = list(next(iter(found.others.values())))
        rows = [(name, *(number(values.get(n), 5) for n in names)) for name, values in found.others.items()]
        yield table(["law", *names], rows, numbers=names)
    if found.further:
        yield ""
        yield "Further runs that would narrow the plan most, one after the other:"
        names = list(found.further[0].inputs)
        rows = [
            (str(k + 1), *(number(run.inputs[n]) for n in names), number(run.cost), f"{100 * run.width:.0f} %")
            for k, run in enumerate(found.further)
        ]
        yield table(["run", *names, "cost", "width left"], rows, numbers=[*names, "cost", "width left"])
    if found.notes:
        yield ""
        yield from (f"note: {note}" for note in found.notes)


def contest_text(
    found: Sequence[Contest], law: Fitted, at: Mapping[str, float], *, resampled: bool
) -> Iterator[str | RenderableType]:
    """Every contest's groups, the best prediction first."""
    yield f"{law.targets[0]} = {formula_text(law.program.law)}"
    yield "at " + ", ".join(f"{name} = {number(value)}" for name, value in at.items())
    for contest in found:
        yield ""
        if contest.name:
            yield f"{contest.name}:"
        rows = [
            (e.group, number(e.prediction.value, 5), _interval(e.prediction), f"{100 * e.best:.0f} %" if resampled else "-")
            for e in contest.entrants
        ]
        columns = ["group", "prediction", "interval", "best"]
        yield table(columns, rows, numbers=columns[1:])


def _allocation(plan: Allocation, target: str) -> Iterator[str | RenderableType]:
    if plan.compute is not None:
        yield f"compute {number(plan.compute, 5)}"
    spans = _spans(plan.prediction)
    rows = []
    for name, e in plan.inputs.items():
        rows.append((name, number(e.value, 5), *(show(e) for show in spans.values()), _rise(plan, name)))
    rows.append((target, number(plan.prediction.value, 6), *(show(plan.prediction) for show in spans.values()), ""))
    columns = ["", "optimum", *spans, "half / twice costs"]
    yield table(columns, rows, numbers=columns[1:])


def _rise(plan: Allocation, name: str) -> str:
    if name not in plan.sensitivity:
        return ""
    low, high = plan.sensitivity[name]
    return f"{number(low, 3)} / {number(high, 3)}"


def _frontier(curve: Frontier, target: str) -> Iterator[str | RenderableType]:
    names = list(curve.points[0].inputs)
    spans = _spans(curve.points[0].prediction)
    rows = []
    for point in curve.points:
        cells = [number(point.compute, 4)]
        for e in (*point.inputs.values(), point.prediction):
            cells += [number(e.value, 5), *(show(e) for show in spans.values())]
        rows.append(tuple(cells))
    columns = ["compute", *(c for name in (*names, target) for c in (name, *(f"{name} {span}" for span in spans)))]
    yield table(columns, rows, numbers=columns)
    for name, e in curve.exponents.items():
        among = "" if e.laws_low is None else f"; by the laws of the short list {_among(e)}"
        yield f"{name} grows as compute**{number(e.value, 4)} ({_interval(e)}{among})"


def _spans(e: Estimate) -> dict[str, Callable[[Estimate], str]]:
    """Columns beside every number: its interval, and where there is a short list, the range over it."""
    return {"interval": _interval} if e.laws_low is None else {"interval": _interval, "short list": _among}


def _among(e: Estimate) -> str:
    return "-" if e.laws_low is None or e.laws_high is None else f"{number(e.laws_low, 4)} to {number(e.laws_high, 4)}"


def _interval(e: Estimate) -> str:
    return "-" if e.low == e.high else f"{number(e.low, 4)} to {number(e.high, 4)}"
