"""A task's roles as JSON, and another table read under them: how an archived law meets new rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from sldagent.errors import CardError, TableError
from sldagent.tasks import checks
from sldagent.tasks.build import columns, group_of, noise_of, split_of
from sldagent.tasks.read import read_table
from sldagent.tasks.table import Table, parts_of, table_from_frame
from sldagent.tasks.task import FloatArray, Noise, Target, Task, Variable

VERSION = 1


def task_card(task: Task) -> dict[str, Any]:
    """The roles of a task, without its rows, as values that JSON can hold (infinite range ends are null).

    Variables carry the smallest and largest training value, so that a law knows where it was fitted.
    """
    train = task.part("train")
    wanted = None
    if task.at is not None:
        wanted = {s: [float(c.min()), float(c.max())] for s, c in zip(task.symbols, task.at.T, strict=True)}
    return {
        "version": VERSION,
        "name": task.name,
        "description": task.description,
        "source": task.source,
        "variables": [
            {
                "name": v.name,
                "symbol": v.symbol,
                "role": v.role,
                "log": v.log,
                "log_base": v.log_base,
                "unit": v.unit,
                "description": v.description,
                "min": float(column.min()),
                "max": float(column.max()),
            }
            for v, column in zip(task.variables, train.X.T, strict=True)
        ],
        "targets": [
            {
                "name": t.name,
                "range": _ends(t.range),
                "unit": t.unit,
                "description": t.description,
                "monotone": dict(t.monotone),
                "limit": None if t.limit is None else _ends(t.limit),
            }
            for t in task.targets
        ],
        "vectors": {k: list(s) for k, s in task.vectors.items()},
        "group_column": task.group_column,
        "groups": list(task.groups),
        "split_column": task.split_column,
        "rows": {str(s): int(np.sum(task.split == s)) for s in sorted(set(task.split.tolist()))},
        "noise": {"kind": task.noise.kind, "column": task.noise.column},
        "max_parameters": task.max_parameters,
        "at": wanted,
        "notes": list(task.notes),
    }


def apply_card(card: Mapping[str, Any], table: Any, require_target: bool = True) -> Task:
    """Read another table under the roles of a stored card (see `task_card`).

    Args:
        card: what `task_card` returned.
        table: a path or a pandas data frame.
        require_target: where False, a table without target columns gives NaN targets.

    The card's groups come first, in order; groups that it does not know follow, for the caller to refuse.  A
    table without the split column has only ``train`` rows and `split_column` None.  Rows are not counted:
    predicting needs only one. Raises TableError naming the column or cell at fault, CardError where the card
    is not one.
    """
    variables, targets, noise = _variables(card), _targets(card), card.get("noise") or {}
    rows = (
        read_table(Path(table))
        if isinstance(table, str | Path)
        else table_from_frame(table, "the data frame")
    )
    group_column = card.get("group_column")
    if group_column and len(parts := parts_of(group_column)) > 1 and all(part in rows.columns for part in parts):
        rows = rows.joined(group_column)
    X = columns(rows, [_column_of(rows, v) for v in variables])
    vectors = {str(k): tuple(s) for k, s in card.get("vectors", {}).items()}
    checks.inputs(rows, variables, vectors, X)
    Y = _targets_of(rows, targets, require_target)
    known = [str(g) for g in card.get("groups", ())]
    if group_column and group_column not in rows.columns and len(known) > 1:
        raise TableError(
            f"{rows.source}: no group column '{group_column}', and the law has its own constants for each of "
            f"{len(known)} groups ({', '.join(known[:4])}{', ...' if len(known) > 4 else ''}): add the column"
        )
    if group_column and group_column in rows.columns:
        group, groups = group_of(rows, group_column, known)
    else:
        group, groups = np.zeros(rows.n, dtype=np.int64), tuple(known or ["all"])
        group_column = None
    split_column = card.get("split_column")
    split_column = split_column if split_column in rows.columns else None
    kind = noise.get("kind", "constant")
    return Task(
        name=str(card.get("name", "table")),
        variables=variables,
        targets=targets,
        X=X,
        Y=Y,
        group=group,
        groups=groups,
        split=split_of(rows, split_column),
        description=str(card.get("description", "")),
        group_column=group_column,
        split_column=split_column,
        noise=Noise(kind, noise.get("column")),
        noise_scale=_noise_of(rows, Noise(kind, noise.get("column"))),
        vectors=vectors,
        max_parameters=card.get("max_parameters"),
        source=rows.source,
    )


def _ends(span: tuple[float, float]) -> list[float | None]:
    return [x if math.isfinite(x) else None for x in span]


def _span(ends: Any) -> tuple[float, float]:
    low, high = ends
    return (-math.inf if low is None else float(low), math.inf if high is None else float(high))


def _variables(card: Mapping[str, Any]) -> tuple[Variable, ...]:
    entries = card.get("variables")
    if not isinstance(entries, list) or not entries:
        raise CardError(
            "the stored roles of the law name no variables: it was not written by this version of sldagent"
        )
    return tuple(
        Variable(
            name=v["name"],
            symbol=v["symbol"],
            role=v["role"],
            log=bool(v["log"]),
            log_base=float(v["log_base"]),
            unit=v.get("unit", ""),
            description=v.get("description", ""),
        )
        for v in entries
    )


def _targets(card: Mapping[str, Any]) -> tuple[Target, ...]:
    return tuple(
        Target(
            name=t["name"],
            range=_span(t["range"]),
            unit=t.get("unit", ""),
            description=t.get("description", ""),
            monotone=cast(Any, dict(t.get("monotone") or {})),
            limit=None if t.get("limit") is None else _span(t["limit"]),
        )
        for t in card.get("targets", ())
    )


def _column_of(table: Table, variable: Variable) -> str:
    """The variable's column, or one named by its symbol."""
    if variable.name not in table.columns and variable.symbol in table.columns:
        return variable.symbol
    return variable.name


def _targets_of(table: Table, targets: tuple[Target, ...], required: bool) -> FloatArray:
    if not required and any(t.name not in table.columns for t in targets):
        return np.full((table.n, len(targets)), np.nan)
    return columns(table, [t.name for t in targets])


def _noise_of(table: Table, noise: Noise) -> FloatArray:
    """As in a task's own table where every row says how noisy it is; ones where some do not (inputs to predict at)."""
    if noise.column is None or noise.column not in table.columns:
        return np.ones(table.n)
    values = table.columns[noise.column]
    known = values.dtype == np.float64 and bool(np.all(np.isfinite(values) & (values > 0)))
    return noise_of(table, noise) if known else np.ones(table.n)
