"""Small builders shared by the fitting tests."""

from __future__ import annotations

import numpy as np

from sldagent.laws.program import Program
from sldagent.tasks.task import Target, Task, Variable


def make_task(columns, Y, group=None, roles=None, vectors=None, targets=None, **more) -> Task:
    """A task from named columns (dict name -> array) and targets Y (n,) or (n, t)."""
    names = list(columns)
    X = np.column_stack([np.asarray(columns[k], float) for k in names])
    Y = np.asarray(Y, float)
    Y = Y[:, None] if Y.ndim == 1 else Y
    labels = np.zeros(len(X), int) if group is None else np.asarray(group)
    groups = tuple(f"g{k}" for k in range(int(labels.max()) + 1))
    roles = roles or {}
    return Task(
        name="synthetic",
        variables=tuple(Variable(k, k, roles.get(k, "scale")) for k in names),
        targets=targets or tuple(Target(f"y{t}") for t in range(Y.shape[1])),
        X=X,
        Y=Y,
        group=labels.astype(np.int64),
        groups=groups,
        split=np.full(len(X), "train"),
        noise_scale=np.ones(len(X)),
        vectors=vectors or {},
        **more,
    )


def with_recipe(program: Program, **changes) -> Program:
    from dataclasses import replace

    return replace(program, recipe=replace(program.recipe, **changes))
