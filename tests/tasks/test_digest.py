"""A task's identity: the same for the same rows and roles, another for any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sldagent.tasks.digest import task_digest
from sldagent.tasks.load import load_task
from sldagent.tasks.task import Noise, Task


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("tiny_lm")


def test_reading_again_gives_the_same(task: Task) -> None:
    assert task_digest(load_task("tiny_lm")) == task_digest(task)


def test_what_the_search_cannot_see_does_not_count(task: Task) -> None:
    changed = replace(task, description="other", source="elsewhere", notes=("guess",))
    assert task_digest(changed) == task_digest(task)


def test_anything_else_counts(task: Task) -> None:
    X, Y = task.X.copy(), task.Y.copy()
    X[0, 0] = np.nextafter(X[0, 0], np.inf)
    Y[-1, 0] = -Y[-1, 0]
    first, target = task.variables[0], task.targets[0]
    others = [
        replace(task, X=X), replace(task, Y=Y), task.rows(np.arange(len(task.X)) > 0),
        replace(task, split=np.where(np.arange(len(task.X)) == 0, "test", task.split)),
        replace(task, variables=(replace(first, role="setting"), *task.variables[1:])),
        replace(task, targets=(replace(target, range=(0.0, 1e9)),)),
        replace(task, noise=Noise("proportional")), replace(task, max_parameters=5), replace(task, at=task.X[:2]),
        replace(task, at=task.X[:3]), replace(task, groups=("other",)), replace(task, run=np.arange(len(task.X))),
        replace(task, noise_scale=np.full(len(task.X), 2.0)),
    ]  # fmt: skip
    digests = {task_digest(other) for other in (task, *others)}
    assert len(digests) == len(others) + 1
