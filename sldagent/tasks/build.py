"""From complete roles and a table to a task: arrays, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sldagent.tasks import checks
from sldagent.tasks.roles import Roles
from sldagent.tasks.table import Table
from sldagent.tasks.task import FloatArray, Noise, Task


def build_task(roles: Roles, table: Table) -> Task:
    """The task of a table whose roles are complete (see `roles.complete`).

    Raises TableError for every cell, row, group or column that cannot be used; the message names it and the
    way out.
    """
    variables, targets = roles.variables or (), roles.targets or ()
    checks.columns_used_once(roles, table)
    X = columns(table, [v.name for v in variables])
    Y = columns(table, [t.name for t in targets])
    checks.magnitudes(table, [v.name for v in variables], X)
    checks.magnitudes(table, [t.name for t in targets], Y)
    split = split_of(table, roles.split)
    group, groups = group_of(table, roles.group, ())
    checks.inputs(table, variables, roles.vectors or {}, X)
    train = split == "train"
    checks.training_rows(table, roles.split, split)
    checks.group_sizes(table, roles.group, group[train], groups)
    checks.varying(table, variables, X[train], roles.split)
    checks.proportional_noise(table, roles.noise, targets, Y)
    notes = list(roles.notes)
    checks.warn_targets(targets, Y, notes)
    checks.warn_duplicates(table, X, Y, group, notes)
    return Task(
        name=roles.name,
        variables=variables,
        targets=targets,
        X=X,
        Y=Y,
        group=group,
        groups=groups,
        split=split,
        description=roles.description,
        group_column=roles.group or None,
        split_column=roles.split or None,
        run=run_of(table, roles.run, group),
        noise=roles.noise,
        noise_scale=noise_of(table, roles.noise),
        vectors=dict(roles.vectors or {}),
        max_parameters=roles.max_parameters,
        source=table.source,
        notes=tuple(notes),
    )


def columns(table: Table, names: Sequence[str]) -> FloatArray:
    """(n, len(names)) finite numbers."""
    return np.column_stack([table.numeric(n) for n in names])


def split_of(table: Table, column: str | None) -> NDArray[np.str_]:
    """(n,) split labels in lower case; all ``train`` without a column."""
    if not column:
        return np.full(table.n, "train")
    return np.asarray([s.strip().lower() for s in table.text(column)])


def group_of(
    table: Table, column: str | None, first: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(n,) indices into the groups, and the groups: those of `first`, then others in order of appearance."""
    labels = table.text(column) if column else ["all"] * table.n
    order = {name: k for k, name in enumerate(dict.fromkeys([*first, *labels]))}
    return np.asarray([order[label] for label in labels], dtype=np.int64), tuple(order)


def run_of(table: Table, column: str | None, group: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """(n,) ids of the training runs; the same label in two groups is two runs."""
    if not column:
        return None
    order: dict[tuple[int, str], int] = {}
    keys = zip(group.tolist(), table.text(column), strict=True)
    return np.asarray([order.setdefault(key, len(order)) for key in keys], dtype=np.int64)


def noise_of(table: Table, noise: Noise) -> FloatArray:
    """(n,) relative standard deviations with geometric mean one; ones unless a column gives them."""
    if noise.kind != "column" or noise.column is None:
        return np.ones(table.n)
    values = table.numeric(noise.column)
    checks.positive(table, noise.column, values, "is a standard deviation and must be positive")
    return np.asarray(values / np.exp(np.mean(np.log(values))))


def wanted_inputs(table: Table, task: Task) -> FloatArray:
    """(m, variables): inputs at which predictions are wanted.

    A setting or proportion that the table leaves out takes the training median; a scale variable must be
    there.
    """
    medians = np.median(task.part("train").X, axis=0)
    out = np.empty((table.n, len(task.variables)))
    for k, v in enumerate(task.variables):
        if v.name not in table.columns and v.symbol in table.columns:
            out[:, k] = table.numeric(v.symbol)
        elif v.name not in table.columns and v.role != "scale":
            out[:, k] = medians[k]
        else:
            out[:, k] = table.numeric(v.name)
    checks.magnitudes(table, [v.name for v in task.variables], out)
    checks.inputs(table, task.variables, {}, out)
    return out
