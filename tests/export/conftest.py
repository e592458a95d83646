"""Law documents made from a program, and an evaluation that shares nothing with the exporters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sldagent.archive.records import CandidateRecord, RunRecord
from sldagent.evaluation.result import Evaluation
from sldagent.export import law_document
from sldagent.laws.expr import Expr
from sldagent.laws.inspect import parameter_axes
from sldagent.laws.program import Law, Program
from sldagent.laws.render import render_expr, render_program


def evaluate(e: Expr, at: Mapping[str, Any], index: Mapping[str, int]) -> Any:
    """One number: the tree at scalars, lists (vectors) and arrays (indexed parameters)."""
    a = [evaluate(x, at, index) for x in e.args] if e.op != "sum" else []
    match e.op:
        case "num":
            return np.float64(e.value)
        case "var":
            return at[e.name][index[e.index[0]]] if e.index else at[e.name]
        case "par":
            return at[e.name][tuple(index[k] for k in e.index)]
        case "add":
            return sum(a[1:], a[0])
        case "mul":
            return math.prod(a[1:], start=a[0])
        case "div":
            return a[0] / a[1]
        case "neg":
            return -a[0]
        case "pow":
            return a[0] ** a[1]
        case "sum":
            return sum(evaluate(e.args[0], at, {**index, e.name: k}) for k in range(len(at[e.over])))
        case "sigmoid":
            return 1 / (1 + np.exp(-a[0])) if a[0] > -30 else np.exp(a[0])
        case "softplus":
            return np.logaddexp(0.0, a[0])
        case "smoothmin":
            return -np.logaddexp(-a[0] * a[2], -a[1] * a[2]) / a[2]
        case "smoothmax":
            return np.logaddexp(a[0] * a[2], a[1] * a[2]) / a[2]
        case name:
            return getattr(np, name)(*a)


def reference(
    law: Law, document: Mapping[str, Any], row: Mapping[str, float], group: int, target: int
) -> float:
    """The law's prediction for one row, group and target."""
    at: dict[str, Any] = {s: np.float64(v) for s, v in row.items()}
    for name, members in document["vectors"].items():
        at[name] = [at[s] for s in members]
    for name, entry in document["parameters"].items():
        values = np.asarray(entry["values"])
        at[name] = values[group if len(values) > 1 else 0]
    with np.errstate(all="ignore"):
        for name, items in law.vectors:
            at[name] = [evaluate(item, at, {"i": target}) for item in items]
        return float(evaluate(law.expr, at, {"i": target}))


def make(
    program: Program,
    *,
    symbols: Sequence[str],
    columns: Sequence[str] | None = None,
    vectors: Mapping[str, Sequence[str]] | None = None,
    targets: Sequence[str] = ("loss",),
    groups: Sequence[str] = ("all",),
    values: Callable[[str, tuple[int, ...]], Any] | None = None,
    task: str = "table",
    **card: Any,
) -> dict[str, Any]:
    """A law document of the program; `values(name, shape)` gives the fitted values (default: random in 0.2 to
    1.5).
    """
    rng = np.random.default_rng(3)
    law = program.law
    lengths = (
        {n: len(m) for n, m in (vectors or {}).items()}
        | {n: len(v) for n, v in law.vectors}
        | {"i": len(targets)}
    )
    parameters = {}
    for name, axes in parameter_axes(law).items():
        shape = (1 if law.parameter(name).scope == "shared" else len(groups), *(lengths[a] for a in axes))
        parameters[name] = np.asarray(
            values(name, shape) if values else rng.uniform(0.2, 1.5, shape), dtype=float
        )
    run = RunRecord(
        run="r1",
        task=task,
        status="complete",
        seed=7,
        started=datetime(2030, 1, 2),
        finished=None,
        config={},
        mode="blind",
        card={
            "variables": [
                {
                    "name": c,
                    "symbol": s,
                    "role": "scale",
                    "log": False,
                    "log_base": math.e,
                    "unit": "",
                    "min": 0.5,
                    "max": 20.0,
                }
                for s, c in zip(symbols, columns or symbols, strict=True)
            ],
            "vectors": {n: list(m) for n, m in (vectors or {}).items()},
            "targets": [{"name": t, "range": [0.0, None], "unit": ""} for t in targets],
            "group_column": "group" if len(groups) > 1 else None,
            "groups": list(groups),
            "source": "table.csv",
            **card,
        },
    )
    candidate = CandidateRecord(
        k=4,
        island=0,
        operator="catalogue",
        parents=(),
        source=render_program(program),
        formula=render_expr(law.expr),
        structure="",
        evaluation=Evaluation(x=-3.25, x_se=0.1, complexity=23, parameters=parameters, valid=True),
    )
    return law_document(run, candidate, date(2030, 1, 3))


@pytest.fixture(scope="session")
def exports() -> SimpleNamespace:
    """``make`` (a document from a program) and ``reference`` (its prediction for one row)."""
    return SimpleNamespace(make=make, reference=reference)
